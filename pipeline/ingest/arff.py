"""Rows of an ARFF file: its declarations, and CSV in a dialect of its own."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core.checked_inputs import state
from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, Problems
from pipeline.core.text import is_number, shown
from pipeline.ingest.cells import NULL, TEXT
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.records import Record, place
from pipeline.ingest.table_file import Batch, unfit_names

QUOTED_TEXT = r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""
ATTRIBUTE = re.compile(rf"@attribute\s+(?:{QUOTED_TEXT}|([^\s{{]+))\s*(.+)", re.I)
VALUE = re.compile(rf"\s*(?:{QUOTED_TEXT}|([^,]*?))\s*(?:,|\Z)")
NUMBERS, TEXTS = ("numeric", "real", "integer"), ("string", "date")
QUOTED = re.compile(r"""(?:^|,)\s*(['"])""")
ESCAPED = re.compile(r"\\(.)")


class Attribute(NamedTuple):
    """What is declared of a column: its name, and which cells it may have.

    Attributes
    ----------
    name : str
    numeric : bool
    values : frozenset or None
        Of a nominal one.
    """

    name: str
    numeric: bool
    values: frozenset[str] | None


class ArffFile(CsvFile):
    """An ARFF file whose declarations have passed; its rows can be read again and again.

    Attributes that are numeric hold numbers, all others text; `?` is no value. Sparse rows, weights
    and relational attributes are refused.

    Parameters
    ----------
    path : Path
    table : Table
        Texts that are no value, beside `?`.

    Raises
    ------
    PipelineError
        When there is no such file, or a declaration cannot be used.
    """

    def __init__(self, path: Path, table: Table) -> None:
        before = state(path)
        self._attributes, line = _declared(path)
        names = [attribute.name for attribute in self._attributes]
        dialect = Dialect(
            header=names, skip_lines=line, quote=_quote(path, line), escape="\\", comment="%",
            missing=["?", *table.missing], quoted_missing=False, strip_spaces=True,
            skip_blank_lines=True,
        )  # fmt: skip
        super().__init__(path, dialect, advise=False)
        self.state = before
        self._kinds = [NULL if attribute.numeric else TEXT for attribute in self._attributes]

    def _batches(self) -> Iterator[Batch]:
        problems = Problems()
        for lines, arrays in super()._batches():
            for attribute, values in zip(self._attributes, arrays, strict=True):
                if attribute.numeric and values.type != TEXT:
                    continue
                fits, expected = _expected(attribute)
                for (line, _), value in zip(lines, values.to_pylist(), strict=True):
                    if not (value is None or fits(value)):
                        where = f"{self.path}, line {line}, column {attribute.name}"
                        problems.add(f"{where}: {shown(value)}, expected {expected}, as declared")
            if not problems:
                yield lines, arrays
        if problems:
            raise PipelineError(str(problems))

    def _say_skipped(self, skipped: Counter[str]) -> None:
        """Comments and blank lines are as the format has them."""

    def _told(self, record: Record, header: Sequence[str]) -> str:
        return f"{place(self.path, record, header)}: {record.problem}"


def _expected(attribute: Attribute) -> tuple[Callable[[str], bool], str]:
    """Which cells an attribute may have, and how to say so."""
    if attribute.numeric:
        return is_number, "a finite number"
    if attribute.values is not None:
        return attribute.values.__contains__, "one of its values"
    return lambda _: True, "text"


def _declared(path: Path) -> tuple[list[Attribute], int]:
    """The attributes, and the line of @data."""
    found = list[Attribute]()
    for line, text in _lines(path):
        word = text.split(maxsplit=1)[0].lower() if text.strip() else "%"
        if word.startswith(("%", "@relation")):
            continue
        if word == "@data":
            if problem := unfit_names([attribute.name for attribute in found]):
                raise PipelineError(f"{path}, above line {line}: {problem}")
            return found, line
        found.append(_attribute(path, line, text.strip()))
    raise PipelineError(f"{path}: has no line @data; expected an ARFF file")


def _attribute(path: Path, line: int, text: str) -> Attribute:
    match = ATTRIBUTE.fullmatch(text)
    if not match:
        expected = "expected @relation, @attribute NAME TYPE, @data or a comment behind %"
        raise PipelineError(f"{path}, line {line}: {text[:57]!r}, {expected}")
    name, kind = _plain(match), match[4]
    if kind.startswith("{") and "}" in kind:
        inside = kind[1 : kind.rindex("}")]
        values = [match for match in VALUE.finditer(inside) if match[0] or match.start() == 0]
        return Attribute(name, False, frozenset(map(_plain, values)))
    kind = kind.split()[0].lower()
    if kind not in (*NUMBERS, *TEXTS):
        expected = "expected numeric, {values}, string or date"
        raise PipelineError(f"{path}, line {line}: attribute {name} is {kind}, {expected}")
    return Attribute(name, kind in NUMBERS, None)


def _plain(match: re.Match[str]) -> str:
    """A name or value, without its quotes."""
    single, double, bare = match.groups()[:3]
    return bare if bare is not None else ESCAPED.sub(r"\1", single if double is None else double)


def _quote(path: Path, above: int) -> str:
    """The quote of all values; sparse rows are refused on the way."""
    found = dict[str, int]()
    for line, text in _lines(path):
        if line <= above or text.startswith("%"):
            continue
        if text.lstrip().startswith("{"):
            expected = "expected all values of it: save it as not sparse"
            raise PipelineError(f"{path}, line {line}: is a sparse row, {expected}")
        for quote in QUOTED.findall(text):
            found.setdefault(quote, line)
    if len(found) > 1:
        raise PipelineError(
            f"{path}, line {max(found.values())}: has quotes of another kind than line "
            f"{min(found.values())}; write ' or \" throughout"
        )
    return next(iter(found), "'")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            yield from enumerate(file, start=1)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None
