"""Blocks of records by Arrow's parser, after a look at the bytes.

The look rules out what Arrow would cut otherwise than `records`: text around quotes, NUL, a mark at
the front, lone carriage returns, blank lines. What it then reads are cells; which of them are
numbers it says as `cells` does, but for nan, inf, 007, 0x10 and +1.
"""

import codecs
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from pipeline.core.dialect import COMMENTED, WHITESPACE, Dialect
from pipeline.core.text import is_number
from pipeline.ingest.bits import TILE, Bits, before, behind, bits, count, parity, places
from pipeline.ingest.cells import FLOAT, INT, NULL, TEXT, Kind, column, texts
from pipeline.ingest.records import LONGEST_CELL, Place, Record, counted
from pipeline.ingest.table_file import Batch
from pipeline.ingest.unpack import DAMAGED, opened

BLOCK = 2**21  # bytes
WORKERS = 2
AHEAD = 6  # blocks that are parsed, or wait, while rows are written
TURN = 5e-5  # seconds for which a thread may keep the others from Python; its own 5 ms cost a tenth
PIECE = 2**20  # bytes that Arrow parses at once
SOME = 64  # cells that are tried before all are
NEWLINE, PLUS, MINUS, ZERO = b"\n+-0"
GOES_ON = np.isin(np.arange(256), [*b"0123456789xX"])  # behind a zero: no number then
SERVED = ("delimiter", "quote", "missing", "quoted_missing", "header", "skip_lines", "dates")
PLAIN = Dialect().model_dump(exclude={*SERVED, "bad_records"})
Codes = NDArray[np.uint8]
Places = NDArray[np.intp]
NOWHERE: Bits = np.zeros(1, np.uint64)


def serves(dialect: Dialect, header: Sequence[str]) -> bool:
    """Whether the file is declared plain enough to try: no comments, no other encoding, ..."""
    return (
        dialect.model_dump(include=set(PLAIN)) == PLAIN
        and dialect.header != COMMENTED
        and dialect.delimiter != WHITESPACE
        and f"{dialect.delimiter}{dialect.quote or ''}".isascii()
        and len(header) > 1  # where a blank line is told from an empty cell
        and not any("\n" in name or "\r" in name for name in header)
    )


class Look(NamedTuple):
    """What the bytes of some records tell of them.

    Attributes
    ----------
    lines : list of (int, int)
        Lines, from 0, and the number of records that begin there and on the lines behind.
    length : int
        How many lines there are.
    torn : bool
        Whether lines end inside of quotes.
    quoted : bool
        Whether there are quotes.
    """

    lines: list[tuple[int, int]]
    length: int
    torn: bool
    quoted: bool


class Parsed(NamedTuple):
    """Some records as columns.

    Attributes
    ----------
    lines : list of (int, int)
        Lines, from 0, and the number of rows from there on.
    arrays : list of Array
        One for each column.
    bad : list of Record
        Those with another number of fields, where they may be set aside; their lines from 0.
    length : int
        How many lines there are.
    """

    lines: list[tuple[int, int]]
    arrays: list[pa.Array | pa.ChunkedArray]
    bad: list[Record]
    length: int


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
        Looked at anew for each block: what is known of the columns.
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
    with opened(path) as file, _short_turns(), ThreadPoolExecutor(WORKERS) as pool:
        file.seek(byte)
        texts = _whole_records(file, (dialect.quote or "").encode())
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
            byte, line = byte + len(text), line + parsed.length
            for text in islice(texts, AHEAD - len(waiting)):
                waiting.append((text, pool.submit(_parsed, text, dialect, header, [*kinds])))
        pool.shutdown(cancel_futures=True)
    return Place(byte, line)


@contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _whole_records(file: IO[bytes], quote: bytes) -> Iterator[bytes]:
    """Blocks that end with a record; what comes behind the last is left to `records`.

    So is an archive from where it is damaged on: they tell the line.
    """
    while block := _read_block(file, quote):
        end = len(block) if block.endswith(b"\n") else block.rfind(b"\n") + 1
        if end:
            yield block[:end]
        if end < len(block):
            return


def _read_block(file: IO[bytes], quote: bytes) -> bytes:
    """Read some bytes, and on to the end of a record that is not too long."""
    try:
        parts = [file.read(BLOCK), file.readline(LONGEST_CELL)]
        opens, size = sum(_count(part, quote) for part in parts) % 2, 0
        while opens and size < LONGEST_CELL and (more := file.readline(LONGEST_CELL)):
            parts.append(more)
            opens, size = (opens + _count(more, quote)) % 2, size + len(more)
        return b"".join(parts)
    except (OSError, *DAMAGED):
        return b""


def _count(text: bytes, mark: bytes) -> int:
    """How often a byte stands there; of many 7 times faster than `bytes.count`."""
    codes = np.frombuffer(text, np.uint8)
    tiles = range(0, len(codes), TILE) if mark and mark in text else ()
    return sum(int(np.count_nonzero(codes[k : k + TILE] == mark[0])) for k in tiles)


def look(text: bytes, dialect: Dialect) -> Look | None:
    """Look at some lines; None where Arrow and `records` might cut them otherwise."""
    if text.startswith(codecs.BOM_UTF8) or b"\0" in text:
        return None
    quotes, newlines, returns = (_bits(text, one) for one in (dialect.quote or "", "\n", "\r"))
    inside, lone = parity(quotes), returns & ~before(newlines)
    quoted = bool(quotes.any())
    if quoted and not _well_quoted(
        quotes, inside, _bits(text, dialect.delimiter), newlines, returns
    ):
        return None
    torn, records = (newlines | lone) & inside, newlines & ~inside
    odd = lone & ~inside | behind(records, 1) & (newlines | returns)  # or a blank line
    # to 64 bytes, and with care: `records` tells exactly
    longest = 64 * (1 + np.diff(np.flatnonzero(records), prepend=-1).max(initial=0))
    if odd.any() or longest > LONGEST_CELL:
        return None
    lines = _lines(places(records), places(torn)) if torn.any() else [(0, count(records))]
    return Look(lines, count(records) + count(torn), bool(torn.any()), quoted)


def _well_quoted(
    quotes: Bits, inside: Bits, delimiters: Bits, newlines: Bits, returns: Bits
) -> bool:
    """Whether each quote opens or closes a cell, or is one of two within."""
    opens, closes = quotes & inside, quotes & ~inside
    begin, end = delimiters | newlines | closes, delimiters | newlines | returns | opens
    odd = opens & ~behind(begin, 1) | closes & ~before(end)
    return not (odd.any() or inside[-1] >> 63)


def _bits(text: bytes, mark: str) -> Bits:
    """Where a mark stands."""
    codes = np.frombuffer(text, np.uint8)
    return bits(codes, ord(mark)) if mark and mark.encode() in text else NOWHERE


def _lines(ends: Places, within: Places) -> list[tuple[int, int]]:
    """Lines, and the number of records from there on; some lines end within a record."""
    torn, more = np.unique(np.searchsorted(ends, within), return_counts=True)
    first = np.append(0, torn + 1)
    lines = first + np.append(0, np.cumsum(more))
    counts = np.diff(first, append=len(ends))
    return [(k, n) for k, n in zip(lines.tolist(), counts.tolist(), strict=True) if n]


def _parsed(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: Sequence[Kind]
) -> Parsed | None:
    """The columns of some lines; None where they are not plain, or not well-formed."""
    if (seen := look(text, dialect)) is None:
        return None
    if arrays := _arrays(text, dialect, header, kinds, seen):
        return Parsed(seen.lines, arrays, [], seen.length)
    torn = dialect.bad_share and not seen.quoted
    return _without_torn(text, dialect, header, kinds) if torn else None


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
    seen = look(rest, dialect) if torn and rest else None
    arrays = _arrays(rest, dialect, header, kinds, seen) if seen else None
    bad = [
        counted(Record(k, one.split(dialect.delimiter), text=one), header, dialect)
        for k, one in zip(torn, texts, strict=True)
    ]
    return Parsed(spans, arrays, bad, len(lines)) if arrays else None


def _arrays(
    text: bytes, dialect: Dialect, header: Sequence[str], kinds: Sequence[Kind], seen: Look
) -> list[pa.Array | pa.ChunkedArray] | None:
    """The columns of plain lines; None where they are not well-formed."""
    known = {n: k for n, k in zip(header, kinds, strict=True) if k in (INT, FLOAT)}
    at_once = known and not seen.quoted and sure(text, dialect)
    table = _read(text, dialect, header, seen, known) if at_once else None
    if table is None or not all(map(_finite, table.columns)):
        table = _read(text, dialect, header, seen)
    if table is None:
        return None
    columns = zip(table.columns, kinds, header, strict=True)
    arrays = [_typed(values, kind, dialect, name) for values, kind, name in columns]
    empty = [""] * len(header)
    odd = _has(arrays, header, dialect) or (
        "" not in dialect.missing and _has(arrays, empty, dialect)
    )
    return None if odd else arrays


def sure(text: bytes, dialect: Dialect) -> bool:
    """Whether no cell of lines without quotes begins like 007, 0x10 or +1, or may be padded.

    Arrow's parser then takes for numbers what `cells` does, but for nan and inf.
    """
    if b" " in text or (b"\t" in text and dialect.delimiter != "\t"):
        return False
    codes, delimiter = np.frombuffer(text, np.uint8), ord(dialect.delimiter)
    plus = places(_bits(text, "+"))
    if _ends(codes[plus - 1], delimiter).any():
        return False
    zeros = _leading_zeros(codes, delimiter)
    signs = zeros - (codes[zeros - 1] == MINUS)
    odd = GOES_ON[codes[zeros + 1]] & _ends(codes[signs - 1], delimiter)
    return not odd.any()


def _ends(codes: Codes, delimiter: int) -> NDArray[np.bool_]:
    """Which of them end a cell; before the first byte stands, at -1, the last: a newline."""
    return np.isin(codes, [delimiter, NEWLINE])


def _leading_zeros(codes: Codes, delimiter: int) -> Places:
    """Where a zero may be a cell's first digit, with another behind it."""
    found = [np.flatnonzero(codes[:1] == ZERO)]
    for k in range(0, len(codes) - 2, TILE):
        tile = codes[k : k + TILE + 2]
        before, zero, behind = tile[:-2], tile[1:-1], tile[2:]
        begin = before <= MINUS  # a newline, a comma, a sign
        if delimiter > MINUS:
            begin |= before == delimiter
        found.append(np.flatnonzero(begin & (zero == ZERO) & (behind >= ZERO)) + k + 1)
    return np.concatenate(found)


def _finite(numbers: pa.ChunkedArray) -> bool:
    """Whether none is nan or inf; what is missing is 0."""
    return numbers.type != FLOAT or all(map(_all_finite, numbers.chunks))


def _all_finite(numbers: pa.Array) -> bool:
    """The same; a sum that is finite tells it of all, at half the cost."""
    values = _floats(numbers)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


def _floats(numbers: pa.Array) -> NDArray[np.float64]:
    """The numbers, 0 where one is missing."""
    # in numpy: without memory, Arrow's own would end the process in C++
    return np.frombuffer(numbers.buffers()[1], np.float64, len(numbers), 8 * numbers.offset)


def _typed(values: pa.ChunkedArray, kind: Kind, dialect: Dialect, name: str) -> pa.ChunkedArray:
    """A column of text as numbers, if all its cells are."""
    if kind == TEXT or values.type != TEXT:
        return values
    if values.null_count == len(values):
        return pa.nulls(len(values))
    for wanted in (INT, FLOAT) if kind != FLOAT else (FLOAT,):
        with suppress(pa.ArrowInvalid):
            if kind == NULL:
                values.slice(0, SOME).cast(wanted)  # of text each cell costs its own message
            found = values.cast(wanted)
            if all(map(_certain, values.chunks, found.chunks)):
                return found
    return column(values.to_pylist(), NULL, dialect, name)


def _certain(texts: pa.Array, numbers: pa.Array) -> bool:
    """Whether all that are numbers to Arrow are so here: none is nan, inf, 007, 0x10 or +1."""
    if numbers.type == FLOAT and not _all_finite(numbers):
        return False
    _, offsets, text = texts.buffers()
    ends = np.frombuffer(offsets, np.int32, len(texts) + 1, 4 * texts.offset).astype(np.intp)
    begin, codes = ends[:-1], np.frombuffer(text, np.uint8)
    if not len(codes):  # all of these cells are empty
        return True
    first = codes.take(begin, mode="clip")  # of an empty cell at the end
    digit = begin + (first == MINUS)
    second = codes.take(digit + 1, mode="clip")  # of all cells: cheaper than of some
    odd = (codes.take(digit, mode="clip") == ZERO) & (second >= ZERO)
    if odd.any():
        odd &= GOES_ON[second] & (digit + 1 < ends[1:])
    return not (odd.any() or (first == PLUS).any())


def _has(arrays: Sequence[pa.Array], cells: Sequence[str], dialect: Dialect) -> bool:
    """Whether some row may be of these cells: one that repeats the header, or is empty."""
    found = None
    for values, cell in zip(arrays, cells, strict=True):
        gap, number = cell in dialect.missing, is_number(dialect.pointed([cell])[0])
        if values.type == TEXT:
            same = pc.is_in(values, value_set=texts([cell, None] if gap else [cell]))
        elif number or gap:
            same = values.is_valid() if number else values.is_null()
        else:
            return False
        found = same if found is None else pc.and_(found, same)
        if not pc.any(found).as_py():
            return False
    return True


def _read(
    text: bytes, dialect: Dialect, header: Sequence[str], seen: Look,
    known: dict[str, Kind] | None = None,
) -> pa.Table | None:  # fmt: skip
    """The lines as a table of text where nothing is known; None if they are not well-formed."""
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=len(text) if seen.quoted else PIECE,
                column_names=[*header],
            ),
            arrow_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=seen.quoted and dialect.quote,
                newlines_in_values=seen.torn,
                ignore_empty_lines=False,
            ),
            arrow_csv.ConvertOptions(
                null_values=dialect.missing,
                strings_can_be_null=True,
                quoted_strings_can_be_null=dialect.quoted_missing,
                check_utf8=not text.isascii(),
                column_types=dict.fromkeys(header, TEXT) | (known or {}),
            ),
        )
    except pa.ArrowInvalid:
        return None
