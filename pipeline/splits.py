"""A table and what `split` made of it: which rows train, and how they are standardized."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json
from pipeline.core.params import Settings
from pipeline.core.tables import Array, as_arrays


class Learned(Settings):
    """A feature's entry in scaler.json."""

    mean: float
    scale: float


class Parts(Settings):
    """rows.json."""

    train: list[int]
    test: list[int]


SCALER = TypeAdapter(dict[str, Learned])


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

    def part(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """Some rows as the models see them: standardized features, and the target."""
        return (self.X[rows] - self.mean) / self.scale, self.y[rows]


def read_split(dataset: str, target: str, table: pa.Table) -> Split:
    """Read what `split` wrote of an ingested table.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or are of another table.
    """
    scaler, parts = read_json(layout.scaler(dataset)), read_json(layout.split_rows(dataset))
    try:
        SCALER.validate_python(scaler)
        Parts.model_validate(parts)
    except ValidationError:
        raise PipelineError(
            f"{layout.scaler(dataset).parent}: scaler.json or rows.json is damaged; `dvc repro` "
            "makes them again"
        ) from None
    if not {*scaler, target} <= set(table.column_names):
        raise PipelineError(f"{layout.scaler(dataset)}: is of other columns; run `dvc repro`")
    if sorted([*parts["train"], *parts["test"]]) != list(range(table.num_rows)):
        raise PipelineError(f"{layout.split_rows(dataset)}: is of other rows; run `dvc repro`")
    X, y = as_arrays(table.select([*scaler, target]))
    return Split(
        features=[*scaler],
        X=X,
        y=y,
        train=np.array(parts["train"], dtype=np.int64),
        test=np.array(parts["test"], dtype=np.int64),
        mean=np.array([learned["mean"] for learned in scaler.values()]),
        scale=np.array([learned["scale"] for learned in scaler.values()]),
    )
