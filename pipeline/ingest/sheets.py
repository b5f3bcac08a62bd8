"""The sheets of an Excel workbook (.xlsx), by openpyxl, and what openpyxl does not tell of them.

It gives nothing for a formula that was never computed, and without loading all of a sheet it says
nothing of merged cells: `flaws` looks for both in the sheet's own XML.
"""

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias
from xml.etree.ElementTree import iterparse

import openpyxl
from openpyxl.utils.cell import range_boundaries

from pipeline.core.errors import PipelineError

TOP, ABOVE = 200, 30  # rows that are looked at for a header, rows that may stand above it
LAST = 2**20  # row that Excel has; a file may name any number, and openpyxl makes all before it
BLOCK, LONGEST_SIGN = 2**20, 64  # bytes
SIGNS = re.compile(rb"<(\w{1,20}:)?(f[\s/>]|mergeCell\s)|\shidden\s*=")
Cell: TypeAlias = Any  # openpyxl's; one that is not there has another type


class Flaw(NamedTuple):
    """A cell, or some of them, whose value cannot be told.

    Attributes
    ----------
    first, last : int
        Rows of the sheet, from 1.
    cells : str
        As `B7` or `B7:B9`.
    problem : str
    """

    first: int
    last: int
    cells: str
    problem: str


def found_table(path: Path, wanted: str | None = None) -> dict[str, Any]:
    """What of `table` tells where a workbook has its table, as far as it is not the default.

    The sheet is the only one that is shown and has cells. Above the header, which is all text,
    stand rows; no row below it has a cell where it has none, but for row names in front of it.

    Parameters
    ----------
    path : Path
    wanted : str, optional
        The name of the sheet.

    Raises
    ------
    PipelineError
        As `opened`.
    """
    with reading(path) as book:
        if wanted is None and len(book.worksheets) > 1:
            shown = [s for s in book.worksheets if s.sheet_state == "visible" and _top(s)]
            wanted = shown[0].title if len(shown) == 1 else None
        rows = _top(_chosen(path, book.worksheets, wanted))
    found = {"sheet": wanted, **_header(rows)}
    return {key: value for key, value in found.items() if value}


def _top(sheet: Any) -> list[dict[int, Any]]:
    """The values of the first rows, by their columns; none of a sheet without any."""
    rows = [
        {k: cell.value for k, cell in enumerate(row) if filled(cell)}
        for row in islice(all_rows(sheet), TOP)
    ]
    return rows if any(rows) else []


def _header(rows: Sequence[dict[int, Any]]) -> dict[str, Any]:
    for above, here in enumerate(rows[:ABOVE]):
        below = [row.keys() for row in rows[above + 1 :]]
        if not (here and all(isinstance(value, str) for value in here.values())):
            continue
        if all(row <= here.keys() for row in below):
            return {"skip_lines": above}
        names = min(here) - 1
        several = len(here) > 1  # a title may stand above the second of two columns
        if several and all(names in row and row - {names} <= here.keys() for row in below):
            return {"skip_lines": above, "row_names": True}
    return {}


def all_rows(sheet: Any) -> Iterator[Sequence[Cell]]:
    """The rows of a sheet, from its first.

    Raises
    ------
    ValueError
        For a row that no workbook has.
    """
    sheet.reset_dimensions()  # what a writer states there may be less than it has written
    rows = iter(sheet.iter_rows())
    yield from islice(rows, LAST)
    if next(rows, None) is not None:
        raise ValueError(f"it has rows behind {LAST}")


@contextlib.contextmanager
def opened(path: Path, wanted: str | None) -> Iterator[tuple[Any, Any]]:
    """Open a workbook, and the sheet that is declared or its only one.

    Raises
    ------
    PipelineError
        As `reading`, and when there is no such sheet.
    """
    with reading(path) as book:
        yield book, _chosen(path, book.worksheets, wanted)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Any]:
    """Open a workbook.

    Raises
    ------
    PipelineError
        When it cannot be read, now or while it is open.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what is no part of the cells
            yield openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (PipelineError, MemoryError):
        raise
    except Exception as error:  # openpyxl's own, zipfile's, expat's, IndexError, ...
        reason = f"cannot be read as a workbook: {type(error).__name__}: {error}"
        raise PipelineError(f"{path}: {reason}; save it again") from None


def _chosen(path: Path, sheets: Sequence[Any], wanted: str | None) -> Any:
    names = [sheet.title for sheet in sheets]
    listed = ", ".join(map(repr, names))
    if not sheets:
        raise PipelineError(f"{path}: has no sheet with cells; save it again")
    if wanted is None and len(sheets) > 1:
        choose = "choose one by --sheet, or table: sheet in params.yaml"
        raise PipelineError(f"{path}: has the sheets {listed}; {choose}")
    if wanted is not None and wanted not in names:
        raise PipelineError(f"{path}: has no sheet {wanted!r}; expected one of {listed}")
    return sheets[0 if wanted is None else names.index(wanted)]


def flaws(file: IO[bytes]) -> Iterator[Flaw]:
    """Formulas that were never computed, merged cells, and (without cells) hidden rows.

    Parameters
    ----------
    file : file
        The XML of a sheet.
    """
    if not _has_signs(file):  # of most sheets nothing has to be parsed
        return
    file.seek(0)
    row, waiting = 0, list[str]()
    for _, element in iterparse(file):
        tag = element.tag.rpartition("}")[2]
        if tag == "c":
            if _uncomputed(element):
                waiting.append(element.get("r") or "some cell")
            element.clear()
        elif tag == "row":
            row = int(element.get("r") or row + 1)
            problem = "is a formula without a value; open and save it in Excel"
            yield from (Flaw(row, row, cell, problem) for cell in waiting)
            waiting.clear()
            if element.get("hidden") in ("1", "true"):
                yield Flaw(row, row, "", "")
            element.clear()
        elif tag == "mergeCell":
            _, first, _, last = range_boundaries(element.get("ref"))
            cells = str(element.get("ref"))
            yield Flaw(first, last, cells, "is merged; expected a value in each cell: unmerge it")


def _has_signs(file: IO[bytes]) -> bool:
    """Whether a sheet has a formula, merged cells or something hidden."""
    before = b""
    while block := file.read(BLOCK):
        if SIGNS.search(before + block):
            return True
        before = block[-LONGEST_SIGN:]
    return False


def _uncomputed(cell: Any) -> bool:
    """Whether a cell has a formula and no value; one of text may be empty."""
    parts = {part.tag.rpartition("}")[2]: part.text for part in cell}
    return "f" in parts and cell.get("t") != "str" and not parts.get("v")


def filled(cell: Cell) -> bool:
    """Whether a cell has a value; empty text is none."""
    return cell is not None and cell.value not in (None, "")
