"""The records of a CSV file, one by one, exactly as the dialect declares them.

Cells are what stands between delimiters and quotes: nothing is guessed, filled or shifted. What
does not fit is a problem with line and column, and reading goes on where the next line is certain.
"""

import codecs
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from pipeline.core.dialect import COMMENTED, WHITESPACE, Dialect
from pipeline.core.errors import PipelineError
from pipeline.core.text import shown
from pipeline.ingest.cut import closes, cut, goes_on
from pipeline.ingest.unpack import DAMAGED, opened

LONGEST_CELL = 2**17  # characters; a quote that is never closed takes the rest of the file
LONGEST_LINE = 2**26  # bytes
ENDED = sys.maxsize  # behind every line
ESCAPED = "surrogateescape"
SKIP = "skip_blank_lines: true"


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
    declare : str
        What would make it none, where the dialect may be changed.
    text : str or None
        Its line as it stands in the file; None where it may not end there.
    """

    line: int
    cells: list[str]
    problem: str = ""
    column: int = 0
    declare: str = ""
    text: str | None = None


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
        Gets the number of lines of each kind that were skipped, as declared.

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
    skipped = Counter() if skipped is None else skipped
    return records_of(_lines(path, dialect, start), dialect, path, skipped, start == FIRST)


def records_of(
    numbered: Iterator[tuple[int, str]], dialect: Dialect, path: Path, skipped: Counter[str],
    whole: bool = True,
) -> Iterator[Record]:  # fmt: skip
    """The records of numbered lines; with `whole` the header is among them."""
    awaited, comment = whole and dialect.headed, (0, "")
    alone = len(dialect.names) == 1  # a blank line can be a gap
    padding = " \t" if dialect.delimiter == WHITESPACE else " " * dialect.strip_spaces
    for line, text in numbered:
        if line <= dialect.skip_lines:
            continue
        if undecodable := _undecodable(text, dialect):
            text = _without_end(text)[0]
            own = None if goes_on(text, dialect) else text
            yield Record(line, [], *undecodable, own)
            awaited = False
            continue
        text, end = _without_end(text)
        if dialect.comment and text.startswith(dialect.comment):
            skipped["comments"] += 1
            comment = line, text.removeprefix(dialect.comment)
            continue
        if awaited and dialect.header == COMMENTED:
            yield _heading(*comment, dialect)
            awaited, alone = False, False
        if not (text.strip(padding) if padding else text):
            if dialect.skip_blank_lines:
                skipped["blank lines"] += 1
                continue
            if not (alone and "" in dialect.missing):
                declare = 'missing: [""]' if alone else SKIP
                yield Record(line, [], "is blank; remove it", 0, declare, text)
                awaited = False
                continue
        cells, problem, at = cut(text, dialect)
        ends = at is None and not (problem and goes_on(text, dialect))
        opens, own = line, text if ends else None
        while at is not None:  # a quote is still open
            text, column = text[at:] + end, len(cells) + 1
            text, opens = _until_quote(numbered, dialect, path, opens, column, text)
            text, end = _without_end(text)
            more, problem, at = cut(text, dialect)
            cells += more
        yield _checked(Record(line, cells, problem, len(cells) + 1 if problem else 0, "", own))
        if awaited:
            awaited, alone = False, len(cells) == 1
            for _ in islice(numbered, dialect.skip_after_header):
                skipped["lines below the header"] += 1


def _heading(line: int, text: str, dialect: Dialect) -> Record:
    """The header that stands behind the last comment mark above the rows."""
    if not line:
        return Record(1, [], f"expected the header behind {dialect.comment}, above the rows")
    cells, problem, at = cut(text.strip(" \t"), dialect)
    return Record(line, cells, problem if at is None else "opens a quote that never closes")


def counted(record: Record, header: Sequence[str], dialect: Dialect) -> Record:
    """The record; it has a problem where its number of fields is not the header's, or it is empty.

    An empty one would make text of numbers.
    """
    if record.problem:
        return record
    if len(record.cells) == len(header):
        if any(record.cells) or len(header) == 1 or "" in dialect.missing:
            return record
        return record._replace(
            problem="is blank but for its delimiters; remove it", declare='missing: [""]'
        )
    has = "1 field" if len(record.cells) == 1 else f"{len(record.cells)} fields"
    got = shown((" " if dialect.delimiter == WHITESPACE else dialect.delimiter).join(record.cells))
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
    return Place(byte + sum(len(text.encode(errors=ESCAPED)) for _, text in above), lines + 1)


def one_column(path: Path, name: str, line: int) -> str:
    """What is wrong with a file of one column of text, whose header ends on a line."""
    skip = f", skip_lines: {line}" if line else ""
    return (
        f"{path}: has one column, {shown(name)}, and it is text; where that is meant, declare "
        f"header: [its name]{skip}"
    )


def _checked(record: Record) -> Record:
    for number, cell in enumerate(record.cells, start=1):
        if "\0" in cell:
            return record._replace(problem="holds a NUL byte", column=number)
        if len(cell) > LONGEST_CELL:
            size = f"has {len(cell)} characters, expected at most {LONGEST_CELL}"
            return record._replace(problem=f"{size}: {shown(cell)}", column=number)
    return record


def _until_quote(
    lines: Iterator[tuple[int, str]], dialect: Dialect, path: Path, first: int, column: int,
    text: str,
) -> tuple[str, int]:  # fmt: skip
    """A cell that opens in line `first`, up to the line that closes it; and that line's number.

    Each line is looked at once.

    Raises
    ------
    PipelineError
        When the cell grows larger than a cell may be, or the file ends.
    """
    parts, size = [text], len(text)
    for line, more in lines:
        if undecodable := _undecodable(more, dialect):
            raise PipelineError(
                f"{path}, line {line}: {undecodable[0]}, or declare {undecodable[2]}"
            )
        parts.append(more)
        size += len(more)
        if closes(more, dialect):
            return "".join(parts), line
        if size > LONGEST_CELL:
            break
    raise PipelineError(
        f"{path}, line {first}, column {column}: opens a quote that never closes, or has a cell "
        f"that is larger than {LONGEST_CELL} characters; close it, or double a quote that is meant"
    )


def _without_end(text: str) -> tuple[str, str]:
    stripped = text.removesuffix("\n").removesuffix("\r")
    return stripped, text[len(stripped) :]


def _undecodable(text: str, dialect: Dialect) -> tuple[str, int, str] | None:
    """Of the first byte that the encoding does not have: problem, column, what to declare.

    Such bytes are surrogates.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        before, byte = text[: error.start], ord(text[error.start]) - 0xDC00
        at = len(before.encode(dialect.encoding)) + 1
        problem = (
            f"byte {at} (0x{byte:02x}) is not {dialect.encoding.upper()}; save the file as UTF-8"
        )
        cells, wrong, opens = cut(before, dialect)
        column = len(cells) + (bool(wrong) or opens is not None)
        return problem, column, "its encoding: cp1252, latin-1 or utf-16"
    return None


def _lines(path: Path, dialect: Dialect, start: Place) -> Iterator[tuple[int, str]]:
    """Number the lines from `start` on; each keeps its end: LF, CRLF or CR.

    A byte that the encoding does not have becomes a surrogate.

    Raises
    ------
    PipelineError
        For a line of more than 64 MB, an archive that is damaged, text that is not UTF-16.
    """
    line = start.line
    marked = start.byte == 0 and dialect.encoding == "utf-8"
    encoding = "utf-8-sig" if marked else dialect.encoding
    errors = "strict" if encoding == "utf-16" else ESCAPED
    with opened(path) as file:
        try:
            file.seek(start.byte)
            texts = TextIOWrapper(cast(BufferedReader, file), encoding, errors, newline="")
            while text := texts.readline(LONGEST_LINE):
                if len(text) == LONGEST_LINE:
                    raise PipelineError(
                        f"{path}, line {line}: is longer than {LONGEST_LINE} bytes; expected a "
                        "line a record"
                    )
                yield line, text
                line += 1
        except DAMAGED as error:
            if "Not a gzipped file" in str(error) and file.tell() == 0:
                raise PipelineError(f"{path}: is not gzip; pack it, or rename it") from None
            raise PipelineError(
                f"{path}, line {line}: the archive is damaged or cut off ({error}); fetch it "
                "again, `gunzip -t` or `unzip -t` tells when it is whole"
            ) from None
        except UnicodeError as error:
            raise PipelineError(
                f"{path}, line {line}: is not UTF-16 ({getattr(error, 'reason', error)}), as "
                "datasets.*.ingest.csv.encoding declares"
            ) from None
        except OSError as error:
            raise PipelineError(f"{path}: cannot be read: {error.strerror or error}") from None
