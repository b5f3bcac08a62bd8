"""Rows of an ARFF file: its declarations, and CSV in a dialect of its own."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.core.checked_inputs import state
from pipeline.core.errors import PipelineError
from pipeline.core.params import Dialect, Table
from pipeline.ingest.cells import NULL, TEXT
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.records import Record, place

ATTRIBUTE = re.compile(
    r"""@attribute\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\s{]+))\s*(.+)""", re.I
)
NUMBERS, TEXTS = ("numeric", "real", "integer"), ("string", "date")
QUOTED = re.compile(r"""(?:^|,)\s*(['"])""")
ESCAPED = re.compile(r"\\(.)")


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
        names, kinds, line = _declared(path)
        dialect = Dialect(
            header=names, skip_lines=line, quote=_quote(path, line), escape="\\", comment="%",
            missing=["?", *table.missing], quoted_missing=False, strip_spaces=True,
            skip_blank_lines=True,
        )  # fmt: skip
        super().__init__(path, dialect, advise=False)
        self.state = before
        self._numeric = [n for n, kind in zip(names, kinds, strict=True) if kind in NUMBERS]
        self._kinds = [NULL if kind in NUMBERS else TEXT for kind in kinds]

    def _refuse_odd(self) -> None:
        if texts := [name for name in self.text_columns() if name in self._numeric]:
            raise PipelineError(
                f"{self.path}: attribute {', '.join(texts)} is declared numeric, and has other "
                "values, too; declare it {its values}, or string"
            )

    def _say_skipped(self, skipped: Counter[str]) -> None:
        """Comments and blank lines are as the format has them."""

    def _told(self, record: Record, header: Sequence[str]) -> str:
        return f"{place(self.path, record, header)}: {record.problem}"


def _declared(path: Path) -> tuple[list[str], list[str], int]:
    """The names and types of the attributes, and the line of @data."""
    names, kinds = list[str](), list[str]()
    for line, text in _lines(path):
        word = text.split(maxsplit=1)[0].lower() if text.strip() else "%"
        if word.startswith(("%", "@relation")):
            continue
        if word == "@data":
            if not names:
                raise PipelineError(f"{path}: declares no attribute above line {line}")
            return names, kinds, line
        name, kind = _attribute(path, line, text.strip())
        names.append(name)
        kinds.append(kind)
    raise PipelineError(f"{path}: has no line @data; expected an ARFF file")


def _attribute(path: Path, line: int, text: str) -> tuple[str, str]:
    match = ATTRIBUTE.fullmatch(text)
    if not match:
        expected = "expected @relation, @attribute NAME TYPE, @data or a comment behind %"
        raise PipelineError(f"{path}, line {line}: {text[:57]!r}, {expected}")
    single, double, bare, kind = match.groups()
    name = bare if bare is not None else ESCAPED.sub(r"\1", single if double is None else double)
    kind = "{}" if kind.startswith("{") else kind.split()[0].lower()
    if kind not in (*NUMBERS, *TEXTS, "{}"):
        expected = "expected numeric, {values}, string or date"
        raise PipelineError(f"{path}, line {line}: attribute {name} is {kind}, {expected}")
    return name, kind


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
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            yield from enumerate(file, start=1)
    except FileNotFoundError:
        raise PipelineError(f"{path} is missing; put the file there") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None
