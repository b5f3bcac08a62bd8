"""A table and what `split` made of it: which rows train, and what features they have."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.columns import (
    Column,
    DateColumn,
    Encoding,
    Learned,
    Raw,
    encode,
    ends,
    feature_names,
    in_range,
    read_raw,
)
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write, read_as
from pipeline.core.kept import Kept, kept_together
from pipeline.core.settings.block import Settings
from pipeline.core.settings.dataset import Dataset
from pipeline.core.tables import ROW_GROUP, Array, as_arrays, has_value, read_table
from pipeline.core.target import target_values

# rows.json with rows on both sides; no number has more digits than an int64 holds
NUMBERS = rb"\[((?:\s++\d{1,18}+,)*+\s++\d{1,18}+)\s++\]"
AS_WRITTEN = re.compile(
    rb"\{\s++\"train\": " + NUMBERS + rb",\s++\"test\": " + NUMBERS + rb"\s++\}\s++"
)


class Scaling(Settings):
    """A feature's entry in scaler.json."""

    mean: float
    scale: float


class Parts(Settings):
    """rows.json."""

    train: list[int]
    test: list[int]


def write_parts(dataset: str, train: NDArray[np.int64], test: NDArray[np.int64]) -> None:
    """Write rows.json, as `write_json` would, without a text of all of it in memory.

    Parameters
    ----------
    dataset : str
    train, test : ndarray of int
        Numbers of rows of the ingested table.

    Raises
    ------
    PipelineError
        When the disk refuses.
    """
    with (
        atomic_write(layout.split_rows(dataset)) as path,
        path.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write("{\n")
        for name, rows, behind in (("train", train, ","), ("test", test, "")):
            file.write(f'  "{name}": [')
            for start in range(0, len(rows), ROW_GROUP):
                numbers = map(str, rows[start : start + ROW_GROUP].tolist())
                file.write(("," if start else "") + "\n    " + ",\n    ".join(numbers))
            file.write(("\n  ]" if len(rows) else "]") + behind + "\n")
        file.write("}\n")


def read_parts(dataset: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Read rows.json, as `write_parts` writes it without an object for each number.

    Returns
    -------
    train, test : ndarray of int
        Numbers of rows of the ingested table.

    Raises
    ------
    PipelineError
        When the file is missing or damaged.
    """
    path = layout.split_rows(dataset)
    refuse_altered(path)
    with suppress(OSError):  # read_as tells what is wrong
        if found := AS_WRITTEN.fullmatch(path.read_bytes()):
            train, test = (np.fromstring(one, dtype=np.int64, sep=",") for one in found.groups())
            return train, test
    parts = read_as(path, Parts)
    return np.array(parts.train, np.int64), np.array(parts.test, np.int64)


def places(rows: NDArray[np.int64], used: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where some of the used rows stand among them.

    Parameters
    ----------
    rows, used : ndarray of int
        Numbers of rows of the ingested table; those of `used` rise.
    """
    all_used = len(used) > 0 and used[-1] == len(used) - 1
    return rows if all_used else np.searchsorted(used, rows)  # a second a million rows


@dataclass(frozen=True)
class Split:
    """The rows of a dataset that are used, in its own units, and what became of them.

    Attributes
    ----------
    used : ndarray of int
        Their numbers in the ingested table: those that have a target, and no gaps where these are
        left out.
    raw : Raw
        The columns that features are made of.
    encoding : dict
        By name what the training rows taught of a column.
    features : list of str
        What the models use: plain numbers by the name of their column.
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
        The target; of classes their places.
    train, test : ndarray of int
        Which of the rows trained, and which did not.
    mean, scale : ndarray of shape (n_features,)
        By which the models' features are standardized.
    kept : Kept or None
        What the rows belong to, where split.group or split.time says it.
    """

    used: NDArray[np.int64]
    raw: Raw
    encoding: Encoding
    features: Sequence[str]
    X: Array
    y: Array
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    mean: Array
    scale: Array
    kept: Kept | None

    def ranges(self) -> dict[str, tuple[float, float]]:
        """The smallest and the largest value of each column of numbers or dates, of training rows.

        Of dates in days since 1970-01-01.
        """
        columns = zip(self.encoding.items(), self.raw.values[self.train].T, strict=True)
        return {
            name: ends(values)
            for (name, one), values in columns
            if in_range(one) or isinstance(one, DateColumn)
        }

    def part(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """Some rows as the models see them: standardized features, and the target."""
        return (self.X[rows] - self.mean) / self.scale, self.y[rows]

    def of_training(self) -> "Split":
        """The training rows as if there were no others."""
        rows, every = self.train, np.arange(len(self.train))
        X, y, used = self.X[rows], self.y[rows], self.used[rows]
        raw, kept = self.raw[rows], self.kept and self.kept.of(rows)
        return replace(self, used=used, raw=raw, X=X, y=y, train=every, test=every[:0], kept=kept)


def read_split(dataset: str, settings: Dataset, table: pa.Table) -> Split:
    """Read what `split` wrote of an ingested table.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or are of another table or run.
    """
    train, test = read_parts(dataset)
    encoding = read_as(layout.columns(dataset), dict[str, Learned])
    scaler = read_as(layout.scaler(dataset), dict[str, Scaling])
    if not {*encoding, settings.target} <= set(table.column_names):
        raise PipelineError(f"{layout.columns(dataset)}: is of other columns; run `dvc repro`")
    if [*scaler] != feature_names(encoding):
        raise PipelineError(
            f"{layout.scaler(dataset)}: is of other features than columns.json; run `dvc repro`"
        )
    used = np.sort(np.concatenate([train, test]))
    if not _are_rows(used, table, settings, [*encoding]):
        raise PipelineError(f"{layout.split_rows(dataset)}: is of other rows; run `dvc repro`")
    where = str(layout.ingested(dataset))
    for name, column in encoding.items():
        refuse_unfit(table[name], name, column, used, where)
    raw = read_raw(table, encoding, where).alone(used)
    target = f"{where}: column {settings.target}"
    y = target_values(table[settings.target], settings.evaluate.classes, target)
    split = Split(
        used=used,
        raw=raw,
        encoding=encoding,
        features=[*scaler],
        X=encode(raw, encoding),
        y=y[used],
        train=places(train, used),
        test=places(test, used),
        mean=np.array([learned.mean for learned in scaler.values()]),
        scale=np.array([learned.scale for learned in scaler.values()]),
        kept=kept_together(table, used, settings.split, f"{layout.PARAMS}: datasets.{dataset}"),
    )
    _refuse_other_run(dataset, settings.target, split)
    return split


def refuse_unfit(
    values: pa.ChunkedArray, name: str, column: Column, used: NDArray[np.int64], where: str
) -> None:
    """Refuse a column that is no longer what the models learned from.

    Parameters
    ----------
    values : ChunkedArray
        Of all rows of the table.
    name : str
    column : Column
        What the training rows taught of it.
    used : ndarray of int
        The rows that count.
    where : str
        To name in the message.

    Raises
    ------
    PipelineError
        When it has text or gaps that it had not.
    """
    text = in_range(column) and pa.types.is_string(values.type)
    if text or (not column.filled and not has_value(values)[used].all()):
        raise PipelineError(
            f"{where}: column {name} has text or gaps that it had not when the models were "
            "trained: mend the file that it comes from, or take the last one back, and run "
            "`dvc repro`"
        )


def _are_rows(
    used: NDArray[np.int64], table: pa.Table, settings: Dataset, columns: Sequence[str]
) -> bool:
    """Whether they are all rows of the table that split uses."""
    whole = np.ones(table.num_rows, dtype=bool)
    for name in (settings.target, *(columns if settings.split.gaps == "leave_out" else ())):
        whole &= has_value(table[name])
    return bool(np.array_equal(used, np.flatnonzero(whole)))


def _refuse_other_run(dataset: str, target: str, split: Split) -> None:
    """The rows that were trained on are exactly those that the other files give."""
    path = layout.split_part(dataset, "train")
    trained = read_table(path)
    if trained.column_names != [*split.features, target]:
        raise PipelineError(f"{path}: has other columns than scaler.json; run `dvc repro`")
    theirs, ours = as_arrays(trained), split.part(split.train)
    if not all(map(np.array_equal, theirs, ours)):
        raise of_other_runs(dataset)


def of_other_runs(dataset: str) -> PipelineError:
    """The error for files of a split that do not belong together."""
    return PipelineError(
        f"{layout.split(dataset)}: train.parquet, test.parquet, columns.json, scaler.json and "
        f"rows.json do not belong together, or not to {layout.ingested(dataset)}: they are of "
        "different runs; run `dvc repro`"
    )
