"""What each column is to a model: a number, a category, a date, or nothing, and why."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple

import pyarrow as pa

from pipeline.commands.contents import MOST, STRAY, Column, Dated
from pipeline.core.dates import AGREED, CENTURIES, ISO, century_doubt, ends_of
from pipeline.core.text import EXACT, shown
from pipeline.core.words import inline
from pipeline.ingest.numbers import CLOCK

TIME = re.compile(CLOCK, re.IGNORECASE)
DIGITS = "%Y%m%d"  # of dates that are written as whole numbers
CENTURY = range(1900_00_00, 2100_00_00)  # and of those that are meant so
SEVERAL = 5  # different numbers that are dates by no chance
CATEGORIES = 1000  # of one column, at most
CHOICES = 10  # different measures that are a choice between them, at most
UNITS = 10  # of one column, at most: more are letters of a code
# Names of columns that name rows, whatever is in them; of some that number rows; of identifiers.
# pandas calls an index in a Parquet file __index_level_0__.
ROW_NAMES = re.compile(r"(?i)row[ _.]?(names?|numbers?|id)|__index_level_\d+__")
COUNTERS = re.compile(r"(?i:(.*[ _.-])?(index|idx|no|nr|row|obs|case|#)|unnamed: 0)|X")
IDENTIFIERS = re.compile(r"(?i:(.*[ _.-])?id)|.*[a-z]I[Dd]")


class Kind(NamedTuple):
    """What a column is.

    Attributes
    ----------
    name : str
        number, category, date or drop, as `split.columns` of params.yaml.
    why : str
        The reason for drop.
    note : str
        What else is to be known of it.
    """

    name: Literal["number", "category", "date", "drop"]
    why: str = ""
    note: str = ""


def with_dates(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns, with whole numbers that are dates, 20240131, known as such.

    Of numbers one in thirty is a date by chance.
    """
    return {name: _with_dates(name, column) for name, column in columns.items()}


def _with_dates(name: str, column: Column) -> Column:
    named = any(names.fullmatch(name) for names in (ROW_NAMES, COUNTERS, IDENTIFIERS))
    counts = (column.counts if column.dtype == "int64" else None) or Counter[int]()
    likely = [number for number in counts if number in CENTURY]
    if named or len(likely) < SEVERAL:
        return column
    ends, bad = ends_of(pa.chunked_array([[*map(str, likely)]]), DIGITS)
    dates = {number for number, odd in zip(likely, bad.tolist(), strict=True) if not odd}
    stray = [number for number in counts if number not in dates]
    others = sum(counts[number] for number in stray)
    if len(dates) < SEVERAL or others > STRAY * column.values:
        return column
    cell = str(min(stray)) if stray else ""
    return replace(column, dated={DIGITS: Dated((ends[0], ends[1]), others, None, cell)})


def kinds(columns: Mapping[str, Column], csv: bool = True) -> dict[str, Kind]:
    """What the columns are, by name; `csv`: of a file that may declare how dates are written."""
    return {name: kind(name, column, csv) for name, column in columns.items()}


def kind(name: str, column: Column, csv: bool = True) -> Kind:
    """Text of few values is a category; what tells nothing of a row is neither, nor a number."""
    if why := _nothing(column):
        return Kind("drop", why)
    if column.dates:
        why = _dates(name, column, csv)
        return Kind("drop", why) if why else Kind("date")
    if near := stray(column, csv):
        parts = (
            f"as {form}, but for {few.others:,} of {column.values:,}: {shown(few.cell)}"
            for form, few in near
        )
        return Kind("drop", f"dates {'; or '.join(parts)}")
    if column.dtype == "str":
        return _text(name, column)
    why = _numbers(name, column)
    return Kind("drop", why) if why else Kind("number")


def _dates(name: str, column: Column, csv: bool) -> str:
    """Why dates are left out: how they are written has to be certain, and be declared.

    Those of few rows are of what may come after the rest: a death, an end of contract.
    """
    if ROW_NAMES.fullmatch(name):
        return "row names; under another name these dates are taken"
    if 2 * column.missing > column.rows:
        share = f"{column.missing:,} of {column.rows:,} rows"
        return f"dates that {share} do not have; say date here if they are known when predicting"
    form = column.form
    if form in ISO:
        return ""
    written = f"dates written as {form or ' or '.join(column.dates)}"
    if not csv:
        return f"{written}: taken where they are dates, or text of ISO 8601"
    forms = [form] if form else [*column.dates][:2]
    declared = " or ".join(f"dates: {{{inline(name)}: {inline(one)}}}" for one in forms)
    if not form:
        return f"{written}: declare in ingest.csv which, {declared}, and say date here"
    doubt = century_doubt(name, form, column.dates[form], AGREED)
    remedy = f"write four digits or, if that is right, declare in ingest.csv {declared}, and say"
    return f"{written}, and {doubt}: {CENTURIES}; {remedy} date here" if doubt else ""


def stray(column: Column, csv: bool) -> list[tuple[str, Dated]]:
    """The forms in which all cells but a few are dates that could be taken, and these few.

    Forms in which the same cells are none stand together: `%d/%m/%Y or %m/%d/%Y`.
    """
    found = dict[tuple[int, int | None, str], list[str]]()
    near = {form: one for form, one in column.nearly.items() if csv or form in ISO}
    for form, one in near.items():
        found.setdefault((one.others, one.row, one.cell), []).append(form)
    return [(" or ".join(map(_called, forms)), near[forms[0]]) for forms in found.values()]


def _called(form: str) -> str:
    """How people call a form of dates."""
    return "ISO 8601" if form in ISO else form


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
        if column.dtype != "str" and abs(value) >= EXACT and column.rows > 1:
            return "one number beyond 2^53, or several that floats cannot tell apart"
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


def _text(name: str, column: Column) -> Kind:
    if column.times and all(map(TIME.fullmatch, column.counts or [""])):
        why = "times of day: write them as numbers, of hours say, or say category here"
        return Kind("drop", why)
    if column.times:
        return Kind("drop", "times of day, or dates of several forms")
    if ROW_NAMES.fullmatch(name):
        return Kind("drop", "row names")
    if measured := _measured(column):
        return measured
    if not column.repeats:
        return Kind("drop", "an identifier: another text in each row")
    most = min(max(20, column.rows // 10), CATEGORIES)
    if column.different is None or column.different > most:
        different = f"more than {MOST:,}" if column.different is None else f"{column.different:,}"
        return Kind("drop", f"free text: {different} different in {column.rows:,} rows")
    return Kind("category")


def _measured(column: Column) -> Kind | None:
    """Text that is numbers with units: a category where a few values are chosen from."""
    units = sorted(column.units - {""})
    if not 0 < len(units) <= UNITS or column.different == len(column.units):  # "1 yes", "2 no"
        return None
    several = len(units) > 1
    bare = " and without one" * ("" in column.units)
    what = f"numbers with {'several units' if several else 'a unit'} ({', '.join(units)}){bare}"
    mend = f"write {'all in one, or ' * (several or bool(bare))}the numbers alone"
    if column.different and column.different <= min(CHOICES, column.values // 2):
        note = f"{what}: a category, since few are different; {mend}, where they are amounts"
        return Kind("category", note=note)
    return Kind("drop", f"{what}: {mend}, or say category here")
