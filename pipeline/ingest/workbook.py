"""Rows of one sheet of an Excel workbook (.xlsx)."""

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
from openpyxl.styles.numbers import is_datetime
from openpyxl.utils.cell import get_column_letter

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, Problems
from pipeline.core.text import shown
from pipeline.ingest.cells import TEXT, column
from pipeline.ingest.numbers import MARKERS, like_number
from pipeline.ingest.sheets import Cell, all_rows, filled, flaws, opened
from pipeline.ingest.table_file import Batch, TableFile, unfit_names

ROWS = 8192  # in memory
DIGITS = 15  # that Excel keeps of a number
NO_DIGITS = re.compile(r"e.*|\D")
CODE = re.compile(r"0\d")  # which is no number
Row: TypeAlias = tuple[int, Sequence[Cell]]


@dataclass
class Mixed:
    """What the cells of a column are: whether some are numbers, and which texts there are.

    `first` is the place of the first text; `long`, whether a number has more digits than are kept.
    """

    numbers: bool = False
    texts: Counter[str] = field(default_factory=Counter)
    first: str = ""
    long: bool = False


class Workbook(TableFile):
    """A sheet whose header has passed; its rows can be read again and again.

    Numbers are int64 where all cells of a column are integers, else float64; a column in which some
    cell is text is text. Dates and times are text of ISO 8601, truth values true and false.

    Parameters
    ----------
    path : Path
    table : Table
        Which sheet, what stands above its header, which texts are no value.

    Attributes
    ----------
    sheet : str
        Its name.
    hidden : int
        How many rows of it are hidden; they are read, too.

    Raises
    ------
    PipelineError
        When there is no such workbook, it has several sheets and none is declared, or its header
        cannot be used.
    """

    def __init__(self, path: Path, table: Table) -> None:
        super().__init__(path)
        self._declared = table
        self.sheet, self.hidden, self._mixed = "", 0, list[Mixed]()
        with self._sheet() as rows:
            top = list(islice(rows, table.skip_lines + 1))
        row, cells = top[-1] if top else (0, ())
        if len(top) <= table.skip_lines or not any(map(filled, cells)):
            where = f"{self._place(table.skip_lines + 1)}: is blank"
            raise PipelineError(f"{where}; expected a header there, or declare table: skip_lines")
        there = [k for k, cell in enumerate(cells) if filled(cell)]
        if table.header is True:
            self._above, self._first, self.header = row, there[0], _names(cells, there)
        else:
            self._above, self._first, self.header = row - 1, 0, list(table.header)
        self._refuse_names(self._place(row))

    def _refuse_names(self, where: str) -> None:
        odd = [shown(str(name)) for name in self.header if not isinstance(name, str)]
        if odd:
            expected = "expected a row of column names; declare table: skip_lines or header"
            raise PipelineError(f"{where}: {odd[0]} is no name, {expected}")
        if problem := unfit_names(self.header):
            raise PipelineError(f"{where}: {problem}")

    def notes(self) -> list[str]:
        """What has made text of numbers, and what the workbook may have rounded."""
        said = [f"{self.hidden} rows of the sheet are hidden; they are read, too"] * (
            self.hidden > 0
        )
        for name, mixed in zip(self.header, self._mixed, strict=True):
            text = f"{name} is text: {mixed.first} holds {shown(next(iter(mixed.texts), ''))}"
            if mixed.texts and all(like_number(t) and not CODE.match(t) for t in mixed.texts):
                others = "numbers" if mixed.numbers else "such text"
                said.append(f"{text}, a number as text, and other cells {others}: make it numbers")
            elif mixed.texts and mixed.numbers:
                said.append(f"{text}, and other cells numbers; --missing declares what is no value")
        if long := [name for name, m in zip(self.header, self._mixed, strict=True) if m.long]:
            text = f"{', '.join(long)}: numbers of more than {DIGITS} digits; a workbook keeps"
            said.append(f"{text} {DIGITS} (Excel) to 17, those behind are lost")
        return said

    def markers(self) -> list[str]:
        """Texts of MARKERS that alone stand among the numbers of a column."""
        among = [{*mixed.texts} for mixed in self._mixed if mixed.numbers]
        found = {text for texts in among if texts <= {*MARKERS} for text in texts}
        return [marker for marker in MARKERS if marker in found]

    def _batches(self) -> Iterator[Batch]:
        problems, self._mixed = Problems(), [Mixed() for _ in self.header]
        for flaw in self._flaws():
            problems.add(flaw)
        with self._sheet() as rows:
            found = self._rows(islice(rows, self._above, None), problems)
            while some := [*islice(found, ROWS)]:
                arrays = [
                    self._column(k, [values[k] for _, values in some])
                    for k in range(len(self.header))
                ]
                if not problems:
                    yield [(row, 1) for row, _ in some], arrays
        if problems:
            raise PipelineError(str(problems))

    def _column(self, k: int, values: list[str | float | bool | None]) -> pa.Array:
        """The cells of a column; numbers are written as Python does, which loses nothing."""
        texts = any(isinstance(value, str) for value in values)
        self._mixed[k].numbers |= any(isinstance(value, int | float) for value in values)
        kind = TEXT if texts or self._mixed[k].texts else self._kinds[k]
        cells = [None if value is None else str(value) for value in values]
        return column(cells, kind, Dialect(), self.header[k])

    def _rows(
        self, rows: Iterator[Row], problems: Problems
    ) -> Iterator[tuple[int, list[str | float | bool | None]]]:
        """The rows that have cells, as values; blank ones at the end are no rows."""
        blank, width, outer = 0, self._first + len(self.header), set[int]()
        if self._declared.row_names:
            outer.add(self._first - 1)
        for row, cells in rows:
            if not any(map(filled, cells)):
                blank = blank or row
                continue
            if blank:
                follows = f"and row {row} is not; remove it, and behind a table what follows"
                problems.add(f"{self._place(blank)}: is blank, {follows}")
                blank = 0
            for k in (*range(self._first), *range(width, len(cells))):
                if k < len(cells) and k not in outer and filled(cells[k]):
                    outer.add(k)  # once a column
                    what = f"{shown(str(cells[k].value))} stands in a column without name"
                    problems.add(f"{self._place(row, k)}: {what}; name it, or remove it")
            inside = [*cells[self._first : width]]
            inside += [None] * (len(self.header) - len(inside))
            values = [self._value(row, k, cell, problems) for k, cell in enumerate(inside)]
            yield row, values

    def _value(self, row: int, k: int, cell: Cell, problems: Problems) -> str | float | bool | None:
        if not filled(cell):
            return None
        value = cell.value
        if isinstance(value, str) and value in self._declared.missing:
            return None
        if isinstance(value, datetime | date | time):
            value = _iso(value, cell.number_format)
        elif isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str) and cell.data_type != "e":
            self._note_text(row, k, value)
        elif isinstance(value, int | float) and isfinite(value):
            text = repr(value)
            self._mixed[k].long |= (
                len(text) > DIGITS and len(NO_DIGITS.sub("", text).strip("0")) > DIGITS
            )
        else:
            problems.add(f"{self._place(row, self._first + k)}: {_refused(value)}")
            return None
        return value  # type: ignore[no-any-return]

    def _note_text(self, row: int, k: int, text: str) -> None:
        mixed = self._mixed[k]
        mixed.first = mixed.first or f"{get_column_letter(self._first + k + 1)}{row}"
        if len(mixed.texts) < ROWS:
            mixed.texts[text] += 1

    def _place(self, row: int, column: int | None = None) -> str:
        name = "" if column is None else get_column_letter(column + 1)
        return f"{self.path}, {self.sheet}!{name}{row}" if name else f"{self.path}, row {row}"

    def _flaws(self) -> Iterator[str]:
        """Flaws below what is skipped."""
        with (
            opened(self.path, self._declared.sheet) as (book, sheet),
            book._archive.open(sheet._worksheet_path) as file,
        ):
            self.hidden = 0
            for flaw in flaws(file):
                if not flaw.cells:
                    self.hidden += flaw.first > self._above
                elif flaw.last > self._declared.skip_lines:
                    yield f"{self.path}, {self.sheet}!{flaw.cells}: {flaw.problem}"

    @contextlib.contextmanager
    def _sheet(self) -> Iterator[Iterator[Row]]:
        """The rows of the sheet, with their numbers."""
        with opened(self.path, self._declared.sheet) as (_, sheet):
            self.sheet = sheet.title
            yield enumerate(all_rows(sheet), start=1)


def _names(cells: Sequence[Cell], there: Sequence[int]) -> list[Any]:
    """The cells from the first to the last that is filled."""
    places = range(there[0], there[-1] + 1)
    return [cells[k].value if filled(cells[k]) else "" for k in places]


def _refused(value: object) -> str:
    """What is wrong with a value that is none: an error, a duration, no finite number."""
    if isinstance(value, timedelta):
        return "is a duration, expected a number, of minutes say"
    if isinstance(value, float):
        return f"{value}, expected a finite number"
    return f"{value}, expected a value; mend the formula, or empty the cell"


def _iso(value: date | time, form: str) -> str:
    """A date or time; without midnight where the cell's format shows a day alone."""
    if isinstance(value, datetime) and is_datetime(form) == "date" and value.time() == time():
        return str(value.date())
    return value.isoformat()
