"""Check the table against its pandera schema.

Types, ranges, labels and columns; the first 20 failures, with file, line and column, and a count.
No value is changed. Warns of what fits the schema and is odd all the same: repeated rows, rare
classes, columns that count the rows, that give the target away or whose digits are lost, values
that stand for none, rows of totals, dates of another century (docs/your-data.md has all). What
params mute is counted; of columns that split drops nothing is said.

Reads data/1_ingested/DATASET.parquet, data/schema/DATASET.yaml, and from metrics/champion.json
what the rows that the champion was trained on were like; params task, target, ingest,
split.columns and split.target_transform.
Writes data/2_validated/DATASET/report.json, and report.txt, the same for people, when all is well;
rejected.csv, where ingest has set damaged records aside.
"""

import warnings
from math import inf
from typing import Any

import pandera.pandas as pa

from pipeline.core import layout
from pipeline.core.artifacts.rejected import said, write_rejected
from pipeline.core.artifacts.trained_on import read_trained_on
from pipeline.core.artifacts.validated import Validated
from pipeline.core.errors import SHOWN, PipelineError, PipelineWarning, counted
from pipeline.core.files import md5, write_json, write_text
from pipeline.core.oddities import heard, hushed
from pipeline.core.params import load_params
from pipeline.core.passes import engine
from pipeline.core.settings.ingest import Ingest
from pipeline.core.settings.split import is_date
from pipeline.core.tables import read_lines, read_rejected, table_schema
from pipeline.core.text import is_number
from pipeline.core.words import written
from pipeline.validate.centuries import centuries
from pipeline.validate.data_warnings import data_warnings
from pipeline.validate.placeholders import placeholders
from pipeline.validate.profile import Profile
from pipeline.validate.schema import load_schema, of_dates, require_above_0
from pipeline.validate.table import check_table
from pipeline.validate.text import as_text
from pipeline.validate.values import Source, check_columns


def validate(dataset: str) -> None:
    """Check types, ranges, labels and columns of data/1_ingested/<dataset>.parquet.

    All failures are reported at once, with file, line and column, and end with exit code 2. Where
    there is none, a report goes to data/2_validated, as JSON and as text, and the later stages may
    run. It has the warnings, too: repeated rows, rare classes, columns that count the rows or tell
    the target, columns that are not as in the rows on which the champion was trained.

    Raises
    ------
    PipelineError
        For values that break the schema, with the first 20 and a count of the rest; for a schema
        or a table that cannot be read.
    """
    params = load_params()
    settings = params.dataset(dataset)
    schema, path = load_schema(layout.schema(dataset)), layout.ingested(dataset)
    if settings.logged:
        key = f"{layout.PARAMS}: datasets.{dataset}.split.target_transform"
        require_above_0(schema, settings.target, key)
    labelled = settings.task == "classification"
    declared = settings.split.columns.items()
    dropped = sorted(settings.split.left_out)
    of_dates(schema, [name for name, kind in declared if is_date(kind)])
    with engine(params.engine, params.ray_address):
        profile = Profile(path, settings.target, labelled, read_trained_on(dataset), dropped)
    ingest = settings.ingest
    where = (
        Source(path, "row", range(1, profile.rows + 1))
        if ingest.make_regression
        else Source(ingest.path, ingest.unit, read_lines(path), ingest.csv, declare=ingest.is_csv)
    )
    columns = check_columns(table_schema(path).names, schema, where.path)
    problems = check_table(path, schema, where, profile)
    count = len(columns) + problems.count
    if count:
        shown = [*columns, *(text for _, _, text in problems.first)][:SHOWN]
        raise PipelineError(f"{counted(shown, count)}\nexpected by {layout.schema(dataset)}")
    of_dates_alone = *centuries(path, settings), *placeholders(path, settings)
    found, muted = [*data_warnings(profile, where), *of_dates_alone], ingest.mute
    rejected = read_rejected(path)
    aside = [said(where.path, rejected, profile.rows + len(rejected))] if rejected else []
    told = [*aside, *heard(found, muted)]
    for text in told:
        warnings.warn(text, PipelineWarning, stacklevel=2)
    report = Validated(
        dataset=dataset,
        data_md5=md5(path),
        rows=profile.rows,
        repeated_rows=profile.repeated(0)[0],
        written=_written(ingest),
        set_aside=len(rejected),
        warnings=[*told, *hushed(found, muted, dataset)],
        muted=muted,
        classes=dict(sorted(profile.labels.items(), key=_in_order)),
        checks={name: _checks(column) for name, column in schema.columns.items()},
        columns={name: _summary(profile, name) for name in [*profile.numbers, *profile.empty]},
    )
    unsaid = None if rejected else {"set_aside"}
    write_json(layout.validated(dataset), report.model_dump(exclude=unsaid))
    write_rejected(dataset, rejected)
    write_text(layout.validated_text(dataset), as_text(report, str(layout.schema(dataset))))


def _written(ingest: Ingest) -> str:
    """How the file is written, or its kind; of generated rows nothing."""
    if ingest.make_regression:
        return ""
    return "; ".join(written(ingest.csv)) if ingest.is_csv else f"as {ingest.ending}"


def _in_order(counted: tuple[str, int]) -> tuple[float, str]:
    """Labels that are numbers by their size, others by the alphabet behind them."""
    label, _ = counted
    return (float(label) if is_number(label) else inf), label


def _checks(column: pa.Column) -> list[str]:
    """The type of a column, and the checks that it has passed."""
    return [str(column.dtype), *(str(check.error or check.name) for check in column.checks)]


def _summary(profile: Profile, name: str) -> dict[str, Any]:
    """A column in short; 10 digits, since those behind differ between CPU types."""
    if name in profile.empty:
        return {"empty": profile.empty[name]}
    column = profile.numbers[name]
    if not column.parts:
        return {"missing": column.missing}
    found = {"min": column.low, "max": column.high, "mean": column.mean, "sd": column.sd}
    return {"missing": column.missing} | {k: float(f"{v:.10g}") for k, v in found.items()}
