"""metrics/champion.json: for each dataset the model that a new one must not fall behind."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import (
    Evaluated,
    Judged,
    Verdict,
    read_evaluated,
    read_verdicts,
)
from pipeline.core.artifacts.models import Model, read_model
from pipeline.core.artifacts.splits import Split, read_split
from pipeline.core.artifacts.trained_on import (
    REMEDY,
    Range,
    Sketch,
    TrainedOn,
    refuse_no_champions,
    sketched,
)
from pipeline.core.columns import (
    PLAIN,
    Column,
    Encoding,
    Learned,
    dumped,
    ends,
    in_range,
    kinds,
    known,
)
from pipeline.core.errors import PipelineError
from pipeline.core.files import damaged, md5, read_as, read_json, write_json
from pipeline.core.forms import digest
from pipeline.core.params import load_params
from pipeline.core.scikit_learn import params_of_estimator, problems, unknown
from pipeline.core.settings.block import Settings
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import Goal
from pipeline.core.settings.models import TrainerName, cannot_do
from pipeline.core.settings.network import settings_form
from pipeline.core.tables import column_values, read_table
from pipeline.core.text import nearest
from pipeline.core.trainers import TRAINERS, Task, Value, takes


class Champion(Settings):
    """What it takes to train it again on any rows, and to judge it as it was judged.

    Attributes
    ----------
    features : list of str
        The columns that its features are made of.
    kinds : dict
        By name what those of them are that are no plain numbers.
    override : str or None
        The verdict that a person set aside; None where the verdict was `accepted`.
    trained_on : TrainedOn or None
        What its training rows are like, which `validate` expects of later data.
    """

    trainer: TrainerName
    params: dict[str, Value]
    features: Annotated[list[str], Field(min_length=1)]
    kinds: dict[str, Learned] = Field(default_factory=dict)
    threshold: float | Goal | None = None
    override: str | None = None
    trained_on: TrainedOn | None = None

    @property
    def columns(self) -> dict[str, Column]:
        """By name what each of its columns is."""
        return {name: self.kinds.get(name, PLAIN) for name in self.features}

    def is_(self, model: Model | Judged, columns: Encoding, threshold: float | Goal | None) -> bool:
        """Whether a model is made and judged in the same way."""
        ours = self.trainer, self.params, self.columns, self.threshold
        return ours == (model.trainer, model.params, kinds(columns), threshold)


def read_champion(dataset: str, settings: Dataset, columns: Sequence[str]) -> Champion | None:
    """Read the champion of a dataset; None where it has none.

    Raises
    ------
    PipelineError
        When the file is missing or damaged, or names what cannot be trained on these columns.
    """
    champion = read_champions().get(dataset)
    if champion and (problem := next(_misfits(champion, settings, columns), None)):
        raise PipelineError(f"{layout.CHAMPION}: {dataset}{problem}; mend or remove the entry")
    return champion


def read_champions() -> dict[str, Champion]:
    """All of metrics/champion.json, not yet held against the data."""
    refuse_no_champions()
    return read_as(layout.CHAMPION, dict[str, Champion], REMEDY)


def _misfits(champion: Champion, settings: Dataset, columns: Sequence[str]) -> Iterator[str]:
    """What keeps a champion from being trained on these columns."""
    features, trainer = champion.features, TRAINERS[champion.trainer]
    if problem := cannot_do(champion.trainer, settings):
        yield f".trainer: {problem}"
    if missing := [name for name in features if name not in columns]:
        yield f".features: the data have no {', '.join(missing)}"
    seen = champion.trained_on
    if seen and {*seen.columns, *seen.categories, settings.target} != {*features, settings.target}:
        yield ".trained_on.columns: expected those of features, and the target"
    if strange := [name for name in champion.kinds if name not in features]:
        yield f".kinds: {', '.join(strange)} is none of features"
    if len(set(features)) < len(features) or settings.target in features:
        yield ".features: a name stands twice, or is that of the target"
    if (champion.threshold is None) != (settings.evaluate.threshold is None):
        several = " into several classes" * settings.evaluate.several
        yield f".threshold: does not go with task: {settings.task}{several}"
    if not takes(champion.trainer, champion.params):
        yield f".params: {champion.trainer} takes {', '.join(sorted(trainer.params)) or 'none'}"
    elif trainer.form == "sklearn":
        yield from (f".params: {problem}" for problem in _unfit(champion, settings.task))
    else:
        try:
            if trainer.params:
                settings_form(champion.trainer).of(**champion.params)
        except ValueError as error:
            yield f".params: {error}"


def _unfit(champion: Champion, task: Task) -> Iterator[str]:
    """What is wrong with the estimator of a champion."""
    name = str(champion.params["estimator"])
    if problem := unknown(name, task, load_params().packages):
        yield problem
    else:
        yield from problems(name, params_of_estimator(champion.params), task)


@dataclass(frozen=True)
class Holder:
    """Who holds the title of a dataset now.

    Attributes
    ----------
    model : str or None
        The name of one of data/4_models; None where none of them is the champion.
    override : str or None
        The verdict that a person set aside for it.
    """

    model: str | None
    override: str | None = None


def holder(dataset: str, evaluated: Evaluated) -> Holder:
    """The champion among the models: the one that somebody promoted; with other params, none."""
    entry = read_champions().get(dataset)
    if entry is None:
        return Holder(None)
    for name, one in evaluated.judged.items():
        if one.role == "trainer" and entry.is_(one, evaluated.columns, evaluated.threshold):
            return Holder(name, entry.override)
    return Holder(None, entry.override)


def champion_model(dataset: str) -> tuple[str, str | None]:
    """The model to predict with, and what to warn of.

    The champion; where it is not among the models, with a warning the best, unless it is rejected;
    where nobody promoted any, the best.

    Raises
    ------
    PipelineError
        When no model of the dataset is fit for use.
    """
    evaluated, verdict = _judged(dataset)
    held = holder(dataset, evaluated)
    if held.model:
        return held.model, None
    if held.override:
        raise PipelineError(
            f"{dataset}: the champion that a person chose is not among data/4_models (its params, "
            "features or threshold are others); name another by --model, or "
            f"`promote {dataset}` anew"
        )
    best, promoted = verdict.best, dataset in read_champions()
    title = "the champion is not among data/4_models" if promoted else f"{dataset} has no champion"
    if verdict.verdict == "accepted":
        return best, f"{title}: {best}, the best, is accepted, and predicts" if promoted else None
    if verdict.verdict == "undecided":
        return best, f"{title}: {best}, the best, is undecided: {verdict.reason}"
    raise PipelineError(
        f"{dataset}: {best}, the best of data/4_models, is rejected ({verdict.reason}), "
        "and the champion is not among them; name another by --model, or a run of MLflow"
    )


def promote(dataset: str, name: str | None = None) -> str:
    """Make the accepted model of a dataset its champion, or the one that a person names.

    Returns
    -------
    str
        What was done.

    Raises
    ------
    PipelineError
        When the verdict is not `accepted` and no model is named, or none of this name is judged.
    """
    evaluated, verdict = _judged(dataset)
    ours = [key for key, one in evaluated.judged.items() if one.role == "trainer"]
    if name is None and verdict.verdict != "accepted":
        raise PipelineError(
            f"{dataset}: {verdict.best} is {verdict.verdict}, not accepted: {verdict.reason}. "
            f"To override, name the model: `promote {dataset} {verdict.best}`"
        )
    chosen = name or verdict.best
    if chosen not in ours:
        raise PipelineError(
            f"{chosen!r} is not a trained model of {dataset}{nearest(chosen, ours)}; "
            f"{layout.PARAMS}: models has {', '.join(ours) or 'none'} of it"
        )
    agreed = (verdict.verdict, verdict.best) == ("accepted", chosen)
    override = None if agreed else f"the verdict: {verdict.best} {verdict.verdict}"
    best = evaluated.judged[chosen]
    other = {name: column for name, column in evaluated.columns.items() if column != PLAIN}
    entry = {
        "trainer": best.trainer,
        "params": best.params,
        "features": [*evaluated.columns],
        **({"kinds": dumped(other)} if other else {}),
        "threshold": evaluated.model_dump()["threshold"],
        **({"override": override} if override else {}),
        "trained_on": _trained_on(dataset, chosen, best).model_dump(exclude_defaults=True),
    }
    read_champions()  # refuses a broken file
    champions = read_json(layout.CHAMPION)
    if champions.get(dataset) == entry:
        return f"{chosen} is the champion already"
    write_json(layout.CHAMPION, champions | {dataset: entry})
    against = f", against {override}" if override else ""
    return f"{chosen} is the champion{against}; `dvc repro`, then commit"


def _judged(dataset: str) -> tuple[Evaluated, Verdict]:
    """What was found of a dataset; both files about the same."""
    verdicts = read_verdicts()
    if dataset not in verdicts:
        raise PipelineError(
            f"{layout.VERDICT} knows no dataset {dataset!r}{nearest(dataset, verdicts)}; it has "
            f"{', '.join(verdicts) or 'none'}"
        )
    verdict = verdicts[dataset]
    if verdict.evaluated_md5 != md5(layout.evaluated(dataset)):
        raise PipelineError(
            f"{layout.VERDICT} is about other scores than {layout.evaluated(dataset)}; run "
            "`dvc repro`"
        )
    evaluated = read_evaluated(dataset)
    if verdict.best not in evaluated.judged:
        raise damaged(layout.VERDICT, f"best: {verdict.best!r} is no model of {dataset}")
    return evaluated, verdict


def _trained_on(dataset: str, name: str, judged: Judged) -> TrainedOn:
    """What the rows are like that the judged model was trained on.

    Raises
    ------
    PipelineError
        When the rows or the models that lie there now are others.
    """
    table, settings = read_table(layout.ingested(dataset)), load_params().dataset(dataset)
    split = read_split(dataset, settings, table)
    train, path = layout.split_part(dataset, "train"), layout.model(dataset, name)
    model = read_model(path, judged.trainer, split.features, md5(train))
    if model.params != judged.params or digest(model.form) != judged.weights_sha256:
        raise PipelineError(
            f"{layout.evaluated(dataset)} judged another model than {path}; run `dvc repro`"
        )
    # later dates are no drift: of dates what is missing is compared, and nothing else
    ranges = {n: of for n, of in split.ranges().items() if in_range(split.encoding[n])}
    sketches = _sketches(split)
    if table[settings.target].type != pa.string():
        target = column_values(table[settings.target])[split.used[split.train]]
        ranges[settings.target], sketches[settings.target] = ends(target), sketched(target)
    gaps = {name: table[name].null_count / table.num_rows for name in split.encoding}
    return TrainedOn(
        rows=len(split.train),
        of=len(split.y),
        columns={name: Range(min=low, max=high) for name, (low, high) in ranges.items()},
        categories={n: known(one) for n, one in split.encoding.items() if not in_range(one)},
        sketches=sketches,
        counts=_counts(split),
        missing={name: share for name, share in gaps.items() if share},
    )


def _sketches(split: Split) -> dict[str, Sketch]:
    """How the training rows are distributed in each column of numbers."""
    columns = zip(split.encoding.items(), split.raw.values[split.train].T, strict=True)
    found = {name: values[~np.isnan(values)] for (name, one), values in columns if in_range(one)}
    return {name: sketched(values) for name, values in found.items() if len(values)}


def _counts(split: Split) -> dict[str, list[int]]:
    """How many training rows have each category of a column."""
    rows, found = split.raw.values[split.train], dict[str, list[int]]()
    for (name, one), words, values in zip(
        split.encoding.items(), split.raw.words, rows.T, strict=True
    ):
        if known(one):
            places = values[~np.isnan(values)].astype(np.intp)
            count = dict(
                zip(words, np.bincount(places, minlength=len(words)).tolist(), strict=True)
            )
            found[name] = [count.get(word, 0) for word in known(one)]
    return found
