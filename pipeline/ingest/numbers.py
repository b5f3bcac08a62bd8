"""How the numbers of columns are written, and which cells are missing values."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from pipeline.core.dialect import POWER, Dialect
from pipeline.core.errors import GAPS
from pipeline.core.text import MONTHS, is_number
from pipeline.core.words import inline
from pipeline.ingest.cut import Quoted

# What programs write where there is no value. Not inf, which is one.
MARKERS = (
    *("", " ", "NA", "N/A", "n/a", "<NA>", "#N/A", "#NA", "NaN", "nan", "-nan", "-NaN", "NaT"),
    *("NULL", "null", "None", "none", "nil", "missing", "\\N", "?", "-", "--", "."),
)
# Of these, no column is called so.
NO_NAMES = (*MARKERS[2:9], "NULL", "\\N", "?", "-", "--", ".")
INFINITE = ("inf", "infinity", "infinite")
TRUTH = ({"true", "false"}, {"t", "f"}, {"yes", "no"}, {"y", "n"})
CLOCK = r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[ap]m)?"
MONTH = f"({'|'.join(month[:3] for month in MONTHS.split())})[a-z]{{0,6}}"
DAY = (
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    rf"|\d{{1,2}}[- ]?{MONTH}[- ]?\d{{2,4}}|{MONTH} \d{{1,2}}, \d{{4}})"
)
DATE = re.compile(rf"(?i){DAY}([ T]{CLOCK}\S*)?|{CLOCK}")
LIKE = re.compile(
    r"(?=[.,]?\d)(\d{1,3}([,.' _\u2019\u00a0\u202f]\d{3})+|\d*)([.,]\d*)?([eE][+\-\u2212]?\d+)?"
)
MEASURED = re.compile(r"(.*?\d)([ \u00a0\u202f]?)((?:[^\W\d_]|\u00b0)[\w/\u00b0\u00b7^]*)")
NO_UNITS = ("st", "nd", "rd", "th", "am", "pm")  # 1st, 10am
SIGNS = "+-\u2212%$\u20ac\u00a3\u00a5 "
SEPARATORS = (",", ".", " ", "'", "\u2019", "\u00a0", "\u202f")


class Columns(NamedTuple):
    """What some columns hold.

    Attributes
    ----------
    names : list of str
    writing : dict
        Of a Dialect: decimal, thousands, minus, units, missing, quoted_missing.
    numeric : list of str
        The columns of numbers.
    notes : list of str
        What keeps a column from being one.
    """

    names: list[str]
    writing: dict[str, Any]
    numeric: list[str]
    notes: list[str]


def columns(cells: Mapping[str, Sequence[str]], given: Dialect) -> Columns:
    """Find the writing that makes numbers of most columns; of equals the simplest.

    Parameters
    ----------
    cells : dict
        The cells of each column; those of MARKERS are Quoted if they stood in quotes.
    given : Dialect
        What it declares of numbers stays; its markers are added to.
    """
    markers = {*MARKERS, *given.missing}
    present = {name: {*column} - markers for name, column in cells.items()}
    units = _units(present) | given.units
    tried = [(w, _numeric(present, w, units)) for w in _writings(present, given)]
    writing, numeric = max(tried, key=lambda pair: len(pair[1]))  # the first of the largest
    writing, numeric, notes = _unambiguous(writing, numeric, present, units)
    used = {name: unit for name, unit in units.items() if name in numeric or name in given.units}
    others = [name for name in cells if name not in numeric and typed(present[name])]
    nearly = _nearly(present, writing, used)
    gaps = _missing(cells, [*numeric, *nearly, *others], given)
    missing = gaps.get("missing", [])
    notes += [note(name, cells, missing, used.get(name, "")) for name, cells in nearly.items()]
    found = writing | ({"units": used} if used else {}) | gaps
    return Columns([*cells], found, numeric, notes)


def _writings(present: dict[str, set[str]], given: Dialect) -> list[dict[str, str]]:
    """The writings that may be, the simplest first."""
    text = {sign for column in present.values() for cell in column for sign in cell}
    fixed, declared = given.model_dump(), given.model_fields_set
    minus = [fixed["minus"]] if "minus" in declared else ["\u2212" if "\u2212" in text else "-"]
    decimal = [fixed["decimal"]] if "decimal" in declared else [".", *({","} & text)]
    others = [None, *(sign for sign in SEPARATORS if sign in text)]
    thousands = [fixed["thousands"]] if "thousands" in declared else others
    return [
        ({"decimal": d} if d != "." else {})
        | ({"thousands": t} if t else {})
        | ({"minus": m} if m != "-" else {})
        for t, d, m in product(thousands, decimal, minus)
        if t != d
    ]


def _dialect(writing: Mapping[str, str], units: Mapping[str, str]) -> Dialect:
    return Dialect.model_validate({"delimiter": "\t", "units": {**units}} | {**writing})


def _numeric(
    present: dict[str, set[str]], writing: dict[str, str], units: dict[str, str]
) -> list[str]:
    dialect = _dialect(writing, units)
    return [
        name
        for name, column in present.items()
        if column and all(map(is_number, dialect.pointed([*column], name)))
    ]


def _unambiguous(
    writing: dict[str, str], numeric: list[str], present: dict[str, set[str]], units: dict[str, str]
) -> tuple[dict[str, str], list[str], list[str]]:
    """Thousands, where every comma has three digits behind it; one such cell may be either."""
    if writing.get("decimal") != "," or "thousands" in writing:
        return writing, numeric, []
    plain = {key: value for key, value in writing.items() if key != "decimal"}
    grouped = plain | {"thousands": ","}
    in_groups = _numeric(present, grouped, units)
    if not {*numeric} <= {*in_groups}:
        return writing, numeric, []
    commas = {c for name in numeric for c in present[name] if "," in c}
    if not commas:  # a declared one that no cell has
        return writing, numeric, []
    if len(commas) > 1:
        return grouped, in_groups, []
    note = f"{min(commas)!r} may be thousands or a decimal comma: declare thousands or decimal"
    return plain, _numeric(present, plain, units), [note]


def _units(present: dict[str, set[str]]) -> dict[str, str]:
    """The percent or currency sign, or the unit, that every cell of a column has."""
    found = dict[str, str]()
    for name, column in present.items():
        signs = [
            {c for c in cell if c == "%" or unicodedata.category(c) == "Sc"} for cell in column
        ]
        if signs and len(shared := set.intersection(*signs)) == 1 == len(set.union(*signs)):
            found[name] = shared.pop()
        unit = unit_of(min(column, default=""))
        if unit and all(unit_of(cell) == unit for cell in column):
            found[name] = unit
    return found


def unit_of(cell: str) -> str | None:
    """The unit behind a number; nothing where there is none, and None where there is no number.

    >>> [unit_of(cell) for cell in ("12 kg", "1,5kg", "3 m2", "7")]
    ['kg', 'kg', 'm2', '']
    >>> [unit_of(cell) for cell in ("12a", "kg", "2024Q1", "1. Yes", "1st", "10 AM")]
    [None, None, None, None, None, None]
    """
    if like_number(cell):
        return ""
    match = MEASURED.fullmatch(cell)
    if not (match and like_number(match[1])):
        return None
    _, gap, unit = match.groups()
    if unit.lower() in NO_UNITS or re.search(r"\d", POWER.sub("", unit)):
        return None
    return unit if gap or len(unit) > 1 else None  # 12a is the number of a house


def typed(column: Iterable[str]) -> bool:
    """Whether cells are truth values, dates or times, all of them."""
    lower = {cell.lower() for cell in column}
    return bool(lower) and (any(lower <= t for t in TRUTH) or all(map(DATE.fullmatch, lower)))


def like_number(cell: str) -> bool:
    """Whether a cell is a number in some writing."""
    return bool(LIKE.fullmatch(cell.strip(SIGNS)))


def like_data(cell: str) -> bool:
    """Whether a cell is no name: a number, a date, a truth value."""
    return bool(like_number(cell) or DATE.fullmatch(cell) or cell.lower() in ("true", "false"))


def _missing(
    cells: Mapping[str, Sequence[str]], typed: Sequence[str], given: Dialect
) -> dict[str, Any]:
    """The markers of columns whose other cells tell what they are; else empty cells."""
    markers = {*MARKERS}
    found = {c for name in typed for c in cells[name] if c in markers and not is_number(c)}
    if not found:  # where there is another marker, empty text is text
        every = (cell for column in cells.values() for cell in column)
        found = {cell for cell in every if not cell and not isinstance(cell, Quoted)}
    missing = [*given.missing, *(m for m in MARKERS if m in found.difference(given.missing))]
    of_text = [name for name in cells if name not in typed]
    if not missing:
        return {}
    strict = (
        _any_quoted(cells, of_text, missing)
        and not _any_quoted(cells, typed, missing)
        and any(c in missing and not isinstance(c, Quoted) for col in cells.values() for c in col)
    )
    return {"missing": missing} | ({"quoted_missing": False} if strict else {})


def _any_quoted(
    cells: Mapping[str, Sequence[str]], names: Iterable[str], missing: Sequence[str]
) -> bool:
    return any(isinstance(c, Quoted) and c in missing for name in names for c in cells[name])


def note(column: str, cells: Iterable[str], missing: Sequence[str], unit: str) -> str:
    """That cells make text of their column, and what to do where they mean none.

    Parameters
    ----------
    column : str
    cells : iterable of str
    missing : sequence of str
        What is declared to be none.
    unit : str
        The sign or unit that the other cells have; nothing where they are plain numbers.
    """
    first, *more = sorted(cells)
    word = not any(map(str.isdigit, first)) and first.lower().strip("+-") not in INFINITE
    declare = f"declare missing: {inline([*missing, first])}; {GAPS}"
    remedy = f" (where it means none, {declare})" * word
    others = f", nor are {', '.join(map(repr, more[:2]))}{' ...' * (len(more) > 2)}" * bool(more)
    number = f"finite number{f' with {unit} beside it' * bool(unit)}"
    return f"column {column} is text: {first!r} is no {number}{others}{remedy}"


def _nearly(
    present: dict[str, set[str]], writing: dict[str, str], units: dict[str, str]
) -> dict[str, set[str]]:
    """The cells that make text of columns that are else of numbers, by column."""
    dialect, found = _dialect(writing, units), dict[str, set[str]]()
    for name, column in present.items():
        cells = [*column]
        numbers = map(is_number, dialect.pointed(cells, name))
        others = {cell for cell, number in zip(cells, numbers, strict=True) if not number}
        if others and 2 * len(others) < len(cells):
            found[name] = others
    return found
