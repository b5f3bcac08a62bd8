"""Stage `validate`: the ingested table against its pandera schema; it changes no value."""

from pipeline.core import layout
from pipeline.core.errors import PipelineError, listed
from pipeline.core.files import md5, write_json
from pipeline.core.params import load_params
from pipeline.core.tables import read_table
from pipeline.stages.validate.schema import Source, check_rows, csv, load_schema


def validate(dataset: str) -> None:
    """Check types, ranges, labels and columns of data/1_ingested/<dataset>.parquet.

    All failures are reported at once, with file, line and column, and end with exit code 2. Where
    there is none, a report goes to data/2_validated, and the later stages may run.
    """
    settings = load_params().dataset(dataset)
    schema = load_schema(layout.schema(dataset))
    frame = read_table(layout.ingested(dataset)).to_pandas()
    generated = settings.make_regression is not None
    where = (
        Source(layout.ingested(dataset), "row", range(1, len(frame) + 1))
        if generated
        else csv(layout.raw_csv(dataset))
    )
    problems = check_rows(frame, schema, where)
    if problems:
        raise PipelineError(f"{listed(problems)}\nexpected by {layout.schema(dataset)}")
    checks = {
        name: [str(column.dtype), *(str(check.error or check.name) for check in column.checks)]
        for name, column in schema.columns.items()
    }
    write_json(
        layout.validated(dataset),
        {
            "dataset": dataset,
            "data_md5": md5(layout.ingested(dataset)),
            "rows": len(frame),
            "checks": checks,
        },
    )
