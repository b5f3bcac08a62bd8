"""All models of one dataset, judged: from arrays and models to scores and the plots' data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion
from pipeline.core.artifacts.evaluated import Audit, Evaluated, Judged
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Split
from pipeline.core.columns import Raw, kinds
from pipeline.core.errors import PipelineError, naming
from pipeline.core.params import Params
from pipeline.core.preprocessing import is_constant
from pipeline.core.settings.dataset import Dataset
from pipeline.core.tables import Array
from pipeline.core.trainers import TRAINERS, measures
from pipeline.evaluate import curves
from pipeline.evaluate.audits import audits
from pipeline.evaluate.comparison import contrast
from pipeline.evaluate.folds import cuts_of
from pipeline.evaluate.judge import Judge
from pipeline.evaluate.metrics import predicted_labels
from pipeline.evaluate.permutation import by_orders
from pipeline.solvers.advice import trouble


@dataclass(frozen=True)
class Given:
    """What there is to judge of a dataset.

    Attributes
    ----------
    dataset : str
        Its name.
    params : Params
    rows : Split
    trained : ndarray of shape (n_train, n_features)
        The standardized rows that the trainers read.
    models : dict
        The models of the dataset by name: its own, the reference model and the baseline.
    histories : dict
        By name of the model: epoch and training loss, shape (n, 2), of those that descend.
    champion : tuple of Champion and Raw, or None
        The champion with its columns of all rows; None where there is none.
    """

    dataset: str
    params: Params
    rows: Split
    trained: Array
    models: Mapping[str, Model]
    histories: Mapping[str, Array]
    champion: tuple[Champion, Raw] | None

    @property
    def settings(self) -> Dataset:
        """The dataset's block of params.yaml."""
        return self.params.dataset(self.dataset)

    @property
    def own(self) -> dict[str, Model]:
        """The models that params.yaml asks for: all but the reference model and the baseline."""
        return {n: m for n, m in self.models.items() if TRAINERS[m.trainer].role == "trainer"}

    @property
    def shown(self) -> tuple[Array, Array]:
        """The rows that the plots show: the test rows, or all where all train."""
        return self.rows.part(self.rows.test if len(self.rows.test) else self.rows.train)


def judge_all(given: Given) -> Evaluated:
    """Judge every model of a dataset, with the reference model, the baseline and the champion.

    By cross-validation on all rows (trained anew, scaled anew, in each fold) and on the test rows;
    nothing is fitted on these.

    Raises
    ------
    PipelineError
        When a training fails in a fold, a score is not finite, or the rows are too few to be cut.
    """
    settings, rows = given.settings, given.rows
    judge = Judge(rows, given.dataset, given.params)
    judged, units = dict[str, Judged](), dict[str, Array]()
    for name, model in given.models.items():
        with naming(name):  # two models may share a trainer
            judged[name], units[name] = judge.model(model)
    champion = _judge_champion(given, judge, judged, units)
    confidence = given.params.intervals.confidence
    audited = audits(rows, given.trained, settings, given.own)
    trivial = measures(settings.task)[1]
    told = by_orders(rows, settings, given.own, cuts_of(given.params, given.dataset))
    return Evaluated(
        **about(settings),
        confidence=confidence,
        scheme=judge.scheme,
        train_rows=len(rows.train),
        test_rows=len(rows.test),
        columns=kinds(rows.encoding),
        judged=judged,
        champion=champion,
        comparisons=[
            contrast(
                {a: units[a], b: units[b]},
                settings.evaluate.metric,
                judge.scheme,
                confidence,
                told.get(a) if b == trivial else None,
            )
            for a, b in combinations(judged, 2)
            if judge.cuts
        ],
        audits=audited,
        warnings=[
            *of_audits(given.dataset, audited),
            *of_one_value(given.dataset, settings, given.shown[1]),
            *_separated(given),
            *of_trainings(given.dataset, given.models, given.histories),
        ],
    )


def about(settings: Dataset) -> dict[str, Any]:
    """What `Evaluated` has of params.yaml."""
    judged_by = settings.evaluate.model_dump(exclude={"repeats"})  # the scheme has them
    return {"task": settings.task, "target": settings.target, **judged_by}


def of_audits(dataset: str, audited: Sequence[Audit]) -> Iterator[str]:
    """The warnings of those that failed."""
    for one in audited:
        if not one.passed:
            yield f"{dataset}: leakage audit {one.name} failed: {one.text}"


def plots(given: Given, evaluated: Evaluated) -> dict[str, curves.PlotData]:
    """The data of every plot, by name; for a plot of the other task its header alone."""
    X, y = given.shown
    values = {name: model.predict(X) for name, model in given.models.items()}
    return plots_of(values, y, given.settings, given.histories, evaluated)


def plots_of(
    values: curves.Values,
    y: Array,
    settings: Dataset,
    histories: Mapping[str, Array],
    evaluated: Evaluated,
) -> dict[str, curves.PlotData]:
    """The same, of what each model says of the rows shown.

    Parameters
    ----------
    values : dict
        By name of the model, of shape (n_rows,) or (n_rows, n_classes).
    y : ndarray of shape (n_rows,)
    settings : Dataset
    histories : dict
        As in `Given`.
    evaluated : Evaluated
    """
    data = curves.of_all(evaluated.judged, histories, evaluated.metric)
    if evaluated.task == "regression":
        return data | curves.of_regression(values, y)
    thresholds = {name: evaluated.judged[name].threshold for name in values}
    data |= curves.of_classes(values, y, evaluated.classes or [], thresholds)
    return data | curves.of_each_class(values, y, settings, evaluated.confidence)


def _judge_champion(
    given: Given, judge: Judge, judged: dict[str, Judged], units: dict[str, Array]
) -> str | None:
    """The name by which the champion is judged: a model's, where it is that model."""
    if given.champion is None:
        return None
    champion, raw = given.champion
    for name, model in given.models.items():
        if champion.is_(model, given.rows.encoding, given.settings.evaluate.threshold):
            return name
    try:
        judged["champion"], units["champion"] = judge.champion(champion, raw)
    except PipelineError as error:
        raise PipelineError(f"{layout.CHAMPION}: {given.dataset}: {error}") from None
    return "champion"


def of_one_value(dataset: str, settings: Dataset, y: Array) -> Iterator[str]:
    """The warning that a score has no meaning, where it has none: y of the rows judged by."""
    if is_constant(y):
        missing = "r2" if settings.task == "regression" else "roc_auc"
        yield (
            f"{dataset}: {settings.target} is the same in all {len(y)} rows judged by: "
            f"{missing} has no meaning there and is null"
        )


def of_trainings(
    dataset: str, models: Mapping[str, Model], histories: Mapping[str, Array]
) -> Iterator[str]:
    """What went wrong in the trainings that took steps."""
    for name, history in histories.items():
        model = models[name]
        stable = model.facts.get("stable_lr")
        if text := trouble(model.ending, history[:, 1], model.params, stable):
            yield f"{dataset}: {name}: {text}"


def _separated(given: Given) -> Iterator[str]:
    """The warning that the cross-entropy has no minimum: larger weights always lower it.

    With a penalty on the weights it has one; and a training that rows held out end stops before.
    """
    if given.settings.task == "classification":
        X, y = given.rows.part(given.rows.train)
        labels = {n: predicted_labels(one.predict(X), 0.5) for n, one in free(given.own).items()}
        names = [n for n, label in labels.items() if (label == y).all()]
        yield from separated(given.dataset, names, len(y))


def free(models: Mapping[str, Model]) -> dict[str, Model]:
    """Those whose weights nothing holds in bounds."""
    return {
        name: one
        for name, one in models.items()
        if one.params.get("weight_decay") == 0 and "best_epoch" not in one.facts
    }


def separated(dataset: str, names: Sequence[str], rows: int) -> Iterator[str]:
    """The warning that these models are right in all training rows, where there are any."""
    if names:
        yield (
            f"{dataset}: {', '.join(names)} separates the classes of all {rows} "
            "training rows: the weights grow with every epoch, and probabilities go to 0 and "
            "1; weight_decay above 0 bounds them"
        )
