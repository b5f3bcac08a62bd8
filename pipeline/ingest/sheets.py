"""The sheets of an Excel workbook (.xlsx), by openpyxl, and what openpyxl does not tell of them.

It gives nothing for a formula that was never computed, and without loading all of a sheet it says
nothing of merged cells: `flaws` looks for both in the sheet's own XML.
"""

import contextlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeAlias
from xml.etree.ElementTree import ParseError, iterparse

import openpyxl
from openpyxl.utils.cell import range_boundaries

from pipeline.core.errors import PipelineError

TOP, ABOVE = 200, 30  # rows that are looked at for a header, rows that may stand above it
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


def rows_above(path: Path, sheet: str | None = None) -> int:
    """How many rows of a sheet stand above the first that may be its header.

    All its cells are text, and no row below has a cell where it has none. 0 where there is none.
    """
    with opened(path, sheet) as (_, found):
        rows = [[*row] for row in islice(all_rows(found), TOP)]
    there = [{k for k, cell in enumerate(row) if filled(cell)} for row in rows]
    for above, here in enumerate(there[:ABOVE]):
        texts = all(isinstance(rows[above][k].value, str) for k in here)
        if here and texts and all(below <= here for below in there[above + 1 :]):
            return above
    return 0


def all_rows(sheet: Any) -> Iterator[Sequence[Cell]]:
    """The rows of a sheet, from its first."""
    sheet.reset_dimensions()  # what a writer states there may be less than it has written
    return iter(sheet.iter_rows())


@contextlib.contextmanager
def opened(path: Path, wanted: str | None) -> Iterator[tuple[Any, Any]]:
    """Open a workbook, and the sheet that is declared or its only one.

    Raises
    ------
    PipelineError
        When it cannot be read, now or while it is open, or there is no such sheet.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what is no part of the cells
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                yield book, _chosen(path, book.worksheets, wanted)
            finally:
                book.close()
    except PipelineError:
        raise
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing; put the workbook there") from None
    except (
        OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile, ParseError,
    ) as error:  # fmt: skip
        reason = f"cannot be read as a workbook: {type(error).__name__}: {error}"
        raise PipelineError(f"{path}: {reason}; save it again") from None


def _chosen(path: Path, sheets: Sequence[Any], wanted: str | None) -> Any:
    names = [sheet.title for sheet in sheets]
    listed = ", ".join(map(repr, names))
    if wanted is None and len(sheets) != 1:
        raise PipelineError(f"{path}: has the sheets {listed}; declare table: sheet")
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
