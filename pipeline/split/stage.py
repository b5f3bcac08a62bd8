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
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.splits import write_parts
from pipeline.core.artifacts.validated import Validated
from pipeline.core.columns import Column, Encoding, category, date, dumped, number
from pipeline.core.errors import SHOWN, PipelineError, PipelineWarning, naming
from pipeline.core.files import atomic_write, md5, read_as, write_json
from pipeline.core.oddities import Kind, Oddity, heard, hushed
from pipeline.core.params import load_params
from pipeline.core.passes import engine
from pipeline.core.preprocessing import (
    ENOUGH,
    dependent_columns,
    draw_features,
    gives_away_together,
    log_target,
    thinned,
)
from pipeline.core.settings.dataset import DRAWN, Dataset
from pipeline.core.settings.split import ColumnKind, DateParts, Order, is_date
from pipeline.core.tables import Array, group_rows, read_table, table_schema, writer
from pipeline.core.target import target_values
from pipeline.core.text import nearest
from pipeline.split.learn import Encoded, Parts, Scaling
from pipeline.split.look import Table, look, refuse_inexact
from pipeline.split.shuffled import Rows, Shuffled
from pipeline.split.sides import hashed, sides

TINY_TARGET = 1e-75  # a spread of which the fourth power loses digits: intervals take those


def split(dataset: str) -> None:
    """Run the stage.

    The target keeps its units and stands last. columns.json says how features are made of the
    columns, scaler.json has mean and scale of each feature, rows.json says which ingested row went
    where, warnings.json what the training rows were warned of.

    Rows pass through a row group at a time: shuffled by a file (`split.shuffled`), learned from and
    written by the blocks of it. What is in memory of all rows is their target and their numbers.

    Raises
    ------
    PipelineError
        For a table that was not validated, text that is no category, and training rows that no
        trainer could learn from.
    """
    params = load_params()
    settings = params.dataset(dataset)
    where, path = f"{layout.PARAMS}: datasets.{dataset}", layout.ingested(dataset)
    muted = _muted_unless_unvalidated(dataset)
    kinds = _kinds(table_schema(path), settings, params.seed, where)
    y = _target(dataset, settings, where)
    with engine(params.engine, params.ray_address):
        table = look(path, kinds, ~np.isnan(y), settings.split.gaps == "leave_out", where)
        rows, found = _used(table.whole, y, settings, where)
        train, test = _sides(path, rows, y[rows], settings, params.seed, where)
        found += [
            *_hashed(len(rows), settings, where),
            *_refuse_unfit(y[rows[train]], settings, where),
        ]
        picked, orders = thinned(len(train), ENOUGH), (rows[train], rows[test])
        targets = _targets(y[rows], train[picked], settings, where)
        with _shuffled(table, orders) as shuffled:
            parts = Parts(table, y, shuffled)
            parts.fill()
            encoded = Encoded(parts, parts.learned(), settings.target)
            scaling = encoded.scaling()
            gram, Z = _write(dataset, "train", encoded, scaling, picked)
            _write(dataset, "test", encoded, scaling, picked[:0])
    found += _doubted_columns(encoded.names, scaling.constant, gram, len(train), where)
    if settings.task == "regression":
        found += _together(encoded.names, Z, targets, settings, where)
    told = heard(found, muted)
    for text in told:
        warnings.warn(text, PipelineWarning, stacklevel=2)
    write_json(layout.columns(dataset), dumped(encoded.encoding))
    learned = zip(encoded.names, scaling.mean.tolist(), scaling.scale.tolist(), strict=True)
    write_json(layout.scaler(dataset), {n: {"mean": m, "scale": s} for n, m, s in learned})
    write_parts(dataset, *orders)
    write_json(layout.split_warnings(dataset), [*told, *hushed(found, muted, dataset)])


def _shuffled(table: Table, orders: tuple[Rows, Rows]) -> Shuffled:
    """Room for the rows in their new order: a block becomes a row group."""
    size = group_rows(table.most + 1)
    folder = layout.split("").parent
    return Shuffled(folder, orders, len(table.whole), len(table.columns), size)


def _write(
    dataset: str, part: str, encoded: Encoded, scaling: Scaling, picked: NDArray[np.intp]
) -> tuple[Array, Array]:
    """Write the standardized rows of a part, a block a row group.

    Returns
    -------
    gram : ndarray of shape (n_varying, n_varying)
        Z'Z of the columns that are not constant.
    Z : ndarray of shape (n_picked, n_features)
        Some of the rows.
    """
    names = [*encoded.names, encoded.target]
    schema = pa.schema([(name, pa.float64()) for name in names])
    total, some = None, list[Array]()
    with atomic_write(layout.split_part(dataset, part)) as path, writer(path, schema) as file:
        for block in encoded.standardized(scaling, part, picked):
            file.write_table(block.table)
            some.append(block.Z)
            total = block.gram if total is None else total + block.gram
        if total is None:
            file.write_table(schema.empty_table())
            return np.empty((0, 0)), np.empty((0, len(encoded.names)))
    return total, np.concatenate(some)


def _muted_unless_unvalidated(dataset: str) -> list[Kind]:
    """Which warnings are muted; refuses a table other than the one that `validate` has seen."""
    report, table = layout.validated(dataset), layout.ingested(dataset)
    validated = read_as(report, Validated)
    if validated.data_md5 != md5(table):
        raise PipelineError(f"{report} is about other data than {table}; run `dvc repro`")
    return validated.muted


def _kinds(schema: pa.Schema, settings: Dataset, seed: int, where: str) -> Encoding:
    """What each column is that features are made of, in the order of the table.

    Raises
    ------
    PipelineError
        For a column that is missing, and where none is left.
    """
    declared, rare = settings.split.columns, settings.split.rare
    others = [name for name in schema.names if name != settings.target]
    if len(others) == len(schema.names):
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
    types = {name: schema.field(name).type for name in names}
    return {name: _kind(declared.get(name, "number"), types[name], rare) for name in names}


def _kind(declared: ColumnKind | Order | DateParts, kind: pa.DataType, rare: int) -> Column:
    if isinstance(declared, Order):
        return number(declared.order, rare)
    if is_date(declared):
        return date(declared.date if isinstance(declared, DateParts) else (), rare)
    text = pa.types.is_string(kind)
    return category(rare, numbers=not text) if declared == "category" else number(least=rare)


def _target(dataset: str, settings: Dataset, where: str) -> Array:
    """The target, shape (n_rows,); nan where it is missing.

    Raises
    ------
    PipelineError
        For labels that are none, and integers that no float holds.
    """
    table = read_table(layout.ingested(dataset), [settings.target])
    refuse_inexact(table, where)
    name = f"{where}.target: {settings.target}"
    return target_values(table[settings.target], settings.evaluate.classes, name)


def _used(
    whole: NDArray[np.bool_], y: Array, settings: Dataset, where: str
) -> tuple[Rows, list[Oddity]]:
    """The numbers of the rows that can be used, and what to warn of the others.

    Rows without a target teach nothing, and say nothing of a model.
    """
    known, found = ~np.isnan(y), list[Oddity]()
    if not known.all():
        gone = len(y) - int(known.sum())
        some = f"{gone} row{'s' * (gone != 1)}"
        text = f"{where}.target: {settings.target} is missing in {some}: left out"
        found.append(Oddity("left_out", text))
    if gone := int(known.sum() - whole.sum()):
        text = f"{where}.split.gaps: {gone} rows with missing values are left out"
        found.append(Oddity("left_out", text))
    if not whole.any():
        raise PipelineError(f"{where}: no row has all its values; see split.gaps and the target")
    return np.flatnonzero(whole), found


def _sides(
    path: Path, used: Rows, y: Array, settings: Dataset, seed: int, where: str
) -> tuple[Rows, Rows]:
    """Which of the used rows train, and which test; no column is read that does not tell it."""
    if settings.cut(len(used)) == "hash":
        return hashed(path, used, settings.split, seed, where)
    told = read_table(path, [*settings.split.parting.values()])
    return sides(told, used, y, settings, seed, where)


def _hashed(n_rows: int, settings: Dataset, where: str) -> Iterator[Oddity]:
    """That so many rows are not drawn, as would be usual, or was declared."""
    if settings.cut(n_rows) == "hash" != settings.split.by:
        text = (
            f"{where}.split: of more than {DRAWN} rows none is drawn: each of {n_rows} is parted "
            "by a hash of what it holds; say by: hash, with a key if a column tells rows apart"
        )
        yield Oddity("hashed", text)


def _doubted_columns(
    names: list[str], constant: NDArray[np.bool_], gram: Array, n_train: int, where: str
) -> Iterator[Oddity]:
    """Warnings of columns that leave a linear model undetermined over the training rows.

    Parameters
    ----------
    names : list of str
    constant : ndarray of bool of shape (n_features,)
    gram : ndarray of shape (n_varying, n_varying)
        Z'Z of the standardized training rows' other columns.
    n_train : int
        How many rows these are.
    where : str
        The dataset's block of params.yaml, to name in messages.
    """
    dependent, condition = dependent_columns(gram)
    if constant.any():
        shown = ", ".join(names[k] for k in np.flatnonzero(constant)[:SHOWN])
        text = f"constant over the training rows: {shown}; nothing is learned from it"
        yield Oddity("constant", f"{where}: {text}")
    if n_train <= len(names):
        yield Oddity(
            "few_rows",
            f"{where}: {n_train} training rows do not determine {len(names)} features and an "
            "intercept: of many solutions that fit, one is taken",
        )
    elif dependent:
        varying = np.flatnonzero(~constant)
        shown = ", ".join(names[varying[k]] for k in dependent[:SHOWN])
        yield Oddity(
            "collinear",
            f"{where}: columns {shown} depend on each other over the training rows (condition "
            f"number {condition:.1e}): their weights are not determined; remove one",
        )


def _targets(y: Array, picked: Rows, settings: Dataset, where: str) -> list[Array]:
    """What columns may give away: some rows' target; its logarithm, where that is learned.

    Raises
    ------
    PipelineError
        When the target of any row has none.
    """
    if not settings.logged:
        return [y[picked]]
    with naming(f"{where}.target: {settings.target}"):
        return [y[picked], log_target(y)[picked]]


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
