"""What a refused CSV file looks like: a declaration that would read it, where one is likely."""

import codecs
import contextlib
import re
import zlib
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import cast

from pipeline.core.errors import PipelineError
from pipeline.core.params import Dialect
from pipeline.core.text import is_number, pointed
from pipeline.ingest.records import opened, parsed

HEAD = 2**16  # bytes
LINES = 30
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|"}


def suggestion(path: Path, dialect: Dialect, like: str = "") -> str:
    """One line to show behind the problems of a file, or nothing.

    It is guessed from the first 64 KB and 30 lines, and changes nothing by itself.

    Parameters
    ----------
    path : Path
    dialect : Dialect
        As declared; what it says already is not suggested.
    like : str, optional
        What to do about it, where the dialect is given and it is the file that must change.
    """
    look, remedy = _likely(path, dialect)
    if like:
        told = look if remedy.startswith("declare") else f"{look}: {remedy}"
        return f"the file looks {told}; {like}" if look else like
    return f"the file looks {look}: {remedy} (params.yaml: datasets.*.ingest.csv)" if look else ""


def _likely(path: Path, dialect: Dialect) -> tuple[str, str]:
    """How the file looks, and the declaration for it; the first guess that fits, or nothing."""
    head = _head(path)
    if head.startswith(b"\x1f\x8b") and path.suffix != ".gz":
        return "compressed", f"name it {path.name}.gz, and its source too"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and dialect.encoding != "utf-16":
        return "like UTF-16", "declare encoding: utf-16"
    few, many = sorted(head[k::2].count(0) for k in (0, 1))
    if 4 * many > len(head) > 0 and 10 * few < many:
        return "like UTF-16 without its mark", "save it as UTF-8"
    numbered = [*enumerate(head.decode(dialect.encoding, "replace").splitlines(), start=1)]
    numbered = [(k, line) for k, line in numbered[dialect.skip_lines :][:LINES] if line.strip()]
    lines = [line for _, line in numbered]
    for mark in ("#", "%", "//"):
        if any(line.startswith(mark) for line in lines) and dialect.comment is None:
            return "to have comments", f'declare comment: "{mark}"'
    if dialect.quote and f"{dialect.delimiter} {dialect.quote}" in "\n".join(lines):
        return "to have spaces behind its delimiters", "declare strip_spaces: true"
    fields = _fields(lines, dialect)
    if len(set(fields)) != 1 or fields[0] == 1:
        for delimiter, name in DELIMITERS.items():
            update = {"delimiter": delimiter, "decimal": ".", "quote": '"'}
            other = dialect.model_copy(update=update)
            found = set(_fields(lines, other))
            if delimiter != dialect.delimiter and len(found) == 1 and found != {1}:
                shown = "\\t" if delimiter == "\t" else delimiter
                values = [cell for line in lines[1:] for cell in _cells(line, other)]
                commas = decimal_commas(values) and dialect.decimal == "."
                decimal = ', decimal: ","' * commas
                look = f"{name}-separated{', with decimal commas' * commas}"
                return look, f'declare delimiter: "{shown}"{decimal}'
    one_more = len(lines) > 1 and all(n == fields[0] + 1 for n in fields[1:])
    if one_more and all(line.endswith(dialect.delimiter) for line in lines[1:]):
        return "to have a delimiter at the end of every record", "remove it"
    cells = [_cells(line, dialect) for line in lines[:10]]
    titles = next((k for k, row in enumerate(cells) if row and all(row)), 0)
    alone = all(row and row[0] and not any(row[1:]) for row in cells[:titles])
    if not alone or dialect.header is not True:  # without a header, such rows may be data
        titles = 0
    for first in range(1, min(len(fields) - 1, 10)):
        if len(set(fields[first:])) == 1 and fields[first] not in (1, *fields[:first]):
            titles = titles or first
    if titles:
        begins = numbered[titles][0]
        return f"to begin on line {begins}", f"declare skip_lines: {begins - 1}"
    return "", ""


def decimal_commas(cells: Sequence[str]) -> bool:
    """Whether numbers among the cells have decimal commas, and none has a decimal point.

    >>> decimal_commas(["1,5"]), decimal_commas(["1,5", "2.5"]), decimal_commas(["-1,234", "56"])
    (True, False, False)
    """
    if any("." in cell and is_number(cell) for cell in cells):
        return False
    numbers = [cell for cell in cells if "," in cell and is_number(*pointed([cell], ","))]
    return not all(map(THOUSANDS.fullmatch, numbers))


def _head(path: Path) -> bytes:
    """The first bytes, unpacked, up to where an archive is damaged."""
    head = b""
    damaged = contextlib.suppress(PipelineError, OSError, EOFError, zlib.error)
    with damaged, opened(path) as file:
        while len(head) < HEAD and (block := cast(BufferedReader, file).read1(HEAD)):
            head += block
    return head[:HEAD]


def _fields(lines: list[str], dialect: Dialect) -> list[int]:
    """The number of fields of each line."""
    return [len(_cells(line, dialect)) for line in lines]


def _cells(line: str, dialect: Dialect) -> list[str]:
    cells, problem = parsed(line, dialect)
    return [] if problem is None else cells
