"""What each column is to a model: a number, a category, or nothing, and why."""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from pipeline.commands.contents import MOST, Column

EXACT = 2**53  # beyond it a float no longer tells neighbouring integers apart
CATEGORIES = 1000  # of one column, at most
# Names of columns that name rows, whatever is in them; of some that number rows; of identifiers.
ROW_NAMES = re.compile(r"(?i)row[ _.]?(names?|numbers?|id)")
COUNTERS = re.compile(r"(?i:(.*[ _.-])?(index|idx|no|nr|row|obs|case|#)|unnamed: 0)|X")
IDENTIFIERS = re.compile(r"(?i:(.*[ _.-])?id)|.*[a-z]I[Dd]")


class Kind(NamedTuple):
    """What a column is.

    Attributes
    ----------
    name : str
        number, category or drop, as `split.columns` of params.yaml.
    why : str
        The reason for drop.
    """

    name: Literal["number", "category", "drop"]
    why: str = ""


def kinds(columns: Mapping[str, Column]) -> dict[str, Kind]:
    """What the columns are, by name."""
    return {name: kind(name, column) for name, column in columns.items()}


def kind(name: str, column: Column) -> Kind:
    """Text of few values is a category; what tells nothing of a row is neither, nor a number."""
    why = _nothing(column) or (_text if column.dtype == "str" else _numbers)(name, column)
    return Kind("drop", why) if why else Kind("category" if column.dtype == "str" else "number")


def at_least(columns: Mapping[str, Column]) -> dict[str, Kind]:
    """The columns to take where all are left out: numbers that count rows, in which a trend may be.

    Not those that are called row names or row numbers: a program put them there.
    """
    return {
        name: Kind("number")
        for name, column in columns.items()
        if column.dtype != "str" and not (ROW_NAMES.fullmatch(name) or _unusable(column))
    }


def _unusable(column: Column) -> bool:
    return bool(_nothing(column)) or _inexact(column)


def _nothing(column: Column) -> str:
    """Why a column tells nothing, whatever its type."""
    if not column.values:
        return "without any value"
    if column.counts and len(column.counts) == 1 and not (column.dtype == "str" and column.missing):
        [value] = column.counts
        shown = repr(value) if column.dtype == "str" else f"{value:.6g}"
        return f"{shown} in all rows" + " that have a value" * bool(column.missing)
    return ""


def _numbers(name: str, column: Column) -> str:
    if ROW_NAMES.fullmatch(name):
        return "row numbers"
    whole, identifier = column.dtype == "int64", IDENTIFIERS.fullmatch(name)
    if column.counting and (identifier or COUNTERS.fullmatch(name)):
        return "row numbers"
    if whole and identifier and not column.repeats:
        return "an identifier: another number in each row"
    return "integers beyond 2^53, of which floats lose digits" * _inexact(column)


def _inexact(column: Column) -> bool:
    return column.dtype == "int64" and max(abs(column.low), abs(column.high)) >= EXACT


def _text(name: str, column: Column) -> str:
    if column.dates:
        return "dates or times"
    if ROW_NAMES.fullmatch(name):
        return "row names"
    if not column.repeats:
        return "an identifier: another text in each row"
    most = min(max(20, column.rows // 10), CATEGORIES)
    if column.different is None or column.different > most:
        different = f"more than {MOST:,}" if column.different is None else f"{column.different:,}"
        return f"free text: {different} different in {column.rows:,} rows"
    return ""
