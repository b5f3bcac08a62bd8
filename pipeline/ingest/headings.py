"""What stands around the rows of a table: titles, names, row names, lines below the header."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.dialect import COMMENTED, Dialect
from pipeline.core.errors import PipelineError
from pipeline.ingest.cut import cut
from pipeline.ingest.layouts import ABOVE, Layout, Lines, above_data
from pipeline.ingest.numbers import (
    DATE,
    MARKERS,
    NO_NAMES,
    Columns,
    columns,
    like_data,
    like_number,
    typed,
)
from pipeline.ingest.records import Record, one_column

TYPES = {"continuous", "discrete", "string", "time", "c", "d", "s", "t"}  # Orange's second row
ROLES = {"", "class", "meta", "ignore", "i", "m"}  # and its third


class Unclear(PipelineError):
    """No declaration that reads a file is certain.

    Parameters
    ----------
    reason : str
    dialect : Dialect, optional
        The one under which most of the file fits.
    """

    def __init__(self, reason: str, dialect: Dialect | None = None) -> None:
        super().__init__(reason)
        self.dialect = dialect


class OneColumn(Unclear):
    """All is one column of text."""


class Heading(NamedTuple):
    """The names of a table.

    Attributes
    ----------
    names : list of str
        Of the columns, without that of row names.
    rows : list of Record
        Those below.
    declare : dict
        What to declare of them.
    """

    names: list[str]
    rows: list[Record]
    declare: dict[str, Any]


def completed(path: Path, lines: Lines, layout: Layout) -> tuple[Dialect, Columns]:
    """The dialect of a layout, with its header and the writing of its columns.

    Raises
    ------
    Unclear
        Where names are blank or stand there twice, the header stands again, there is no row, or
        all is one column of text.
    """
    given = layout.dialect
    layout = _without_titles(layout)
    top = _top(layout)
    heading = _heading(path, lines, layout)
    _refuse_names(path, heading, layout)
    begin = heading.declare.get("row_names", given.row_names)
    body = [record.cells[begin:] for record in heading.rows]
    gaps = [line for line in layout.blanks if line > top]
    if layout.width == 1:  # there a blank line is a gap
        body += [[""] for _ in gaps]
    if not body:
        raise Unclear(f"{path}: has a header but no rows; add the data")
    declare: dict[str, Any] = {"skip_lines": top} if top else {}
    declare |= heading.declare | ({"skip_blank_lines": True} if gaps and layout.width > 1 else {})
    if below := _below(heading, body, given):
        declare["skip_after_header"] = below
    found = columns(_by_name(heading.names, body[below:]), given)
    declare |= found.writing
    if layout.width == 1 and not found.numeric and not given.names:
        made_up = isinstance(heading.declare.get("header"), list)
        line = top if made_up else layout.rows[0].line
        declare |= _one_column(path, heading, body, line)
    return Dialect(**given.model_dump(exclude_unset=True) | declare), found


def _without_titles(layout: Layout) -> Layout:
    """Rows with nothing but a first cell, above one with names, are titles."""
    rows, given = layout.rows, layout.dialect
    full = next((k for k, record in enumerate(rows[:ABOVE]) if all(record.cells)), 0)
    alone = all(not any(record.cells[1:]) for record in rows[:full])
    if layout.width == 1 or not alone or not given.headed or any(map(like_data, rows[full].cells)):
        return layout
    return replace(layout, rows=rows[full:], above=[*layout.above, *rows[:full]])


def _top(layout: Layout) -> int:
    """How many lines stand above the table; comments are left to be skipped as such."""
    begins, given = layout.rows[0].line, layout.dialect
    if layout.above and given.comment:
        return layout.above[-1].line
    spaced = given.headed and any(given.skip_lines < line < begins for line in layout.blanks)
    return begins - 1 if layout.above or spaced else given.skip_lines


def _heading(path: Path, lines: Lines, layout: Layout) -> Heading:
    """The names: of the first row, unless it looks like data; of a comment; or made up.

    Raises
    ------
    Unclear
        Where the first row has names above numbers, and numbers itself.
    """
    given, rows = layout.dialect, layout.rows
    first, below = rows[0].cells, rows[1:]
    if given.names:
        return Heading(given.names, rows, {})
    if layout.named:
        return Heading(first, below, {"row_names": True})
    unnamed = len(first) > 1 and not first[0].strip() and all(name.strip() for name in first[1:])
    if unnamed and not any(map(like_data, first[1:])):
        return Heading(first[1:], below, {"row_names": True})
    data = [name for name in first if like_data(name)]
    if not data or "header" in given.model_fields_set:
        return Heading(first, below, {})
    names_above_data = not all(map(like_data, above_data(rows)))
    if _are_times(data) if names_above_data else len(data) < len(first) and _are_years(data):
        return Heading(first, below, {"header": True} if any(map(like_number, data)) else {})
    if names_above_data:
        what = f"{data[0]!r} is no name, beside names; declare header: true, or header: [names]"
        raise Unclear(f"{path}, line {rows[0].line}: {what}")
    if names := _behind_comment(lines, layout):
        return Heading(names, rows, {"header": COMMENTED})
    names = [f"x{k}" for k in range(1, layout.width + 1)]
    return Heading(names, rows, {"header": names})


def _are_times(names: Sequence[str]) -> bool:
    """Whether all are years or dates, as the columns of a wide table are called."""
    return all(DATE.fullmatch(name) or _is_year(name) for name in names)


def _is_year(name: str) -> bool:
    return name.isdecimal() and len(name) == 4 and 1000 < int(name) < 3000


def _are_years(names: Sequence[str]) -> bool:
    """Whether there are several, and they are years in steps."""
    steps = {int(b) - int(a) for a, b in pairwise(names)} if all(map(_is_year, names)) else set()
    return len(steps) == 1 and min(steps) > 0


def _behind_comment(lines: Lines, layout: Layout) -> list[str]:
    """The names in the last comment above the rows, if it has one for each column."""
    mark, begins = layout.dialect.comment, layout.rows[0].line
    above = [text for line, text in lines if line < begins and mark and text.startswith(mark)]
    names = cut(above[-1].removeprefix(mark or "").strip(), layout.dialect).cells if above else []
    fits = len(names) == layout.width and not any(map(like_data, names))
    return names if fits else []


def _refuse_names(path: Path, heading: Heading, layout: Layout) -> None:
    """Refuse names that no table may have, and a header that stands again.

    Raises
    ------
    Unclear
    """
    where, names = f"{path}, line {layout.rows[0].line}", heading.names
    if blank := [str(k) for k, name in enumerate(names, start=1) if not name.strip()]:
        raise Unclear(f"{where}: column {', '.join(blank)} has no name; name every column")
    if odd := [name for name in names if name in NO_NAMES and layout.dialect.headed]:
        remedy = "where the line is data, declare header: [names]"
        raise Unclear(f"{where}: {odd[0]!r} is no name of a column; {remedy}")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise Unclear(f"{where}: column {twice[0]} stands there twice; names must differ")
    again = [r.line for r in heading.rows if r.cells in (names, layout.rows[0].cells)]
    if again and heading.rows != layout.rows:
        raise Unclear(f"{path}, line {again[0]}: repeats the header: are there two tables?")


def _by_name(names: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    columns = ([*column] for column in zip(*rows, strict=True))
    return dict(zip(names, columns, strict=True))


def _below(heading: Heading, body: Sequence[Sequence[str]], given: Dialect) -> int:
    """How many rows below the header are no data: Orange's types and roles, or units."""
    if heading.declare.get("header", given.header) is not True or len(body) < 3:
        return 0
    first, second = body[:2]
    types = all({*cell.split(" ")} <= TYPES or " " in cell for cell in first)
    if types and not TYPES.isdisjoint(first) and ROLES.issuperset(second):
        return 2
    rest = columns(_by_name(heading.names, body[1:]), given)
    units = [cell for name, cell in zip(heading.names, first, strict=True) if name in rest.numeric]
    words = not any(cell in MARKERS or like_number(cell) for cell in units)
    return int(words and (len(units) > 1 or len(units) == len(first)))


def _one_column(
    path: Path, heading: Heading, body: Sequence[Sequence[str]], line: int
) -> dict[str, Any]:
    """What declares one column that is no numbers, if it is of dates or truth values.

    Raises
    ------
    Unclear
        For other text: perhaps it is a table that could not be cut.
    """
    [name] = heading.names
    if typed({cell for [cell] in body} - {*MARKERS}):
        return {"header": [name], "skip_lines": line}
    raise OneColumn(one_column(path, name, line))
