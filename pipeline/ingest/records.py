"""The records of a CSV file, one by one, exactly as the dialect declares them.

Cells are what stands between delimiters and quotes: nothing is guessed, filled or shifted. What
does not fit is a problem with line and column, and reading goes on where the next line is certain.
"""

import codecs
import gzip
import re
import sys
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

from pipeline.core.dialect import COMMENTED, WHITESPACE, Dialect
from pipeline.core.errors import PipelineError
from pipeline.core.settings.ingest import TABLE_ENDS

LONGEST_CELL = 2**17  # characters; a quote that is never closed takes the rest of the file
LONGEST_LINE = 2**26  # bytes
ENDED = sys.maxsize  # behind every line
ESCAPED = "surrogateescape"
SKIP = "skip_blank_lines: true"
BLANKS = re.compile(r"[ \t]+")
DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)  # what archives raise
NO_CSV = {".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".zst", *TABLE_ENDS}


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


def opened(path: Path) -> IO[bytes]:
    """Open the file, unpacking it if its name ends with .gz or .zip.

    Raises
    ------
    PipelineError
        When it is missing, or something else than a file, or an archive of more or less than one.
    """
    if path.exists() and not path.is_file():
        raise PipelineError(f"{path}: is not a file; expected a CSV file there")
    try:
        end = path.suffix.lower()
        if end == ".zip":
            return _member(path)
        return cast(IO[bytes], gzip.open(path)) if end == ".gz" else path.open("rb")
    except FileNotFoundError:
        packed = path.suffix == ".gz"
        other = path.with_suffix("") if packed else path.with_name(f"{path.name}.gz")
        declare = f"declare source: {other}"
        remedy = f"{other} is there: {declare}" if other.exists() else "put the CSV file there"
        raise PipelineError(f"{path} is missing; {remedy}") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None


def _member(path: Path) -> IO[bytes]:
    """Open the one file of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:  # a file of it that is open keeps it open
            return archive.open(_only(path, archive))
    except zipfile.BadZipFile:
        raise PipelineError(f"{path}: is no zip archive, or damaged; fetch it again") from None
    except NotImplementedError as error:
        raise PipelineError(f"{path}: {error}; pack it by deflate") from None


def _only(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file of an archive."""
    files = [one for one in archive.infolist() if not (one.is_dir() or _beside(one.filename))]
    names = [shown(one.filename) for one in files]
    if len(names) != 1:
        few = f"{', '.join(names[:5])}{', ...' * (len(names) > 5)}" or "none"
        found = f"has {len(names)} files in it ({few})"
        raise PipelineError(f"{path}: {found}, expected one CSV file: pack it alone")
    if files[0].flag_bits & 1:
        raise PipelineError(f"{path}: {names[0]} is encrypted; pack it without a password")
    if Path(files[0].filename).suffix.lower() in NO_CSV:
        raise PipelineError(f"{path}: has {names[0]} in it, expected a CSV file: unpack it")
    return files[0]


def _beside(name: str) -> bool:
    """Whether macOS has put a file into an archive."""
    return name.startswith("__MACOSX/") or name.endswith(".DS_Store")


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


class Cut(NamedTuple):
    """A record, or the lines that there are of it, in cells.

    Attributes
    ----------
    cells : list of str
    problem : str
        What is wrong behind them, or nothing.
    at : int or None
        Where the cell begins whose quote is still open.
    """

    cells: list[str]
    problem: str = ""
    at: int | None = None


class Quoted(str):
    """A cell that stood in quotes, where such cells are never missing."""

    __slots__ = ()


def cut(text: str, dialect: Dialect) -> Cut:
    """Cut a record into cells, as the dialect says.

    A cell is quoted as a whole or not at all; a quote within it is doubled or, where an escape is
    declared, escaped.
    """
    delimiter, quote, strip = dialect.delimiter, dialect.quote, dialect.strip_spaces
    if quote is None or quote not in text:
        if delimiter == WHITESPACE:
            return Cut(BLANKS.split(text.strip(" \t")))
        cells = text.split(delimiter)
        return Cut([cell.strip(" ") for cell in cells] if strip else cells)
    pattern = _cell(delimiter, quote, dialect.escape, strip)
    doubled, plain = 2 * quote, dialect.escape is None and dialect.quoted_missing
    cells, spaced = [], delimiter == WHITESPACE
    at = len(text) - len(text.lstrip(" \t")) if spaced else 0
    while match := pattern.match(text, at):
        quoted, closed, bare, gap = match.groups()
        if quoted is not None and not closed:
            return Cut(cells, "", at)
        if gap is None:
            where = "around a quote" if quoted is None else "behind the closing quote"
            return Cut(
                cells,
                f"text stands {where}: {shown(text[at:])}; double a quote that is meant, and "
                "quote the whole cell",
            )
        if quoted is None:
            cells.append(bare.strip(" ") if strip else bare)
        else:
            cells.append(quoted.replace(doubled, quote) if plain else _unquoted(quoted, dialect))
        at = match.end()
        if at == len(text) and (spaced or not gap):
            break
    return Cut(cells)


def _unquoted(cell: str, dialect: Dialect) -> str:
    """What the text between two quotes stands for."""
    quote, escape = cast(str, dialect.quote), dialect.escape
    if escape is None:
        cell = cell.replace(2 * quote, quote)
    elif escape in cell:
        signs = re.escape(f"{quote}{escape}\"'")  # some programs escape both kinds of quotes
        cell = re.sub(f"{re.escape(escape)}([{signs}])", r"\1", cell)
    return Quoted(cell) if not dialect.quoted_missing and cell in dialect.missing else cell


@cache
def _cell(delimiter: str, quote: str, escape: str | None, strip: bool) -> re.Pattern[str]:
    """A cell: what is quoted, and the closing quote if there is one; or bare; and what follows."""
    d, q, blank = re.escape(delimiter), re.escape(quote), " *+" if strip else ""
    signs, gap = (r" \t", r"[ \t]+|\Z") if delimiter == WHITESPACE else (d, rf"{d}|\Z")
    inside = _inside(quote, escape).pattern
    return re.compile(rf"(?:{blank}{q}({inside})({q}{blank})?+|([^{signs}{q}]*+))({gap})?+")


def goes_on(text: str, dialect: Dialect) -> bool:
    """Whether the last cell of a damaged line may end in a later one: no more is certain then.

    So where a quote opens a cell and none closes it, also if one that is followed by neither
    delimiter nor end is taken for a letter; and where the number of quotes is odd.
    """
    quote, escape = dialect.quote, dialect.escape
    if quote is None or quote not in text:
        return False
    ways = [_opened(dialect.delimiter, quote, escape, loose) for loose in (False, True)]
    closings = [match[1] for way in ways for match in way.finditer(text)]
    quotes = (text.replace(f"{escape}{quote}", "") if escape else text).count(quote)
    return None in closings or (bool(closings) and quotes % 2 == 1)


@cache
def _opened(delimiter: str, quote: str, escape: str | None, loose: bool) -> re.Pattern[str]:
    """A cell that a quote opens, padded or not, and the closing quote if there is one."""
    d, q = r"[ \t]" if delimiter == WHITESPACE else re.escape(delimiter), re.escape(quote)
    e = re.escape(escape or "")
    escaped = rf"|{e}[\s\S]" if escape else ""
    letters = rf"(?:[^{q}{e}]{escaped}|{q}(?![ \t]*+(?:\Z|{d})))*+"
    inside = letters if loose else _inside(quote, escape).pattern
    return re.compile(rf"(?:\A|{d})[ \t]*+{q}{inside}({q})?+")


@cache
def _inside(quote: str, escape: str | None) -> re.Pattern[str]:
    """What stands between two quotes. Possessive (`*+`): a megabyte costs no backtracking."""
    q, e = re.escape(quote), re.escape(escape or "")
    return re.compile(rf"(?:[^{q}{e}]|{e}[\s\S])*+" if escape else rf"(?:[^{q}]|{q}{q})*+")


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


def shown(text: str) -> str:
    """Text as Python writes it, shortened."""
    return repr(text) if len(repr(text)) <= 60 else repr(text[:57])[:57] + "..."


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
    quote, inside = cast(str, dialect.quote), _inside(cast(str, dialect.quote), dialect.escape)
    parts, size = [text], len(text)
    for line, more in lines:
        if undecodable := _undecodable(more, dialect):
            raise PipelineError(
                f"{path}, line {line}: {undecodable[0]}, or declare {undecodable[2]}"
            )
        parts.append(more)
        size += len(more)
        if quote in more and more.startswith(quote, cast(re.Match[str], inside.match(more)).end()):
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
