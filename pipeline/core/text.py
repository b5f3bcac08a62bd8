"""Text from outside: what is a number, a date or nearly a known word, how it is shown, and YAML.

It is shown without harm in a spreadsheet, a page, a terminal. YAML that a person wrote is numbers,
text, lists and mappings, and nothing else.
"""

import csv
import difflib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from types import SimpleNamespace
from typing import IO, Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.events import AliasEvent

# A leading zero (007) marks an identifier, not a number.
INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INT64 = range(-(2**63), 2**63)
EXACT = 2**53  # up to it each integer is a float of its own
MONTHS = "January February March April May June July August September October November December"
# What may stand in place of a directive of strptime.
DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": "(?:0?[1-9]|1[0-2])",
    "%b": f"(?:{'|'.join(month[:3] for month in MONTHS.split())})",
    "%B": f"(?:{'|'.join(MONTHS.split())})",
    "%d": r"(?P<day>0?[1-9]|[12]\d|3[01])",
    "%H": r"(?:[01]?\d|2[0-3])",
    "%I": "(?:0?[1-9]|1[0-2])",
    "%p": "[AP]M",
    "%M": r"[0-5]\d",
    "%S": r"[0-5]\d",
}
DIRECTIVE = re.compile("|".join(DIRECTIVES))
NONE = "?"  # no number has it
COMMA = str.maketrans(",.", ".,")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that a spreadsheet would compute begins so


def is_number(cell: str) -> bool:
    """Whether a cell is a finite decimal number: not nan, 1_000, 0x10, 007 or 1e400."""
    return bool(NUMBER.fullmatch(cell)) and abs(float(cell)) != float("inf")


def shape_of(form: str) -> str:
    r"""The regular expression of dates that are written in a form of strptime.

    >>> shape_of("%Y.%d")
    '(?i)^\\d{4}\\.(?P<day>0?[1-9]|[12]\\d|3[01])$'
    """
    between = [*map(re.escape, DIRECTIVE.split(form))]
    parts = [*(DIRECTIVES[one] for one in DIRECTIVE.findall(form)), ""]
    shape = "".join(chain.from_iterable(zip(between, parts, strict=True)))
    if "" in between[1:-1]:  # nothing but their digits tells parts apart: each has all of them
        shape = shape.replace("0?", "0").replace(r"[01]?\d", r"[01]\d")
    return f"(?i)^{shape}$"


def pointed(
    cells: Sequence[str], decimal: str, thousands: str = "", minus: str = "-", unit: str = ""
) -> Sequence[str]:
    """Cells as numbers are written here; what is no number in that writing is none here.

    >>> pointed(["1,5", "1.5"], ",")
    ['1.5', '1,5']
    >>> pointed(["$1,234.5", "-$1", "1", "$1,23"], ".", ",", "-", "$")
    ['1234.5', '-1', '', '1?23']
    >>> pointed(["55 m2", "m255"], ".", unit="m2")
    ['55', '']
    """
    if unit:
        cells = [_bare(cell, unit, minus) for cell in cells]
    if minus != "-":
        cells = [cell.replace(minus, "-") for cell in cells]
    if thousands:
        grouped = _grouped(thousands, decimal)
        cells = [c.replace(thousands, "" if grouped.fullmatch(c) else NONE) for c in cells]
    return [cell.translate(COMMA) for cell in cells] if decimal == "," else cells


def _bare(cell: str, unit: str, minus: str) -> str:
    """The number that a unit stands before or behind; nothing where it is missing."""
    sign = cell[: cell.startswith((minus, "-", "+"))]
    size = cell.removeprefix(sign)
    behind = size.removeprefix(unit)
    run_together = unit[-1].isdecimal() and behind[:1].isdecimal()  # m255 is not 55 m2
    if behind != size and not run_together:
        return sign + behind.lstrip(" \u00a0\u202f")
    if size.endswith(unit):
        return sign + size.removesuffix(unit).rstrip(" \u00a0\u202f")
    return ""


@cache
def _grouped(thousands: str, decimal: str) -> re.Pattern[str]:
    groups = rf"[+-]?[1-9][0-9]{{0,2}}({re.escape(thousands)}[0-9]{{3}})+"
    return re.compile(rf"{groups}({re.escape(decimal)}[0-9]*)?")


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing when no known word is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if not close:
        return ""
    [meant] = close
    return f" (did you mean {meant if meant.strip() == meant else repr(meant)}?)"


def escape_formula(cell: str) -> str:
    """The cell, with a quote in front where a spreadsheet would execute it.

    >>> escape_formula("=1+1"), escape_formula("-5"), escape_formula("a=1")
    ("'=1+1", '-5', 'a=1')
    """
    return f"'{cell}" if cell.startswith(FORMULA) and not is_number(cell) else cell


def shown(text: str) -> str:
    """Text as Python writes it, shortened."""
    return repr(text) if len(repr(text)) <= 60 else repr(text[:57])[:57] + "..."


def in_one_line(text: str) -> str:
    """Without control characters, which may tear a page, and in one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def csv_writer(file: IO[str], delimiter: str = ",") -> Any:
    """What writes rows of CSV, and quotes every cell that holds part of a line end.

    Python's own quotes a CR only where lines end with one: here they do, and are written with LF.
    """
    lf: Any = SimpleNamespace(write=lambda line: file.write(line.removesuffix("\r\n") + "\n"))
    return csv.writer(lf, delimiter=delimiter, lineterminator="\r\n")


class _Composer(Composer):
    """Refuses aliases: ten lines of them are a billion values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "an alias (*) is not taken; write the value", mark)
        return super().compose_node(parent, index)


def load_yaml(text: str) -> Any:
    """Read YAML 1.2, as DVC does: PyYAML would take 1e-05, which `dvc exp run -S` writes, for text.

    Raises
    ------
    YAMLError, ValueError, RecursionError
        For text that is no YAML, a key that stands twice, a tag such as !!python/name, an alias.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _Composer
    return reader.load(text)
