"""Turn a file of data/raw, a folder of parts, or generated rows, into Parquet.

The values stay as received. A file that would have to be guessed about is refused: records with
too few or too many fields, blank or doubled column names, text that is not UTF-8. Where
ingest.csv.bad_records says so, a few damaged records are set aside; the table's metadata have them.

Reads ingest.source of the dataset, or calls sklearn's make_regression (params.yaml).
Writes data/1_ingested/DATASET.parquet.
"""

import os
from pathlib import Path

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params
from pipeline.core.tables import write_table


def ingest(dataset: str) -> None:
    """Read a file of data/raw, or its parts, or generate the rows, into data/1_ingested.

    Refuses (exit code 2) a file that is not written as params.yaml declares: fields missing or too
    many, a header that is blank or doubled, bytes of another encoding; in a workbook error cells
    and formulas without a value; in Parquet nested columns; parts whose columns differ. It knows no
    schema:
    `validate` comes next.

    Raises
    ------
    PipelineError
        For such a file; it names file, line and column.
    """
    settings = load_params().dataset(dataset)
    if settings.ingest.make_regression:
        from pipeline.ingest.make_regression import generate

        table = generate(settings.ingest.make_regression, settings.target)
        write_table(layout.ingested(dataset), table)
    else:
        from pipeline.ingest.formats import opened_source
        from pipeline.ingest.table_file import write_rows

        for path in (settings.ingest.path, *settings.ingest.path.glob("*")):  # and its parts
            _refuse_outside(path)
        write_rows(layout.ingested(dataset), opened_source(settings.ingest))


def _refuse_outside(path: Path) -> None:
    """Refuse a link out of the repository: a clone elsewhere would not have the file."""
    target = Path(os.path.realpath(path))  # `resolve` raises where a link leads to itself
    if not target.is_relative_to(os.path.realpath(Path.cwd())):
        raise PipelineError(
            f"{path}: is a link to {target}, outside of this folder; "
            "expected the file itself: copy it"
        )
