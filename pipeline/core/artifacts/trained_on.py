"""The ranges that a champion was trained on: `promote` notes them, `validate` compares."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, model_validator

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.params import Settings

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


class TrainedOn(Settings):
    """What range, or which categories, each column of the training rows has.

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
    """

    rows: Annotated[int, Field(ge=1, le=2**53)]
    of: Annotated[int, Field(ge=1, le=2**53)]
    columns: dict[str, Range]
    categories: dict[str, list[str]] = Field(default_factory=dict)


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
