"""Which kind of file it is, told by its name and its first bytes, and what reads it."""

from pathlib import Path

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError
from pipeline.core.settings.ingest import Ingest
from pipeline.ingest.foreign import ENDS, Format, refuse_foreign, told
from pipeline.ingest.table_file import TableFile

HEAD = 4096  # bytes


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
        raise PipelineError(
            f"{path}: is {'a folder' if path.is_dir() else 'missing; put it there'}"
        )
    start, end = _start(path), path.suffix.lower()
    if end in ENDS:
        known, signs = ENDS[end]
        if signs and not start.startswith(signs):
            refuse_foreign(path, start)
            text = (
                "export it again"
                if b"\0" in start or not start
                else "it looks like text: name it NAME.csv"
            )
            raise PipelineError(f"{path}: is not {known.value}, as its name says; {text}")
        return end, known
    if end in (".csv", ".gz", ".zip"):
        return {".gz": ".csv.gz", ".zip": ".csv.zip"}.get(end, end), Format.CSV
    return told(start) or (".csv", Format.CSV)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None


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
    end, known = path.suffix.lower(), Format.CSV
    if path.is_file() or end in ENDS:  # else the reader of CSV knows what is there
        end, known = format_of(path)
    table = table or Table()
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

            return StatisticsFile(path, table, end)


def opened_source(ingest: Ingest) -> TableFile:
    """Open the file of a dataset, or its folder of parts, as params.yaml declares it.

    Raises
    ------
    PipelineError
        As `opened_table` and `Parts`; where a file is a folder, or parts are of another kind.
    """
    path = ingest.path
    if path.is_dir() and not ingest.of_parts:
        raise PipelineError(f"{path}: is not a file; expected a CSV file there")
    if not ingest.of_parts:
        return opened_table(path, ingest.csv, ingest.table)
    from pipeline.ingest.parts import kind_of, opened_rows

    if (kind_of(path) is Format.CSV) != ingest.is_csv:
        has, declared = ("Parquet", "csv") if ingest.is_csv else ("CSV", "table")
        raise PipelineError(
            f"{path}: the parts are {has} files, which {declared} says nothing of "
            "(params.yaml: datasets.*.ingest)"
        )
    return opened_rows(path, ingest.csv, ingest.table)
