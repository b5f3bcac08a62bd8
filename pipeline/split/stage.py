"""Cut into training and test rows, and standardize.

Categories and dates become features, and missing values are filled. What fills them, which
categories get a feature of their own, mean and scale are learned from the training rows alone.
test_size: 0 trains on every row, features: {random: 20} keeps 20 columns. Warns of constant and of
collinear features, and of those that together give the target away.

Reads data/1_ingested/DATASET.parquet and the report of validate.
Writes train.parquet, test.parquet, columns.json, scaler.json and rows.json to data/3_split/DATASET,
and data/4_models/DATASET/warnings.json.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.validated import Validated
from pipeline.core.columns import (
    Column,
    Encoding,
    Raw,
    category,
    date,
    dumped,
    encode,
    feature_names,
    learn,
    number,
    read_raw,
)
from pipeline.core.errors import SHOWN, PipelineError, PipelineWarning, naming
from pipeline.core.files import md5, read_as, write_json
from pipeline.core.oddities import Kind, Oddity, heard, hushed
from pipeline.core.params import load_params
from pipeline.core.preprocessing import (
    columns_to_doubt,
    draw_features,
    fit_scaler,
    gives_away_together,
    log_target,
)
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.split import ColumnKind, DateParts, Order, is_date
from pipeline.core.tables import Array, column_values, number_table, read_table, write_table
from pipeline.core.target import target_values
from pipeline.core.text import EXACT, nearest
from pipeline.split.sides import sides

TINY = 1e-153  # a spread of which the square loses digits
TINY_TARGET = 1e-75  # and of which the fourth power does: intervals take squares of squared errors


def split(dataset: str) -> None:
    """Run the stage.

    The target keeps its units and stands last. columns.json says how features are made of the
    columns, scaler.json has mean and scale of each feature, rows.json says which ingested row went
    where, warnings.json what the training rows were warned of.

    Raises
    ------
    PipelineError
        For a table that was not validated, text that is no category, and training rows that no
        trainer could learn from.
    """
    params = load_params()
    settings = params.dataset(dataset)
    where = f"{layout.PARAMS}: datasets.{dataset}"
    muted = _muted_unless_unvalidated(dataset)
    table = read_table(layout.ingested(dataset))
    kinds = _kinds(table, settings, params.seed, where)
    raw, y = _raw(table, kinds, settings, where)
    rows, found = _whole(raw, y, settings, where)
    raw, y = raw.alone(rows), y[rows]
    train, test = sides(table, rows, y, settings, params.seed, where)
    found += _refuse_unfit(y[train], settings, where)
    encoding = _learned(raw[train], where)
    names, X = feature_names(encoding), encode(raw, encoding)
    mean, scale, Z = _standardized(names, X, train, where)
    Z_train = Z[train]
    found += _doubted_columns(names, Z_train, where)
    if settings.task == "regression":
        found += _together(names, Z_train, _targets(y, train, settings, where), settings, where)
    told = heard(found, muted)
    for text in told:
        warnings.warn(text, PipelineWarning, stacklevel=2)
    for part, of_part, target in (("train", Z_train, y[train]), ("test", Z[test], y[test])):
        table = number_table([*names, settings.target], [*of_part.T, target])
        write_table(layout.split_part(dataset, part), table)
    write_json(layout.columns(dataset), dumped(encoding))
    learned = zip(names, mean.tolist(), scale.tolist(), strict=True)
    write_json(layout.scaler(dataset), {n: {"mean": m, "scale": s} for n, m, s in learned})
    parts = {"train": rows[train].tolist(), "test": rows[test].tolist()}
    write_json(layout.split_rows(dataset), parts)
    write_json(layout.split_warnings(dataset), [*told, *hushed(found, muted, dataset)])


def _muted_unless_unvalidated(dataset: str) -> list[Kind]:
    """Which warnings are muted; refuses a table other than the one that `validate` has seen."""
    report, table = layout.validated(dataset), layout.ingested(dataset)
    validated = read_as(report, Validated)
    if validated.data_md5 != md5(table):
        raise PipelineError(f"{report} is about other data than {table}; run `dvc repro`")
    return validated.muted


def _kinds(table: pa.Table, settings: Dataset, seed: int, where: str) -> Encoding:
    """What each column is that features are made of, in the order of the table.

    Raises
    ------
    PipelineError
        For a column that is missing, and where none is left.
    """
    declared, rare = settings.split.columns, settings.split.rare
    others = [name for name in table.column_names if name != settings.target]
    if len(others) == table.num_columns:
        hint = nearest(settings.target, others)
        raise PipelineError(f"{where}.target: there is no column {settings.target}{hint}")
    named = [*settings.split.parting.items(), *(("columns", name) for name in declared)]
    for key, name in named:
        if name not in others:
            hint = " (it is the target)" if name == settings.target else nearest(name, others)
            what = "feature" if key == "columns" else "column"
            raise PipelineError(f"{where}.split.{key}: there is no {what} {name}{hint}")
    names = [name for name in others if name not in settings.split.left_out]
    if not names:
        why = ": split leaves all others out" if others else ""
        raise PipelineError(f"{where}: has no feature, only its target {settings.target}{why}")
    if settings.split.features != "all":
        wanted = settings.split.features.random
        if wanted > len(names):
            raise PipelineError(
                f"{where}.split.features.random: there are {len(names)} features, got {wanted}"
            )
        names = [names[k] for k in draw_features(len(names), wanted, seed)]
    return {name: _kind(declared.get(name, "number"), table[name], rare) for name in names}


def _kind(declared: ColumnKind | Order | DateParts, column: pa.ChunkedArray, rare: int) -> Column:
    if isinstance(declared, Order):
        return number(declared.order, rare)
    if is_date(declared):
        return date(declared.date if isinstance(declared, DateParts) else (), rare)
    text = pa.types.is_string(column.type)
    return category(rare, numbers=not text) if declared == "category" else number(least=rare)


def _raw(table: pa.Table, kinds: Encoding, settings: Dataset, where: str) -> tuple[Raw, Array]:
    """The columns that features are made of, and the target, shape (n_rows,).

    Raises
    ------
    PipelineError
        For text that is no category, what is no date, and integers that no float holds.
    """
    for name in (*kinds, settings.target):
        column = table[name]
        if column.type == pa.int64() and np.abs(column_values(column)).max(initial=0) >= EXACT:
            raise PipelineError(f"{where}: column {name} has integers beyond 2^53; rescale it")
    target = f"{where}.target: {settings.target}"
    y = target_values(table[settings.target], settings.evaluate.classes, target)
    return read_raw(table, kinds, where), y


def _whole(
    raw: Raw, y: Array, settings: Dataset, where: str
) -> tuple[NDArray[np.intp], list[Oddity]]:
    """The rows that can be used, and what to warn of the others.

    Rows without a target teach nothing, and say nothing of a model.
    """
    known, found = ~np.isnan(y), list[Oddity]()
    if not known.all():
        gone = len(y) - int(known.sum())
        some = f"{gone} row{'s' * (gone != 1)}"
        text = f"{where}.target: {settings.target} is missing in {some}: left out"
        found.append(Oddity("left_out", text))
    if settings.split.gaps == "leave_out":
        whole = known & ~np.isnan(raw.values).any(axis=1)
        gone = int(known.sum() - whole.sum())
        if gone:
            text = f"{where}.split.gaps: {gone} rows with missing values are left out"
            found.append(Oddity("left_out", text))
        known = whole
    if not known.any():
        raise PipelineError(f"{where}: no row has all its values; see split.gaps and the target")
    return np.flatnonzero(known), found


def _learned(raw: Raw, where: str) -> dict[str, Column]:
    """What the training rows teach of each column.

    Raises
    ------
    PipelineError
        When a column has no value there, or two features have one name.
    """
    empty = np.asarray(np.isnan(raw.values).all(axis=0))
    if len(raw) and empty.any():
        names = ", ".join(name for name, none in zip(raw.columns, empty, strict=True) if none)
        raise PipelineError(
            f"{where}: column {names} has no value in the training rows; leave it out: "
            "split.columns: {NAME: drop}"
        )
    encoding = learn(raw)
    features = feature_names(encoding)
    twice = sorted(name for name, count in Counter(features).items() if count > 1)
    if twice:
        raise PipelineError(f"{where}: two features are called {twice[0]!r}; rename a column")
    return encoding


def _standardized(
    names: list[str], X: Array, train: NDArray[np.int64], where: str
) -> tuple[Array, Array, Array]:
    """Z = (X - mean) / scale of all rows, with mean and scale of the training rows.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
    Z : ndarray of shape (n_rows, n_features)

    Raises
    ------
    PipelineError
        For the first column whose values are too large or too close to each other for floats.
    """
    X_train = X[train]
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = fit_scaler(X_train)
        Z = X - mean
        Z /= scale
        width = np.ptp(X_train, axis=0)
    finite = np.isfinite(scale) & np.isfinite(Z).all(axis=0)
    tiny = (scale < TINY) | ((scale == 1) & (width > 0) & (width < TINY))
    for name, fits, varies_little in zip(names, finite, tiny, strict=True):
        if not fits:
            raise PipelineError(f"{where}: column {name} is too large to standardize; rescale it")
        if varies_little:
            raise PipelineError(f"{where}: column {name} varies by less than {TINY}; rescale it")
    return mean, scale, Z


def _doubted_columns(names: list[str], Z: Array, where: str) -> Iterator[Oddity]:
    """Warnings of columns that leave a linear model undetermined over the training rows.

    Parameters
    ----------
    names : list of str
    Z : ndarray of shape (n_train, n_features)
        Standardized.
    where : str
        The dataset's block of params.yaml, to name in messages.
    """
    constant, dependent, condition = columns_to_doubt(Z)
    if constant:
        shown = ", ".join(names[k] for k in constant[:SHOWN])
        text = f"constant over the training rows: {shown}; nothing is learned from it"
        yield Oddity("constant", f"{where}: {text}")
    if len(Z) <= len(names):
        yield Oddity(
            "few_rows",
            f"{where}: {len(Z)} training rows do not determine {len(names)} features and an "
            "intercept: of many solutions that fit, one is taken",
        )
    elif dependent:
        shown = ", ".join(names[k] for k in dependent[:SHOWN])
        yield Oddity(
            "collinear",
            f"{where}: columns {shown} depend on each other over the training rows (condition "
            f"number {condition:.1e}): their weights are not determined; remove one",
        )


def _targets(y: Array, train: NDArray[np.int64], settings: Dataset, where: str) -> list[Array]:
    """What columns may give away: the training rows' target; its logarithm, where that is learned.

    Raises
    ------
    PipelineError
        When the target of any row has none.
    """
    if not settings.logged:
        return [y[train]]
    with naming(f"{where}.target: {settings.target}"):
        return [y[train], log_target(y)[train]]


def _together(
    names: list[str], Z: Array, targets: Sequence[Array], settings: Dataset, where: str
) -> Iterator[Oddity]:
    """The warning that some columns give the target away, of which none does alone.

    Of regressions only: classes that several columns tell apart are common in honest data.
    """
    found = next(filter(None, (gives_away_together(Z, y) for y in targets)), None)
    if found is None:
        return
    (columns, together, alone), target = found, settings.target
    shown = ", ".join(names[k] for k in columns[:SHOWN])
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    yield Oddity(
        "together",
        f"{where}: columns {shown}{more} together give the target {target} away: least squares on "
        f"them foretells rows left out with R2 {together:.6f}, each alone at most {alone:.4f}; "
        f"remove what {target} is computed from, or what is computed from it",
    )


def _refuse_unfit(y: Array, settings: Dataset, where: str) -> list[Oddity]:
    """Refuse targets of training rows that no trainer could learn from.

    Parameters
    ----------
    y : ndarray of shape (n_train,)
    settings : Dataset
    where : str
        The dataset's block of params.yaml, to name in messages.

    Returns
    -------
    list of Oddity
        What to warn of where they are taken.
    """
    if not len(y):
        lower = f"test_size: {settings.split.test_size:g} leaves no row for training; lower it"
        none = f"column: {settings.split.column} says train in no row"
        raise PipelineError(f"{where}.split.{lower if settings.split.column is None else none}")
    if len(y) == 1:
        raise PipelineError(f"{where}: 1 training row; a line needs 2: add rows")
    if settings.task == "regression":
        if 0 < np.ptp(y) < TINY_TARGET:
            raise PipelineError(
                f"{where}.target: {settings.target} varies by less than {TINY_TARGET}: squared "
                "errors would lose their digits; rescale it"
            )
        if (y == y[0]).all():
            text = f"{settings.target} is {y[0]:g} in all {len(y)} training rows"
            return [Oddity("one_value", f"{where}.target: {text}")]
        return []
    _refuse_unfit_labels(y, settings.evaluate.classes or [], where)
    return []


def _refuse_unfit_labels(y: Array, classes: Sequence[str], where: str) -> None:
    """Refuse labels that are no places among the classes, and a class that no training row has."""
    labels = sorted(set(y.tolist()))
    if not set(labels) <= {*range(len(classes))}:
        known = "0 and 1" if len(classes) == 2 else f"0 to {len(classes) - 1}"
        raise PipelineError(
            f"{where}.target: expected labels {known}, or the names of evaluate.classes, got "
            f"{', '.join(f'{label:g}' for label in labels[:5])}"
        )
    if len(labels) == 1:
        raise PipelineError(
            f"{where}: all {len(y)} training rows have label {labels[0]:g}; two classes are needed"
        )
    if absent := [name for k, name in enumerate(classes) if k not in labels]:
        raise PipelineError(
            f"{where}: none of the {len(y)} training rows is of class {', '.join(absent[:SHOWN])}; "
            "add rows of it, or take it out of evaluate.classes, and its rows out of the file"
        )
