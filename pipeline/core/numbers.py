"""What counts as a number in a text file."""

import re

# A leading zero (007) marks an identifier, not a number.
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INT64 = range(-(2**63), 2**63)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number: not nan, 1_000, 0x10, 007 or 1e400."""
    return bool(NUMBER.fullmatch(cell)) and abs(float(cell)) != float("inf")
