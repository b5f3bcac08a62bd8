"""What counts as a number in a text file."""

import re
from collections.abc import Sequence

# A leading zero (007) marks an identifier, not a number.
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INT64 = range(-(2**63), 2**63)
COMMA = str.maketrans(",.", ".,")


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number: not nan, 1_000, 0x10, 007 or 1e400."""
    return bool(NUMBER.fullmatch(cell)) and abs(float(cell)) != float("inf")


def pointed(cells: Sequence[str], decimal: str) -> Sequence[str]:
    """Cells with the decimal point that numbers have here; with a comma, `1.5` is no number."""
    return [cell.translate(COMMA) for cell in cells] if decimal == "," else cells
