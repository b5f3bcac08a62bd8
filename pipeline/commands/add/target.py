"""The column to predict: which task it is, by which labels, and what cannot be predicted."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from pipeline.commands.add.kinds import Kind, kind
from pipeline.commands.contents import MOST, Column
from pipeline.core.errors import PipelineError
from pipeline.core.settings.evaluate import ClassName
from pipeline.core.text import nearest
from pipeline.core.trainers import Task

FEW = 30  # below this every row is held out by itself, and none kept for testing
FEWEST = 3  # rows of a table
USEFUL = ("number", "category")
LABELS = 9  # whole numbers that are labels, at most
POSITIVE = re.compile(r"(?i)yes|true|t|y|pos|positive|present|malignant|sick|dead|died|case")


class Target(NamedTuple):
    """What is predicted.

    Attributes
    ----------
    name : str
        Of the column.
    task : str
    classes : dict
        How many rows have each label, by its name; the positive one last. Of a regression none.
    why : str
        What the task was told by.
    """

    name: str
    task: Task
    classes: dict[str, int]
    why: str


def find_target(
    name: str | None, columns: Mapping[str, Column], task: Task | None, folds: int
) -> Target:
    """The target by its name, and what can be made of it.

    Parameters
    ----------
    name : str or None
    columns : dict
        What each column holds.
    task : str or None
        As it is asked for.
    folds : int
        Into how many parts rows are cut to judge models.

    Raises
    ------
    PipelineError
        Where there is no such column, or none is named; where it cannot be predicted.
    """
    if name is None:
        lines = [f"  {candidate}: {_shown(columns[candidate])}" for candidate in _possible(columns)]
        raise PipelineError("\n".join(["name the column to predict, --target COLUMN:", *lines]))
    if name not in columns:
        hint = nearest(name, columns) or f"; it has {', '.join(columns)}"
        raise PipelineError(f"there is no column {name!r}{hint}")
    column = columns[name]
    if (found := kind(name, column)).name not in USEFUL:
        what = "has one class" if column.different == 1 else "cannot be predicted"
        raise PipelineError(f"target {name} {what}: {found.why or 'dates'}")
    if column.values < FEWEST and len(columns) > 1:  # alone it cannot be predicted anyway
        raise PipelineError(
            f"target {name} has a value in {column.values} of {column.rows} rows; {FEWEST} are the "
            "fewest that models are judged by"
        )
    told, why = _task(column, found)
    if task and task != told:
        told, why = task, "as asked for"
    if told == "regression":
        if column.dtype == "str":
            raise PipelineError(f"target {name} is text, and a regression predicts numbers")
        return Target(name, told, {}, why)
    return Target(name, told, _classes(name, column, folds), why)


def label(value: str | float) -> str:
    """A label as its class is called: a number without a needless point.

    >>> label(-1), label(2.0), label(0.5), label("M")
    ('-1', '2', '0.5', 'M')
    """
    if isinstance(value, str):
        return value
    return str(int(value)) if value == int(value) else repr(value)


def _possible(columns: Mapping[str, Column]) -> list[str]:
    return [name for name, column in columns.items() if kind(name, column).name in USEFUL]


def _shown(column: Column) -> str:
    if column.dtype == "str":
        return f"text, {column.different} different"
    return f"numbers, {column.low:.6g} to {column.high:.6g}"


def _task(column: Column, found: Kind) -> tuple[Task, str]:
    counts = column.counts
    if found.name == "category":
        return "classification", "text"
    if counts is None or len(counts) > LABELS:
        return "regression", "numbers of many values"
    if len(counts) == 2 and column.repeats:
        return "classification", "two values"
    whole = all(value == int(value) for value in counts)
    if whole and min(counts.values()) > 1:
        return "classification", "few whole numbers; --task regression for amounts"
    return "regression", "numbers"


def _classes(name: str, column: Column, folds: int) -> dict[str, int]:
    """The labels with their rows: in order, the positive one of two last.

    Raises
    ------
    PipelineError
        Where models could not be judged by folds, or a label cannot be a name.
    """
    rows, counts = column.values, column.counts
    parts, need = (rows, 2) if rows < FEW else (folds, folds)
    if counts is None:
        raise PipelineError(f"target {name} has more than {MOST:,} classes")
    rarest = min(counts, key=counts.__getitem__)
    if counts[rarest] < need:
        raise PipelineError(
            f"target {name}: class {label(rarest)!r} has {counts[rarest]} of {rows:,} rows, and "
            f"{parts} folds need {need} of each class: join classes, or take these rows out"
        )
    labels = sorted(counts)
    if len(labels) == 2 and column.dtype == "str":
        labels.sort(key=lambda one: (bool(POSITIVE.fullmatch(label(one))), -counts[one]))
    found = {label(one): counts[one] for one in labels}
    for one in found:
        try:
            TypeAdapter(ClassName).validate_python(one, strict=True)
        except ValidationError:
            raise PipelineError(f"target {name}: {one!r} cannot be the name of a class") from None
    return found
