"""Make a dataset of a file, or of parts: find out how they are written, and what the columns are.

  python -m pipeline add FILE --target COLUMN

Says what it found: delimiter, decimal sign, quotes, header, missing values, what each column is,
what is left out and why. Copies FILE to data/raw (more than 10 MB go to DVC), drafts a schema, and
puts a block and model lines into params.yaml, whose other bytes stay; `dvc repro` trains then.
Without --target it lists the columns that may be one. Where something is wrong nothing is changed.

Reads FILE: CSV, also in .gz or .zip, Parquet, a workbook (.xlsx), ARFF and, with the extra
`statistics`, SPSS, Stata or SAS transport files. A folder, or several files, are parts of one
table, of CSV or Parquet; an address such as s3://bucket/folder/ or s3://bucket/*.csv is fetched, by
the extra `cloud`.
Writes data/raw/NAME.csv (or .parquet, ..., or a folder NAME of parts), data/schema/NAME.yaml,
params.yaml.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from pipeline.commands.add.files import LARGE, place
from pipeline.commands.add.plan import Plan, planned
from pipeline.commands.add.sources import is_url, taken
from pipeline.commands.add.words import summary
from pipeline.core import layout
from pipeline.core.errors import PipelineError, calling
from pipeline.core.run import say
from pipeline.core.trainers import Task


def add(plan: Plan, dry_run: bool = False, large: int = LARGE, fetched: bool = False) -> str:
    """Write the files of a new dataset; say what was found, and what to do next.

    Raises
    ------
    PipelineError
        When the disk refuses; nothing has changed then.
    """
    schema = layout.schema(plan.name)
    files = f"{plan.source}, {schema}, {layout.PARAMS}: datasets.{plan.name}"
    if dry_run:
        done = [f"{'dry run':<12}nothing is written; else {files}"]
    else:
        texts = (schema, plan.schema), plan.params
        place(plan.file, plan.before, plan.source, *texts, large, fetched)
        done = [f"{'files':<12}{files}", f"{'next':<12}dvc repro"]
    return "\n".join([*summary(plan.told), *done])


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `add`."""
    parser.add_argument(
        "FILE", nargs="*", help="CSV, Parquet, .xlsx, ..., a folder, or s3:// (docs/your-data.md)"
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column to predict")
    named = "of the dataset: a-z, 0-9 and _; made of FILE's unless given"
    parser.add_argument("--name", help=named)
    told = "told by the target unless given"
    parser.add_argument("--task", choices=get_args(Task), help=told)
    cells = "what a cell without a value holds, beside what is found; may be given again"
    parser.add_argument("--missing", action="append", default=[], metavar="TEXT", help=cells)
    parser.add_argument("--sheet", help="of a workbook that has several")
    asked = "in place of FILE: SQL whose rows become data/raw/NAME.parquet, under DVC"
    parser.add_argument("--query", help=asked)
    address = "the environment variable that holds the address of the database"
    parser.add_argument("--connection", metavar="VARIABLE", help=address)
    parser.add_argument("--dry-run", action="store_true", help="say it, and write nothing")


def run(options: Namespace) -> None:
    """Run the command."""
    o = options
    if bool(o.FILE) == (o.query is not None):
        raise PipelineError("expected a FILE, or --query with --connection and --name")
    if o.query is None:
        if o.connection:
            raise PipelineError("--connection goes with --query")
        with taken(o.FILE, o.name) as (file, name, shown), calling(str(file), shown):
            plan = planned(file, o.target, name, o.task, o.missing, o.sheet)
            plan = plan._replace(told=plan.told._replace(file=shown))
            say(add(plan, o.dry_run, *((0, True) if is_url(shown) else ())))
        return
    if o.sheet:
        raise PipelineError("--sheet goes with a workbook, not with --query")
    if not (o.connection and o.name):
        raise PipelineError("--query needs --connection VARIABLE and --name NAME, too")
    from pipeline.commands.add.query import snapshot

    with TemporaryDirectory() as folder:
        file = Path(folder) / f"{o.name}.parquet"
        snapshot(o.query, o.connection, file)
        with calling(str(file), "--query"):
            plan = planned(file, o.target, o.name, o.task, o.missing)
        told = plan.told._replace(file=f"query of {o.connection}")
        say(add(plan._replace(told=told), o.dry_run, large=0))
