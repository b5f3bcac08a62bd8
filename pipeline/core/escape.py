"""Text from outside, made harmless where it is shown: in a spreadsheet, a page, a terminal."""

import csv
from typing import IO, Any

from pipeline.core.numbers import is_number

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that a spreadsheet would compute begins so


def escape_formula(cell: str) -> str:
    """The cell, with a quote in front where a spreadsheet would execute it.

    >>> escape_formula("=1+1"), escape_formula("-5"), escape_formula("a=1")
    ("'=1+1", '-5', 'a=1')
    """
    return f"'{cell}" if cell.startswith(FORMULA) and not is_number(cell) else cell


def in_one_line(text: str) -> str:
    """Without control characters, which may tear a page, and in one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class _LinesOfLf:
    """A file for lines that end with CRLF, which it writes with LF."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, line: str) -> int:
        return self._file.write(line.removesuffix("\r\n") + "\n")


def csv_writer(file: IO[str], delimiter: str = ",") -> Any:
    """What writes rows of CSV, and quotes every cell that holds part of a line end.

    Python's own quotes a CR only where lines end with one.
    """
    return csv.writer(_LinesOfLf(file), delimiter=delimiter, lineterminator="\r\n")
