"""What a file holds, told by its first bytes; and the encoding of one that is CSV."""

import codecs
import contextlib
import re
from collections.abc import Sequence
from enum import Enum
from io import BufferedReader
from pathlib import Path
from typing import Literal, TypeAlias, cast

from pipeline.core.errors import PipelineError
from pipeline.ingest.unpack import DAMAGED, opened

HEAD, LARGEST = 2**16, 2**24  # bytes
LINES = 20
BLOCK = 2**20
Encoding: TypeAlias = Literal["utf-8", "utf-16", "latin-1", "cp1252"]


class Format(Enum):
    """A kind of file: what people call it."""

    CSV = "a CSV file"
    PARQUET = "a Parquet file"
    WORKBOOK = "an Excel workbook"
    SPSS = "a file of SPSS"
    STATA = "a file of Stata"
    SAS = "a transport file of SAS"
    ARFF = "an ARFF file"


# By the end of a name: the kind, and what such files begin with.
ENDS: dict[str, tuple[Format, tuple[bytes, ...]]] = {
    ".parquet": (Format.PARQUET, (b"PAR1",)),
    ".xlsx": (Format.WORKBOOK, (b"PK\x03\x04",)),
    ".xlsm": (Format.WORKBOOK, (b"PK\x03\x04",)),
    ".sav": (Format.SPSS, (b"$FL2", b"$FL3")),
    ".zsav": (Format.SPSS, (b"$FL2", b"$FL3")),
    ".dta": (Format.STATA, (b"<stata_dta>", *(bytes([version]) for version in range(104, 116)))),
    ".xpt": (Format.SAS, (b"HEADER RECORD*******LIB",)),
    ".arff": (Format.ARFF, ()),
}
SIGNATURES = {
    b"\x1f\x8b": "compressed by gzip: name it {name}.gz, and its source too",
    b"PK\x03\x04": "a zip archive: name it {name}.zip, and its source too",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ": "compressed by xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"SQLite format 3": "a database of SQLite: ask it by `add --query`",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password: save it as .xlsx without",
    b"\x89HDF": "an HDF5 file: export it as CSV",
    b"ARROW1": "a Feather file: write it as Parquet",
    b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60": "a data set of SAS: export it as .xpt, or CSV",
    b"%PDF": "a PDF: no table can be told in it",
}
OPEN_DOCUMENT = "an OpenDocument spreadsheet: save it as .xlsx"
MARKUP = re.compile(rb"(?i)\s*<(\?xml|!doctype|html|table|meta|head|body)\b")
JSON = re.compile(rb'\s*(\[\s*)?\{\s*"[^"]*"\s*:')
ATTRIBUTES = re.compile(rb"(?i)(\xef\xbb\xbf)?(\s*%.*\n)*\s*@relation\b")
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

    Raises
    ------
    PipelineError
        When nothing can be read.
    """
    found, more = b"", b"?"
    with contextlib.suppress(OSError, *DAMAGED), opened(path) as file:
        few = True
        while (len(found) < HEAD or (few and len(found) < LARGEST)) and more:
            more = cast(BufferedReader, file).read1(HEAD)
            found, few = found + more, few and found.count(b"\n") < LINES
        return found, not more
    if not found:
        raise PipelineError(f"{path}: is damaged, or no {path.suffix} archive; fetch it again")
    return found, True


def told(start: bytes) -> tuple[str, Format] | None:
    """What the first bytes alone tell: the end of a name that such a file has, and its kind."""
    if start.startswith(b"PK"):
        return (".xlsx", Format.WORKBOOK) if b"xl/" in start[:4096] else None
    if ATTRIBUTES.match(start):
        return ".arff", Format.ARFF
    for end, (known, signs) in ENDS.items():
        if start.startswith(tuple(sign for sign in signs if len(sign) > 3)):
            return end, known
    return None


def refuse_foreign(path: Path, start: bytes) -> None:
    """Refuse what is no text, or no text with a delimiter.

    Raises
    ------
    Foreign
        Which names what it is, and what to do.
    """
    if found := told(start):
        end, known = found
        unpack = "unpack it, and " * (path.suffix in (".gz", ".zip"))
        raise Foreign(f"{path}: is {known.value}: {unpack}name it NAME{end}, and its source too")
    for signature, what in SIGNATURES.items():
        if start.startswith(signature):
            what = OPEN_DOCUMENT if b"opendocument.spreadsheet" in start[:128] else what
            raise Foreign(f"{path}: is {what.format(name=path.name)}")
    if MARKUP.match(start):
        raise Foreign(f"{path}: is a page of HTML or XML: open it in Excel, and save it as .xlsx")
    if JSON.match(start):
        raise Foreign(f"{path}: is JSON: write it as CSV or Parquet")
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


def refuse_other_encodings(parts: Sequence[Path], encoded: Encoding) -> None:
    """Refuse parts of UTF-8 beside a first one of another encoding, which could read them, wrongly.

    The other way round the reader names the byte.
    """
    for path in parts[1:] if encoded != "utf-8" else ():
        if encoding(path) == "utf-8" and not _ascii(path):
            raise PipelineError(
                f"{path}: is UTF-8, and {parts[0].name} is {encoded}; save all parts as UTF-8"
            )


def _ascii(path: Path) -> bool:
    with opened(path) as file:
        return all(block.isascii() for block in iter(lambda: file.read(BLOCK), b""))


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
