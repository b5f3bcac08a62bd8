"""The ranges that a champion was trained on: `promote` notes them, `validate` compares."""

from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, Field, model_validator

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.settings.block import Settings
from pipeline.core.tables import Array
from pipeline.core.text import EXACT

REMEDY = "mend or remove the entry; `git checkout` brings the last one back"


class Range(Settings):
    """The smallest and the largest value of a column."""

    min: float
    max: float

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Sketch(Settings):
    """The distribution of a column of numbers, in short.

    Attributes
    ----------
    rows : int
        How many values there were.
    at : list of float
        Their deciles, each once: values of the column.
    upto : list of int
        How many values are at most that large.
    """

    rows: Annotated[int, Field(ge=1, le=EXACT)]
    at: Annotated[list[float], Field(min_length=1)]
    upto: list[int]

    @model_validator(mode="after")
    def _rises(self) -> Self:
        counts = [0, *self.upto, self.rows]
        if len(self.at) != len(self.upto) or sorted(self.at) != self.at or sorted(counts) != counts:
            raise ValueError("expected rising values, and as many rising counts up to rows")
        return self


def sketched(values: Array) -> Sketch:
    """The sketch of values, of which none is missing.

    >>> sketched(np.array([3.0, 1.0, 2.0, 1.0])).at
    [1.0, 2.0, 3.0]
    """
    ordered, rows = np.sort(values), len(values)
    places = [-(-rows * k // 10) - 1 for k in range(1, 10)]
    at = np.unique(ordered[places])
    upto = np.searchsorted(ordered, at, side="right")
    return Sketch(rows=rows, at=at.tolist(), upto=upto.tolist())


class TrainedOn(Settings):
    """What range, or which categories, each column of the training rows has.

    Entries of an earlier version have no sketches, counts and missing: nothing is compared then.

    Attributes
    ----------
    rows : int
        How many trained.
    of : int
        How many the table had, with those that did not.
    columns : dict
        The range of each column of numbers, in its own units.
    categories : dict
        The values of every other column.
    sketches : dict
        How the values of each column of numbers are distributed.
    counts : dict
        How many rows have each of a column's categories, in their order.
    missing : dict or None
        The share of the table's rows that had no value, of each column with such.
    """

    rows: Annotated[int, Field(ge=1, le=EXACT)]
    of: Annotated[int, Field(ge=1, le=EXACT)]
    columns: dict[str, Range]
    categories: dict[str, list[str]] = Field(default_factory=dict)
    sketches: dict[str, Sketch] = Field(default_factory=dict)
    counts: dict[str, list[int]] = Field(default_factory=dict)
    missing: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None

    @model_validator(mode="after")
    def _counts_are_of_categories(self) -> Self:
        for name, counts in self.counts.items():
            if len(counts) != len(self.categories.get(name, [])) or min(counts, default=0) < 0:
                raise ValueError(f"counts.{name}: expected one for each of its categories")
        return self


class _Entry(BaseModel):
    """An entry of metrics/champion.json, of which the rest is not looked at."""

    trained_on: TrainedOn | None = None


def read_trained_on(dataset: str) -> TrainedOn | None:
    """Read it from metrics/champion.json; None for a dataset without a champion.

    Raises
    ------
    PipelineError
        When the file is missing or damaged.
    """
    refuse_no_champions()
    entry = read_as(layout.CHAMPION, dict[str, _Entry], REMEDY).get(dataset)
    return entry.trained_on if entry else None


def refuse_no_champions() -> None:
    """Refuse to go on without metrics/champion.json."""
    if not layout.CHAMPION.exists():
        raise PipelineError(f"{layout.CHAMPION} is missing; with no champions it holds {{}}")
