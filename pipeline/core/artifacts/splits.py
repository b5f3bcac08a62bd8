"""A table and what `split` made of it: which rows train, and how they are standardized."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.params import Settings
from pipeline.core.tables import Array, as_arrays, read_table


class Learned(Settings):
    """A feature's entry in scaler.json."""

    mean: float
    scale: float


class Parts(Settings):
    """rows.json."""

    train: list[int]
    test: list[int]


@dataclass(frozen=True)
class Split:
    """All rows of a dataset, in its own units, and what became of them.

    Attributes
    ----------
    features : list of str
        The columns that the models use.
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    train, test : ndarray of int
        Which rows trained, and which did not.
    mean, scale : ndarray of shape (n_features,)
        By which the models' features are standardized.
    """

    features: Sequence[str]
    X: Array
    y: Array
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    mean: Array
    scale: Array

    def ranges(self) -> tuple[Array, Array]:
        """The smallest and the largest value of each feature over the training rows."""
        return self.X[self.train].min(axis=0), self.X[self.train].max(axis=0)

    def part(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """Some rows as the models see them: standardized features, and the target."""
        return (self.X[rows] - self.mean) / self.scale, self.y[rows]


def read_split(dataset: str, target: str, table: pa.Table) -> Split:
    """Read what `split` wrote of an ingested table.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or are of another table or run.
    """
    parts = read_as(layout.split_rows(dataset), Parts)
    scaler = read_as(layout.scaler(dataset), dict[str, Learned])
    if not {*scaler, target} <= set(table.column_names):
        raise PipelineError(f"{layout.scaler(dataset)}: is of other columns; run `dvc repro`")
    if sorted([*parts.train, *parts.test]) != list(range(table.num_rows)):
        raise PipelineError(f"{layout.split_rows(dataset)}: is of other rows; run `dvc repro`")
    for name in (*scaler, target):
        if table[name].null_count or not pa.types.is_primitive(table[name].type):
            raise PipelineError(
                f"{layout.ingested(dataset)}: column {name} has text or gaps, and the models are "
                "of numbers: mend the file that it comes from, or take the last one back, and run "
                "`dvc repro`"
            )
    X, y = as_arrays(table.select([*scaler, target]))
    split = Split(
        features=[*scaler],
        X=X,
        y=y,
        train=np.array(parts.train, dtype=np.int64),
        test=np.array(parts.test, dtype=np.int64),
        mean=np.array([learned.mean for learned in scaler.values()]),
        scale=np.array([learned.scale for learned in scaler.values()]),
    )
    _refuse_other_run(dataset, target, split)
    return split


def _refuse_other_run(dataset: str, target: str, split: Split) -> None:
    """The rows that were trained on are exactly those that the other files give."""
    path = layout.split_part(dataset, "train")
    trained = read_table(path)
    if trained.column_names != [*split.features, target]:
        raise PipelineError(f"{path}: has other columns than scaler.json; run `dvc repro`")
    theirs, ours = as_arrays(trained), split.part(split.train)
    if not all(map(np.array_equal, theirs, ours)):
        raise PipelineError(
            f"{path.parent}: train.parquet, scaler.json and rows.json do not belong together, or "
            f"not to {layout.ingested(dataset)}: they are of different runs; run `dvc repro`"
        )
