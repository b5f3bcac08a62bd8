"""Many rows: the test rows alone judge, and no table is in memory.

The columns of the tables are read one at a time, the rows of the split a row group at a time; what
stays are some numbers of each row. Each model is fitted once, as `train` fitted it.
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion
from pipeline.core.artifacts.evaluated import Audit, Evaluated, Judged, Scheme, Scores
from pipeline.core.artifacts.models import Model
from pipeline.core.artifacts.splits import Parts, Scaling, refuse_unfit
from pipeline.core.columns import (
    Encoding,
    Learned,
    feature_names,
    kinds,
    learn,
    of_numbers,
    read_raw,
)
from pipeline.core.errors import PipelineError, PipelineWarning, naming
from pipeline.core.files import read_as
from pipeline.core.forms import digest
from pipeline.core.params import Params
from pipeline.core.preprocessing import fit_scaler, log_target, standardized
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import Goal
from pipeline.core.tables import Array, as_array, has_value, read_table, table_schema
from pipeline.core.target import target_values
from pipeline.core.trainers import TRAINERS, Value
from pipeline.evaluate import audits
from pipeline.evaluate.comparison import contrast
from pipeline.evaluate.cross_validation import INNER, OutOfFold, cross_validate, threshold_for
from pipeline.evaluate.curves import PlotData
from pipeline.evaluate.dataset import (
    about,
    free,
    of_audits,
    of_one_value,
    of_trainings,
    plots_of,
    separated,
)
from pipeline.evaluate.folds import folds
from pipeline.evaluate.judge import coefficients
from pipeline.evaluate.metrics import of_rows, predicted_labels
from pipeline.evaluate.scores import (
    Folds,
    compared_by,
    fold_scores,
    loss_of,
    rounded,
    test_scores,
)
from pipeline.solvers.blocks import one_blas_thread
from pipeline.solvers.fit import fit
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.rows import ParquetRows, over, some

Rows = NDArray[np.int64]
EXACT = 1e-9  # of sums over so many rows, taken in another order
OTHER_RUN = (
    "train.parquet, test.parquet, columns.json, scaler.json and rows.json do not belong together, "
    "or not to {}: they are of different runs; run `dvc repro`"
)


class Table:
    """The table of a dataset and what `split` made of it, a column at a time.

    Parameters
    ----------
    dataset : str
    settings : Dataset

    Attributes
    ----------
    encoding : dict
    features : list of str
    used, train, test : ndarray of int
        As in `Split`; train and test count the used rows.
    columns : list of str
        All of the ingested table.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or are of another table or run.
    """

    def __init__(self, dataset: str, settings: Dataset) -> None:
        self.dataset, self.settings = dataset, settings
        self.path = layout.ingested(dataset)
        self.columns: list[str] = table_schema(self.path).names
        self.encoding: Encoding = read_as(layout.columns(dataset), dict[str, Learned])
        self._scaler = read_as(layout.scaler(dataset), dict[str, Scaling])
        self.features = [*self._scaler]
        if not {*self.encoding, settings.target} <= {*self.columns}:
            raise PipelineError(f"{layout.columns(dataset)}: is of other columns; run `dvc repro`")
        if self.features != feature_names(self.encoding):
            raise PipelineError(
                f"{layout.scaler(dataset)}: is of other features than columns.json; run `dvc repro`"
            )
        self._parts = [layout.split_part(dataset, part) for part in ("train", "test")]
        for path in self._parts:
            if table_schema(path).names != [*self.features, settings.target]:
                raise PipelineError(f"{path}: has other columns than scaler.json; run `dvc repro`")
        parts = read_as(layout.split_rows(dataset), Parts)
        train, test = np.array(parts.train, np.int64), np.array(parts.test, np.int64)
        self.used = np.sort(np.concatenate([train, test]))
        self.train, self.test = (np.searchsorted(self.used, rows) for rows in (train, test))

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the ingested table, of all rows."""
        return read_table(self.path, [name])[name]

    @cached_property
    def y(self) -> Array:
        """The target of the used rows, shape (n_used,); of classes their places."""
        named = f"{self.path}: column {self.settings.target}"
        column = self.column(self.settings.target)
        if len(self.used) and self.used[-1] >= len(column):
            raise self._other_rows()
        y: Array = target_values(column, self.settings.evaluate.classes, named)[self.used]
        if np.isnan(y).any():
            raise self._other_rows()
        return y

    def audited(self) -> Iterator[Audit]:
        """What the columns show: equal rows, how features were scaled, what one feature tells.

        Raises
        ------
        PipelineError
            When the parts of the split are not what the table gives.
        """
        settings, y = self.settings, self.y
        whole = has_value(self.column(settings.target))
        mixed, taught, gap, told = _mixed(np.zeros(len(y), np.uint64), y), True, 0.0, list[float]()
        targets = [y[self.train]]
        targets += [log_target(targets[0])] if settings.logged else []
        for name, one in self.encoding.items():
            column = self.column(name)
            if settings.split.gaps == "leave_out":
                whole &= has_value(column)
            refuse_unfit(column, name, one, self.used, str(self.path))
            alone = pa.table({name: column})
            raw = read_raw(alone, {name: one}, str(self.path)).alone(self.used)
            del column, alone
            mixed = _mixed(mixed, raw.values[:, 0])
            taught &= learn(raw[self.train]) == {name: one}
            every = one.encode(raw.values[:, 0], raw.words[0])
            for feature, x in zip(one.features(name), every, strict=True):
                of_train = x[self.train]
                self._refuse_other(feature, of_train, x[self.test], self._scaler[feature])
                gap = max(gap, self._gap(feature, of_train))
                told.append(audits.tells(of_train, targets, settings))
        if not np.array_equal(self.used, np.flatnonzero(whole)):
            raise self._other_rows()
        self._refuse_other(settings.target, y[self.train], y[self.test])
        twins = int(np.isin(mixed[self.test], mixed[self.train]).sum())
        yield audits.identical(twins, len(self.test))
        yield audits.scaled(gap, EXACT) if taught else audits.unlearned()
        yield audits.giveaway(told, self.features, settings)

    def _gap(self, feature: str, of_train: Array) -> float:
        """How far mean and scale in use are from those of the training rows, in deviations."""
        used = self._scaler[feature]
        mean, scale = (float(one[0]) for one in fit_scaler(of_train[:, None]))
        return max(abs(used.mean - mean) / scale, abs(used.scale / scale - 1))

    def _refuse_other(
        self, name: str, of_train: Array, of_test: Array, by: Scaling | None = None
    ) -> None:
        """Compare a column of the parts with what the table gives, standardized or not."""
        for path, ours in zip(self._parts, (of_train, of_test), strict=True):
            if by is not None:
                ours = standardized(ours, np.array(by.mean), np.array(by.scale))
            if not np.array_equal(ours, as_array(read_table(path, [name])[name])):
                raise PipelineError(f"{path.parent}: {OTHER_RUN.format(self.path)}")

    def _other_rows(self) -> PipelineError:
        return PipelineError(
            f"{layout.split_rows(self.dataset)}: is of other rows; run `dvc repro`"
        )


def _mixed(state: NDArray[np.uint64], values: Array) -> NDArray[np.uint64]:
    """Stir one more value into the 64 bits that stand for each row; -0.0 is 0.0.

    A multiplication and a shift a step, as in splitmix64 (Steele, Lea and Flood 2014): of 10^7
    different rows two have equal bits with probability 3e-6.
    """
    state = (state ^ (values + 0.0).view(np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(31)
    state *= np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(29))


@dataclass(frozen=True)
class Given:
    """What there is to judge of a dataset of many rows.

    Attributes
    ----------
    dataset : str
    params : Params
    table : Table
    train, test : ParquetRows
        The parts of the split: standardized features, the target as it is.
    models, histories
        As in `dataset.Given`.
    champion : Champion or None
    """

    dataset: str
    params: Params
    table: Table
    train: ParquetRows
    test: ParquetRows
    models: Mapping[str, Model]
    histories: Mapping[str, Array]
    champion: Champion | None


def judge_by_test_rows(given: Given) -> tuple[Evaluated, dict[str, PlotData]]:
    """Judge every model of a dataset on its test rows, and give the data of the plots.

    Raises
    ------
    PipelineError
        When a training fails, a score is not finite, or files do not belong together.
    """
    settings, table = given.params.dataset(given.dataset), given.table
    own = {n: m for n, m in given.models.items() if TRAINERS[m.trainer].role == "trainer"}
    by_columns = [*table.audited()]
    y = table.y[table.test]
    values = predictions(given.models, given.test)
    losses, right = _on_training_rows(given, free(own))
    scheme = Scheme(
        leave_one_out=False,
        folds=0,
        repeats=0,
        seed=given.params.cross_validation.seed,
        rows=len(table.used),
    )
    judge = _Judge(given, settings, scheme, y)
    judged, units = dict[str, Judged](), dict[str, Array]()
    for name, model in given.models.items():
        with naming(name):
            judged[name], units[name] = judge.model(model, values[name], losses[name])
    champion = judge.held_by(judged, units)
    train, test = (_sampled(rows, most) for rows, most in _looked_at(given))
    every = (*(np.concatenate(one) for one in zip(train, test, strict=True)),)
    audited = [
        by_columns[0],
        audits.near_duplicates(train[0], test[0]),
        *by_columns[1:],
        audits.shuffled_labels(of_numbers(table.features, every[0]), every[1], settings, own),
    ]
    metric, confidence = settings.evaluate.metric, given.params.intervals.confidence
    evaluated = Evaluated(
        **about(settings),
        confidence=confidence,
        scheme=scheme,
        train_rows=given.train.n_rows,
        test_rows=given.test.n_rows,
        columns=kinds(table.encoding),
        judged=judged,
        champion=champion,
        comparisons=[
            contrast({a: units[a], b: units[b]}, metric, scheme, confidence)
            for a, b in combinations(judged, 2)
        ],
        audits=audited,
        warnings=[
            *of_audits(given.dataset, audited),
            *of_one_value(given.dataset, settings, y),
            *separated(given.dataset, right, given.train.n_rows),
            *of_trainings(given.dataset, given.models, given.histories),
        ],
    )
    return evaluated, plots_of(values, y, settings, given.histories, evaluated)


def _looked_at(given: Given) -> Iterator[tuple[ParquetRows, int]]:
    yield given.train, audits.MOST_NEAR
    yield given.test, audits.MOST_TESTED


def _sampled(rows: ParquetRows, most: int) -> tuple[Array, Array]:
    found = some(rows, most)
    return np.concatenate([one.X for one in found]), np.concatenate([one.y for one in found])


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")  # judged where scores are rounded
def predictions(models: Mapping[str, Model], rows: ParquetRows) -> dict[str, Array]:
    """What models say of rows, a row group at a time.

    Returns
    -------
    dict
        By name of the model, of shape (n_rows,) or (n_rows, n_classes).
    """

    def of(part: slice) -> dict[str, Array]:
        block = rows.read(part)
        return {name: model.predict(block.X) for name, model in models.items()}

    found = [*over(rows, of)]
    return {name: np.concatenate([one[name] for one in found]) for name in models}


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")
def _on_training_rows(
    given: Given, unbounded: Mapping[str, Model]
) -> tuple[dict[str, float], list[str]]:
    """The loss of each model on the training rows, and which of some are right in all of them."""
    settings, rows = given.params.dataset(given.dataset), given.train
    loss, classes = loss_of(settings), settings.task == "classification"

    def of(part: slice) -> dict[str, tuple[float, bool]]:
        block = rows.read(part)
        found = {}
        for name, model in given.models.items():
            z = model.predict(block.X)
            right = classes and name in unbounded
            right = right and bool((predicted_labels(z, 0.5) == block.y).all())
            found[name] = float(of_rows(loss, block.y, z, None).sum()), right
        return found

    parts = [*over(rows, of)]
    losses = {n: sum(part[n][0] for part in parts) / rows.n_rows for n in given.models}
    return losses, [n for n in unbounded if all(part[n][1] for part in parts)]


class _Judge:
    """Judges models on the test rows, whose target is `y`."""

    def __init__(self, given: Given, settings: Dataset, scheme: Scheme, y: Array) -> None:
        self.given, self.settings, self.scheme, self.y = given, settings, scheme, y

    def model(self, model: Model, z: Array, loss: float) -> tuple[Judged, Array]:
        """A trained model, what it says of the test rows, and its loss on the training rows."""
        given, settings = self.given, self.settings
        wanted = settings.evaluate.threshold
        if wanted is not None and TRAINERS[model.trainer].role == "baseline":
            wanted = 0.5  # the larger class, whatever recall is wanted
        threshold = self._threshold(wanted, model.trainer, model.params)
        by_fold, scores, units = self._judged(z, threshold)
        judged = Judged(
            role=TRAINERS[model.trainer].role,
            trainer=model.trainer,
            params=model.params,
            ending=model.ending,
            weights_sha256=digest(model.form),
            threshold=threshold,
            scores={f"train_{loss_of(settings)}": rounded(loss)} | scores,
            folds=by_fold,
            coefficients=coefficients(
                model,
                given.table.features,
                np.ones(len(given.table.features)),
                [],
                given.train.n_rows,
                given.params.intervals.confidence,
                settings.evaluate.classes or [],
            ),
        )
        return judged, units

    def held_by(self, judged: dict[str, Judged], units: dict[str, Array]) -> str | None:
        """Judge the champion; the name by which it is judged, a model's where it is that model."""
        champion, given = self.given.champion, self.given
        if champion is None:
            return None
        for name, model in given.models.items():
            if champion.is_(model, given.table.encoding, self.settings.evaluate.threshold):
                return name
        try:
            held = self._trained(champion)
        except PipelineError as error:
            raise PipelineError(f"{layout.CHAMPION}: {given.dataset}: {error}") from None
        by_fold, scores, units["champion"] = self._judged(held.z, held.threshold)
        judged["champion"] = Judged(
            role="champion",
            trainer=champion.trainer,
            params=champion.params,
            threshold=None,
            scores=scores,
            folds=by_fold,
            coefficients=[],
        )
        return "champion"

    def _judged(self, z: Array, threshold: float | None) -> tuple[Folds, Scores, Array]:
        held = [OutOfFold(np.arange(len(z)), z, np.empty(0), threshold)]
        by_fold = fold_scores(held, self.y, self.settings)
        units = compared_by(by_fold, held, self.y, self.scheme, self.settings)
        scores = test_scores(z, self.y, self.settings, threshold, self.given.params.intervals)
        return by_fold, {name: rounded(value) for name, value in scores.items()}, units

    def _trained(self, champion: Champion) -> OutOfFold:
        """The champion, trained anew: of other columns than the models' with all in memory."""
        given, table = self.given, self.given.table
        if champion.columns != kinds(table.encoding):
            where = f"{layout.CHAMPION}: {given.dataset}"
            whole = read_table(table.path, champion.features)
            raw = read_raw(whole, champion.columns, where).alone(table.used)
            classes, cuts = self.settings.evaluate.classes or [], [(table.train, table.test)]
            named = champion.trainer, champion.params
            return cross_validate(*named, raw, table.y, cuts, champion.threshold, classes)[0]
        threshold = self._threshold(champion.threshold, champion.trainer, champion.params)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)  # it has been said when it was trained
            model, _ = fit(champion.trainer, champion.params, given.train)
        z = predictions({"champion": model}, given.test)["champion"]
        return OutOfFold(np.arange(len(z)), z, np.empty(0), threshold)

    def _threshold(
        self, wanted: float | Goal | None, trainer: str, params: Mapping[str, Value]
    ) -> float | None:
        """As `cross_validation.choose_threshold`, on one fold: a fifth of the training rows."""
        if not isinstance(wanted, Goal):
            return wanted
        table, rows = self.given.table, self.given.train
        y, label = table.y[table.train], (self.settings.evaluate.classes or []).index(wanted.recall)
        _, out = folds(y, "classification", INNER, "threshold")[0]
        kept = np.ones(len(y), bool)
        kept[out] = False
        with naming(f"threshold of {trainer}"), warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)
            model, _ = fit(trainer, params, rows.part(kept))
        z = predictions({trainer: model}, rows.part(~kept))[trainer]
        return threshold_for(sigmoid(z), y[out], label, wanted.at_least)
