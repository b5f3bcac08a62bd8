"""The records of a CSV file, one by one, exactly as the dialect declares them.

Cells are what stands between delimiters and quotes: nothing is guessed, filled or shifted. What
does not fit is a problem with line and column, and reading goes on where the next line is certain.
"""

import codecs
import gzip
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from pipeline.core.errors import PipelineError
from pipeline.core.params import Dialect

BLOCK = 2**17  # bytes: their lines are as many objects
LONGEST_CELL = 2**17  # characters; a quote that is never closed takes the rest of the file
LONGEST_LINE = 2**26  # bytes
ENDED = sys.maxsize  # behind every line
BLANK = "is blank; remove it, or declare skip_blank_lines: true"


class Record(NamedTuple):
    """The cells of one record, or the problem that it has.

    Attributes
    ----------
    line : int
        The line of the file on which it begins, from 1; ENDED for an error behind which nothing can
        be told.
    cells : list of str
        As they stand in the file; with a problem those before it.
    problem : str
        What is wrong, or nothing.
    column : int
        Where the problem is, from 1; 0: in no column of its own.
    """

    line: int
    cells: list[str]
    problem: str = ""
    column: int = 0


class Place(NamedTuple):
    """Where reading starts.

    Attributes
    ----------
    byte : int
        From 0, in the unpacked file.
    line : int
        The line that begins there, from 1.
    """

    byte: int = 0
    line: int = 1


FIRST = Place()


def opened(path: Path) -> IO[bytes]:
    """Open the file, unpacking it if its name ends with .gz.

    Raises
    ------
    PipelineError
        When it is missing, or something else than a file.
    """
    if path.exists() and not path.is_file():
        raise PipelineError(f"{path}: is not a file; expected a CSV file there")
    try:
        return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except FileNotFoundError:
        packed = path.suffix == ".gz"
        other = path.with_suffix("") if packed else path.with_name(f"{path.name}.gz")
        declare = f"declare source: {other}"
        remedy = f"{other} is there: {declare}" if other.exists() else "put the CSV file there"
        raise PipelineError(f"{path} is missing; {remedy}") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None


def records(
    path: Path, dialect: Dialect, start: Place = FIRST, skipped: Counter[str] | None = None
) -> Iterator[Record]:
    """The records from `start` on; memory does not grow with the file.

    Parameters
    ----------
    path : Path
    dialect : Dialect
        How the file is written.
    start : Place
        Where to begin.
    skipped : Counter, optional
        Gets the number of blank lines and of comments that were skipped, as declared.

    Yields
    ------
    Record
        The header, where there is one, is the first of them.

    Raises
    ------
    PipelineError
        Where nothing behind it can be told: a quote that is never closed, a line or cell that is
        too large, an archive that is cut off, text that is not UTF-16.
    """
    numbered = _lines(path, dialect, start)
    parser, skipped = _Parser(dialect), Counter() if skipped is None else skipped
    for line, raw in numbered:
        if line <= dialect.skip_lines:
            continue
        try:
            text = raw.decode(_bytewise(dialect))
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode(_bytewise(dialect))
            column = before.count(dialect.delimiter) + 1
            yield Record(line, [], _undecodable(error, dialect), column)
            continue
        text, end = _without_end(text)
        if dialect.comment and text.startswith(dialect.comment):
            skipped["comments"] += 1
            continue
        if not (text.strip(" ") if dialect.strip_spaces else text):
            if dialect.skip_blank_lines:
                skipped["blank lines"] += 1
            else:
                yield Record(line, [], BLANK)
            continue
        parsed = parser.parse(text)
        while parsed is None:  # a quote is still open
            more = _until_quote(numbered, dialect, path, line, parser.opened_at, len(text))
            text, end = _without_end(text + end + more)
            parsed = parser.parse(text)
        cells, problem = parsed
        yield _checked(Record(line, cells, problem, len(cells) + 1 if problem else 0))


class _Parser:
    """Cuts one record into its cells.

    A cell is quoted as a whole or not at all, and a quote within it is doubled. The patterns are
    possessive (`*+`): a cell of a megabyte costs no backtracking.

    Attributes
    ----------
    opened_at : int
        The column, from 1, of the quote that the last record left open.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._delimiter, self._quote = dialect.delimiter, dialect.quote
        self._strip = dialect.strip_spaces
        self.opened_at = 1
        if dialect.quote is None:
            return
        d, q = re.escape(dialect.delimiter), re.escape(dialect.quote)
        blank = " *+" if self._strip else ""
        self._quoted = re.compile(rf"{blank}{q}((?:[^{q}]|{q}{q})*+){q}{blank}(?={d}|\Z)", re.S)
        self._opens = re.compile(rf"{blank}{q}")
        self._open = re.compile(rf"{blank}{q}(?:[^{q}]|{q}{q})*+\Z", re.S)
        self._plain = re.compile(rf"[^{d}{q}]*+(?={d}|\Z)", re.S)

    def parse(self, text: str) -> tuple[list[str], str] | None:
        """The cells of a record, and the problem behind them; None while a quote is open."""
        if self._quote is None or self._quote not in text:
            cells = text.split(self._delimiter)
            return [cell.strip(" ") for cell in cells] if self._strip else cells, ""
        cells, at = [], 0
        while at <= len(text):
            quoted = self._opens.match(text, at) is not None
            match = (self._quoted if quoted else self._plain).match(text, at)
            if match is None:
                if quoted and self._open.match(text, at):
                    self.opened_at = len(cells) + 1
                    return None
                where = "behind the closing quote" if quoted else "around a quote"
                return cells, (
                    f"text stands {where}: {shown(text[at:])}; double a quote that is meant, and "
                    "quote the whole cell"
                )
            if quoted:
                cells.append(match[1].replace(2 * self._quote, self._quote))
            else:
                cells.append(match[0].strip(" ") if self._strip else match[0])
            at = match.end() + 1
        return cells, ""


def split(text: str, dialect: Dialect) -> list[str]:
    """The cells of one line, up to the first problem."""
    parsed = _Parser(dialect).parse(text)
    return [] if parsed is None else parsed[0]


def counted(record: Record, header: Sequence[str], dialect: Dialect) -> Record:
    """The record; it has a problem where its number of fields is not the header's."""
    if record.problem or len(record.cells) == len(header):
        return record
    has = "1 field" if len(record.cells) == 1 else f"{len(record.cells)} fields"
    got = shown(dialect.delimiter.join(record.cells))
    return record._replace(problem=f"has {has}, expected {len(header)} as in the header: {got}")


def place(path: Path, record: Record, header: Sequence[str]) -> str:
    """Where the problem of a record is, for people."""
    named = header[record.column - 1] if 0 < record.column <= len(header) else record.column
    return f"{path}, line {record.line}" + (f", column {named}" if record.column else "")


def behind(path: Path, dialect: Dialect, lines: int) -> Place:
    """The place behind the first lines of a file of UTF-8, and behind a byte order mark."""
    with opened(path) as file:
        byte = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
    above = islice(_lines(path, dialect, FIRST), lines)
    return Place(byte + sum(len(raw) for _, raw in above), lines + 1)


def shown(text: str) -> str:
    """Text as Python writes it, shortened."""
    return repr(text) if len(repr(text)) <= 60 else repr(text[:57])[:57] + "..."


def _checked(record: Record) -> Record:
    for number, cell in enumerate(record.cells, start=1):
        if "\0" in cell:
            return record._replace(problem="holds a NUL byte", column=number)
        if len(cell) > LONGEST_CELL:
            size = f"has {len(cell)} characters, expected at most {LONGEST_CELL}"
            return record._replace(problem=f"{size}: {shown(cell)}", column=number)
    return record


def _until_quote(
    lines: Iterator[tuple[int, bytes]], dialect: Dialect, path: Path, first: int, column: int,
    length: int,
) -> str:  # fmt: skip
    """The lines up to the next that holds a quote.

    Raises
    ------
    PipelineError
        When the cell grows larger than a cell may be, or the file ends.
    """
    more = ""
    for line, raw in lines:
        try:
            text = raw.decode(_bytewise(dialect))
        except UnicodeDecodeError as error:
            problem = _undecodable(error, dialect)
            raise PipelineError(f"{path}, line {line}: {problem}") from None
        more += text
        if (dialect.quote or "") in text:
            return more
        if length + len(more) > LONGEST_CELL:
            break
    raise PipelineError(
        f"{path}, line {first}, column {column}: opens a quote that never closes, or has a cell "
        f"that is larger than {LONGEST_CELL} characters; close it, or double a quote that is meant"
    )


def _without_end(text: str) -> tuple[str, str]:
    stripped = text.removesuffix("\n").removesuffix("\r")
    return stripped, text[len(stripped) :]


def _bytewise(dialect: Dialect) -> str:
    """The encoding of a line: UTF-16 has been turned into UTF-8 by then."""
    return "utf-8" if dialect.encoding == "utf-16" else dialect.encoding


def _undecodable(error: UnicodeDecodeError, dialect: Dialect) -> str:
    byte, column = error.object[error.start], error.start + 1
    return (
        f"byte {column} (0x{byte:02x}) is not {dialect.encoding.upper()}; save the file as UTF-8, "
        "or declare its encoding: latin-1, cp1252 or utf-16"
    )


def _lines(path: Path, dialect: Dialect, start: Place) -> Iterator[tuple[int, bytes]]:
    """Number the lines from `start` on; each keeps its end: LF, CRLF or CR.

    Raises
    ------
    PipelineError
        For a line of more than 64 MB, an archive that is damaged, text that is not UTF-16.
    """
    line, pieces = start.line, list[bytes]()
    try:
        with opened(path) as file:
            file.seek(start.byte)
            for block in _blocks(file, dialect, first=start.byte == 0):
                pieces.append(block)
                if b"\n" in block or b"\r" in block:
                    *whole, rest = b"".join(pieces).splitlines(keepends=True)
                    if rest.endswith(b"\n"):  # a CR may go on as CRLF
                        whole, rest = [*whole, rest], b""
                    yield from enumerate(whole, start=line)
                    line, pieces = line + len(whole), [rest]
                if sum(map(len, pieces)) > LONGEST_LINE:
                    raise PipelineError(
                        f"{path}, line {line}: is longer than {LONGEST_LINE} bytes; expected a "
                        "line a record"
                    )
            # lines that end with CR may wait in it
            yield from enumerate(b"".join(pieces).splitlines(keepends=True), start=line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if "Not a gzipped file" in str(error) and line == 1 and not pieces:
            raise PipelineError(f"{path}: is not gzip; pack it, or rename it") from None
        raise PipelineError(
            f"{path}, line {line}: the archive is damaged or cut off ({error}); fetch it again, "
            "`gunzip -t` tells when it is whole"
        ) from None
    except UnicodeError as error:
        raise PipelineError(
            f"{path}, line {line}: is not UTF-16 ({getattr(error, 'reason', error)}), as "
            "datasets.*.ingest.csv.encoding declares"
        ) from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror or error}") from None


def _blocks(file: IO[bytes], dialect: Dialect, first: bool) -> Iterator[bytes]:
    """The bytes, without the mark at the front, UTF-16 as UTF-8."""
    # read1 gives what an archive holds up to where it is cut off; read would not
    blocks: Iterable[bytes] = iter(lambda: cast(BufferedReader, file).read1(BLOCK), b"")
    if dialect.encoding == "utf-16":
        texts = codecs.iterdecode(blocks, "utf-16")
        return (text.encode("utf-8") for text in texts)
    return _unmarked(blocks) if first and dialect.encoding == "utf-8" else iter(blocks)


def _unmarked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    blocks, front = iter(blocks), b""
    while len(front) < len(codecs.BOM_UTF8) and (block := next(blocks, b"")):
        front += block
    yield front.removeprefix(codecs.BOM_UTF8)
    yield from blocks
