"""What a file holds that is no CSV, told by its first bytes; and the encoding of one that is."""

import codecs
import contextlib
import re
from io import BufferedReader
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pipeline.core.errors import PipelineError
from pipeline.ingest.records import DAMAGED, opened

HEAD, LARGEST = 2**16, 2**24  # bytes
LINES = 20
BLOCK = 2**20
Encoding: TypeAlias = Literal["utf-8", "utf-16", "latin-1", "cp1252"]
SIGNATURES = {
    b"\x1f\x8b": "compressed by gzip: name it {name}.gz, and its source too",
    b"PK\x03\x04": "a zip archive: name it {name}.zip, and its source too",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ": "compressed by xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"PAR1": "a Parquet file: name it NAME.parquet, and its source too",
    b"SQLite format 3": "a database of SQLite: export a table of it as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as .xlsx",
    b"\x89HDF": "an HDF5 file: export it as CSV",
    b"%PDF": "a PDF: no table can be told in it",
}
WORKBOOK = "an Excel workbook: name it NAME.xlsx, and its source too"
UNDEFINED = {b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"}  # in cp1252
CONTROLS = re.compile(rb"[\x80-\x9f]")  # in latin-1
DRAWN = re.compile(r"\s*[-=]{3,}(\+[-=]{2,})+\s*")
MARKDOWN = re.compile(r"\|?(\s*:?-{3,}:?\s*\|)+(\s*:?-{3,}:?\s*)?")
FRAMED = re.compile(r"\s*\+[-=]{2,}(\+[-=]{2,})*\+\s*")


class Foreign(PipelineError):
    """A file that is no CSV."""


def head(path: Path) -> tuple[bytes, bool]:
    """The first bytes, unpacked, up to where an archive is damaged; and whether they are all.

    At least 64 KB and, unless they are longer than 16 MB, a few lines.
    """
    found, more = b"", b"?"
    damaged = contextlib.suppress(PipelineError, OSError, *DAMAGED)
    with damaged, opened(path) as file:
        few = True
        while (len(found) < HEAD or (few and len(found) < LARGEST)) and more:
            more = cast(BufferedReader, file).read1(HEAD)
            found, few = found + more, few and found.count(b"\n") < LINES
        return found, not more
    return found, True


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse what is no text, or no text with a delimiter.

    Raises
    ------
    Foreign
        Which names what it is, and what to do.
    """
    for signature, what in SIGNATURES.items():
        if start.startswith(signature):
            what = WORKBOOK if b"xl/" in start[:4096] and b"PK" in signature else what
            raise Foreign(f"{path}: is {what.format(name=path.name)}")
    few, many = sorted(start[k::2].count(0) for k in (0, 1))
    marked = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if not marked and 4 * many > len(start) > 0 and 10 * few < many:
        raise Foreign(f"{path}: looks like UTF-16 without its mark: save it as UTF-8")
    lines = start.decode("utf-8", "replace").splitlines()[:2]
    if any(map(FRAMED.fullmatch, lines)):
        raise Foreign(f"{path}: is a table drawn by mysql: export it by mysql --batch")
    if len(lines) > 1 and MARKDOWN.fullmatch(lines[1]) and "|" in lines[0]:
        raise Foreign(f"{path}: is a table of Markdown: write it as CSV")
    if len(lines) > 1 and DRAWN.fullmatch(lines[1]) and "|" in lines[0]:
        raise Foreign(f"{path}: is a table drawn by psql: export it by \\copy, or psql --csv")


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    """Whether a block goes on as it must; an empty one: whether nothing is left over."""
    try:
        decoder.decode(block, final=not block)
    except UnicodeDecodeError:
        return False
    return True


def _plain(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    """Whether a block is ASCII, and none of the letters before it is half read."""
    return block.isascii() and not decoder.getstate()[0]


def encoding(path: Path) -> Encoding:
    """UTF-16 by its mark, UTF-8 if all of the file is; else cp1252, or latin-1.

    In latin-1 the bytes from 0x80 to 0x9f are control characters, which nobody means.
    """
    decoder, utf_8, high = codecs.getincrementaldecoder("utf-8")(), True, set[bytes]()
    damaged = contextlib.suppress(PipelineError, OSError, *DAMAGED)
    with damaged, opened(path) as file:
        while block := file.read(BLOCK):
            if utf_8 and block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "utf-16"
            utf_8 = utf_8 and (_plain(decoder, block) or _decodes(decoder, block))
            high |= {*CONTROLS.findall(block)} if not utf_8 else set()
        utf_8 = utf_8 and _decodes(decoder, b"")
    return "utf-8" if utf_8 else "cp1252" if high and high.isdisjoint(UNDEFINED) else "latin-1"
