"""Which kind of file it is, told by its name and its first bytes, and what reads it."""

from enum import Enum
from pathlib import Path

from pipeline.core.errors import PipelineError
from pipeline.core.params import Dialect, Ingest, Table
from pipeline.ingest.table_file import TableFile

HEAD = 4096  # bytes


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


def format_of(path: Path) -> tuple[str, Format]:
    """The end that the name of such a file has, and its kind.

    By the name, where it is one of those known; else by the first bytes: what has none of the
    others' is text.

    Raises
    ------
    PipelineError
        When there is no such file, or it is not what its name says.
    """
    if not path.is_file():
        raise PipelineError(f"{path}: is {'a folder' if path.is_dir() else 'missing'}")
    start, end = _start(path), path.suffix.lower()
    if end in ENDS:
        known, signs = ENDS[end]
        if signs and not start.startswith(signs):
            raise PipelineError(f"{path}: is not {known.value}, as its name says; {_is(start)}")
        return end, known
    if path.name.endswith((".csv", ".gz", ".zip")):
        return {".gz": ".csv.gz", ".zip": ".csv.zip"}.get(path.suffix, ".csv"), Format.CSV
    return _told(start) or (".csv", Format.CSV)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None


def _told(start: bytes) -> tuple[str, Format] | None:
    """What the first bytes alone tell."""
    if start.startswith(b"PK"):
        return (".xlsx", Format.WORKBOOK) if b"xl/" in start else None
    for end, (known, signs) in ENDS.items():
        if start.startswith(tuple(sign for sign in signs if len(sign) > 3)):
            return end, known
    return None


def _is(start: bytes) -> str:
    other = _told(start)
    return f"it is {other[1].value}: name it so" if other else "export it again"


def opened_table(
    path: Path, dialect: Dialect | None = None, table: Table | None = None, advise: bool = True
) -> TableFile:
    """Open a file of any kind, up to its header.

    Parameters
    ----------
    path : Path
    dialect : Dialect, optional
        How it is written, if it is a CSV file.
    table : Table, optional
        What has to be known of it, if it is none.
    advise : bool
        Whether to look how a CSV file that is refused is written.

    Raises
    ------
    PipelineError
        When there is no such file, it is another than its name says, or its columns cannot be used.
    """
    named, table = ENDS.get(path.suffix.lower()), table or Table()
    known = format_of(path)[1] if path.is_file() else named[0] if named else Format.CSV
    match known:
        case Format.CSV:
            from pipeline.ingest.reader import CsvFile

            return CsvFile(path, dialect or Dialect(), advise=advise)
        case Format.PARQUET:
            from pipeline.ingest.parquet import ParquetRows

            return ParquetRows(path, table)
        case Format.WORKBOOK:
            from pipeline.ingest.workbook import Workbook

            return Workbook(path, table)
        case Format.ARFF:
            from pipeline.ingest.arff import ArffFile

            return ArffFile(path, table)
        case _:
            from pipeline.ingest.statistics import StatisticsFile

            return StatisticsFile(path, table)


def opened_source(ingest: Ingest) -> TableFile:
    """Open the file of a dataset, as params.yaml declares it."""
    return opened_table(ingest.path, ingest.csv, ingest.table)
