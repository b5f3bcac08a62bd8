"""Blocks of plain lines by Arrow's parser, after a look at the bytes.

The look rules out all that Arrow would take for something else than `records` and `cells` do:
quotes, NUL, a mark at the front, cells padded with blanks (it strips them), lone carriage returns,
blank lines. Columns with 007, 0x10 and +1 (numbers to it) it reads as text. What it then says of
numbers holds; its dates are text.
"""

import codecs
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from pipeline.core.params import COMMENTED, WHITESPACE, Dialect
from pipeline.ingest.cells import FLOAT, INT, NULL, TEXT, Kind, column
from pipeline.ingest.records import DAMAGED, LONGEST_CELL, Place, Record, counted, opened
from pipeline.ingest.table_file import Batch

BLOCK = 2**22  # bytes
WORKERS = 2
AHEAD = 6  # blocks that are parsed, or wait, while rows are written
PIECE = 2**20  # bytes that Arrow parses at once
TILE = 2**17  # bytes that stay in the processor's cache
BLANK, TAB, NEWLINE, RETURN = b" \t\n\r"
ODD = r"^(\+|-?0[0-9xX])"  # a cell that is a number to Arrow, and none here or another
PLAIN = Dialect().model_dump(
    exclude={"delimiter", "quote", "header", "skip_lines", "dates", "bad_records"}
)


def serves(dialect: Dialect, header: Sequence[str]) -> bool:
    """Whether the file is declared plain enough to try: no comments, no other encoding, ..."""
    return (
        dialect.model_dump(include=set(PLAIN)) == PLAIN
        and dialect.header != COMMENTED
        and dialect.delimiter != WHITESPACE
        and dialect.delimiter.isascii()
        and len(header) > 1  # where a blank line is told from an empty cell
        and not any("\n" in name or "\r" in name for name in header)
    )


class Parsed(NamedTuple):
    """Some plain lines as columns.

    Attributes
    ----------
    lines : list of (int, int)
        Lines, from 0, and the number of rows from there on.
    arrays : list of Array
        One for each column.
    bad : list of Record
        Those with another number of fields, where they may be set aside; their lines from 0.
    """

    lines: list[tuple[int, int]]
    arrays: list[pa.Array | pa.ChunkedArray]
    bad: list[Record]


def fast_batches(
    path: Path, dialect: Dialect, start: Place, header: Sequence[str], kinds: Sequence[Kind],
    reject: Callable[[Record], None],
) -> Generator[Batch, None, Place]:  # fmt: skip
    """Batches of rows, with (line, rows from there on), up to the first block that is not plain.

    Blocks are parsed side by side, and given in order.

    Parameters
    ----------
    path : Path
    dialect : Dialect
        One that `serves`.
    start : Place
        Where the rows begin.
    header : sequence of str
        The column names.
    kinds : sequence of kinds
        Looked at anew for each block: columns known as text are read as text.
    reject : callable
        Gets each record that is set aside, before the batch that it stood in.

    Yields
    ------
    Batch
        Pairs (line, number of rows from there on), and an array for each column.

    Returns
    -------
    Place
        Where `records` has to go on.
    """
    byte, line = start
    with opened(path) as file, ThreadPoolExecutor(WORKERS) as pool:
        file.seek(byte)
        texts = _whole_lines(file)
        text = next(texts, None)
        if text is None:
            return start
        waiting = deque([(text, pool.submit(_parsed, text, dialect, header, [*kinds]))])
        while waiting:
            text, parsing = waiting.popleft()
            parsed = parsing.result()
            if parsed is None:
                break
            for record in parsed.bad:
                reject(record._replace(line=line + record.line))
            yield [(line + below, count) for below, count in parsed.lines], parsed.arrays
            byte, line = byte + len(text), line + len(parsed.arrays[0]) + len(parsed.bad)
            for text in islice(texts, AHEAD - len(waiting)):
                waiting.append((text, pool.submit(_parsed, text, dialect, header, [*kinds])))
        pool.shutdown(cancel_futures=True)
    return Place(byte, line)


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    """Blocks that end with a line; what comes behind the last is left to `records`.

    So is an archive from where it is damaged on: they tell the line.
    """
    while block := _read_block(file):
        end = len(block) if block.endswith(b"\n") else block.rfind(b"\n") + 1
        if end:
            yield block[:end]
        if end < len(block):
            return


def _read_block(file: IO[bytes]) -> bytes:
    """Read some bytes, and on to the end of a line that is not too long."""
    try:
        return file.read(BLOCK) + file.readline(LONGEST_CELL)
    except (OSError, *DAMAGED):
        return b""


def plain(text: bytes, dialect: Dialect, header: Sequence[str]) -> bool:
    """Whether Arrow and `records` cannot differ over where the cells of these lines end."""
    quote, delimiter = (dialect.quote or "\0").encode(), ord(dialect.delimiter)
    if text.startswith(codecs.BOM_UTF8) or b"\0" in text or quote in text:
        return False
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return False
    codes = np.frombuffer(text, np.uint8)
    lines = np.flatnonzero(codes == NEWLINE)
    first = codes[np.concatenate([[0], lines[:-1] + 1])]
    too_long = np.diff(lines, prepend=-1).max() > LONGEST_CELL
    if too_long or ((first == NEWLINE) | (first == RETURN)).any():
        return False
    if (first == delimiter).any() and _has_empty_line(text, dialect.delimiter, len(header)):
        return False
    repeated = dialect.delimiter.join(header).encode()
    if (first == repeated[0]).any() and repeated in text:
        return False
    blanks = {BLANK, TAB} - {delimiter}
    return not any(bytes([blank]) in text and _beside(codes, delimiter, blank) for blank in blanks)


def odd(text: bytes, delimiter: str) -> bool:
    """Whether some cell begins like 007, 0x10 or +1."""
    codes = np.frombuffer(text, np.uint8)
    begin, plus = np.frombuffer(b"\n\n" + text[:3], np.uint8), b"+" in text
    tiles = (codes[start : start + TILE + 3] for start in range(0, len(codes), TILE))
    return any(_odd(tile, ord(delimiter), plus) for tile in chain([begin], tiles))


def _has_empty_line(text: bytes, delimiter: str, fields: int) -> bool:
    """Whether some line is of delimiters alone."""
    line = delimiter.encode() * (fields - 1)
    return text.startswith((line + b"\n", line + b"\r")) or any(
        b"\n" + line + end in text for end in (b"\n", b"\r")
    )


def _beside(c: NDArray[np.uint8], delimiter: int, blank: int) -> bool:
    """Whether some cell is padded."""
    ends, blanks = (c == delimiter) | (c == NEWLINE) | (c == RETURN), c == blank
    return bool(blanks[0] or ((ends[:-1] & blanks[1:]) | (blanks[:-1] & ends[1:])).any())


def _odd(c: NDArray[np.uint8], delimiter: int, plus: bool) -> bool:
    """Whether some cell begins like 007, -007, 0x10 or +1.

    Byte k + 2 is looked at as a number's first digit: k + 1 ends the cell before, or k does and
    k + 1 is a sign; k + 3 is the second digit. So two bytes in front of a text, and one behind it,
    have to be there for all of it, and tiles overlap by three.
    """
    end = (c == delimiter) | (c == NEWLINE)
    if plus and (end[:-1] & (c[1:] == ord("+"))).any():
        return True
    unsigned = end[1:-2] | (end[:-3] & (c[1:-2] == ord("-")))
    zeros = unsigned & (c[2:-1] == ord("0")) & (c[3:] >= ord("0"))
    if not zeros.any():
        return False
    then = c[3:][zeros]
    return bool(((then - np.uint8(ord("0")) < 10) | (then | 32 == ord("x"))).any())


def _parsed(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: Sequence[Kind]
) -> Parsed | None:
    """The columns of some lines; None where they are not plain, or not well-formed."""
    if not plain(text, dialect, header):
        return None
    if arrays := _arrays(text, dialect, header, kinds):
        return Parsed([(0, len(arrays[0]))], arrays, [])
    return _without_torn(text, dialect, header, kinds) if dialect.bad_share else None


def _without_torn(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: Sequence[Kind]
) -> Parsed | None:
    """The same, but for the lines that have another number of fields."""
    delimiter, lines = dialect.delimiter.encode(), text.splitlines(keepends=True)
    torn = [k for k, line in enumerate(lines) if line.count(delimiter) != len(header) - 1]
    try:
        texts = [lines[k].rstrip(b"\r\n").decode() for k in torn]
    except UnicodeDecodeError:
        return None
    bounds = zip([-1, *torn], [*torn, len(lines)], strict=True)
    spans = [(above + 1, below - above - 1) for above, below in bounds if below - above > 1]
    rest = b"".join(line for k, count in spans for line in lines[k : k + count])
    arrays = _arrays(rest, dialect, header, kinds) if torn and rest else None
    bad = [
        counted(Record(k, one.split(dialect.delimiter), text=one), header, dialect)
        for k, one in zip(torn, texts, strict=True)
    ]
    return Parsed(spans, arrays, bad) if arrays else None


def _arrays(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: Sequence[Kind]
) -> list[pa.Array | pa.ChunkedArray] | None:
    """The columns of plain lines; None where they are not well-formed."""
    known = {name: kind for name, kind in zip(header, kinds, strict=True) if kind != NULL}
    texts = {name: kind for name, kind in known.items() if kind == TEXT}
    read = partial(_read, text, dialect, header)
    strange = dict[str, Kind]()
    if odd(text, dialect.delimiter) and (cells := read(dict.fromkeys(header, TEXT))):
        others = (name for name in header if name not in texts)
        strange = {n: TEXT for n in others if _has(cells[n], ODD)}
    table = read(known | strange) or read(texts | strange)
    doubtful = [n for n in header if table and n not in texts and not _is_sure(table[n])]
    if doubtful:  # a date, a bool, nan, text: by the cells themselves
        table = read(texts | dict.fromkeys(doubtful, TEXT))
    return table and [
        column(table[name].to_pylist(), NULL, dialect, name) if name in doubtful else table[name]
        for name in header
    ]


def _has(cells: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _is_sure(values: pa.ChunkedArray) -> bool:
    if values.type == FLOAT:
        # in numpy: without memory, Arrow's own would end the process in C++
        return all(np.isfinite(np.from_dlpack(chunk)).all() for chunk in values.chunks)
    return bool(values.type == INT)


def _read(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: dict[str, Kind]
) -> pa.Table | None:
    """The lines as a table; None for another number of fields, another kind, bad UTF-8."""
    at_once = PIECE if len(kinds) == len(header) else len(text)  # kinds are told by the first
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            arrow_csv.ReadOptions(use_threads=False, block_size=at_once, column_names=[*header]),
            arrow_csv.ParseOptions(
                delimiter=dialect.delimiter, quote_char=False, ignore_empty_lines=False
            ),
            arrow_csv.ConvertOptions(
                null_values=[], true_values=[], false_values=[], column_types=kinds
            ),
        )
    except pa.ArrowInvalid:
        return None
