"""A CSV file as a table."""

from pathlib import Path

import pyarrow as pa

from pipeline.core.dialect import Dialect
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import read_rows


def read_csv(path: Path, dialect: Dialect | None = None) -> pa.Table:
    """All rows of a CSV file."""
    return read_rows(CsvFile(path, dialect or Dialect()))
