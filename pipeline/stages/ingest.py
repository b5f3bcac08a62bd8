"""Stage `ingest`: a CSV file, or scikit-learn's generator, to Parquet, values as received."""

from pathlib import Path

import pyarrow as pa

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import MakeRegression, load_params
from pipeline.core.tables import number_table, write_table


def ingest(dataset: str) -> None:
    """Read data/raw/<dataset>.csv, or generate the rows, into data/1_ingested.

    Refuses (exit code 2) a file that is not written as params.yaml declares: fields missing or too
    many, a header that is blank or doubled, bytes of another encoding. It knows no schema:
    `validate` comes next.
    """
    settings = load_params().dataset(dataset)
    if settings.make_regression:
        table = generate(settings.make_regression, settings.target)
        write_table(layout.ingested(dataset), table)
    else:
        from pipeline.csv.reader import CsvFile, write_csv

        source = layout.raw_csv(dataset, settings.csv.gz)
        _refuse_outside(source)
        write_csv(layout.ingested(dataset), CsvFile(source, settings.csv))


def _refuse_outside(path: Path) -> None:
    """Refuse a link out of the repository: a clone elsewhere would not have the file."""
    target = path.resolve()
    if not target.is_relative_to(Path.cwd().resolve()):
        raise PipelineError(
            f"{path}: is a link to {target}, outside of this folder; "
            "expected the file itself: copy it"
        )


def generate(arguments: MakeRegression, target: str) -> pa.Table:
    """Rows of sklearn.datasets.make_regression: features x1, x2, ... and the target."""
    from sklearn.datasets import make_regression

    X, y = make_regression(**arguments.model_dump())
    names = [f"x{k}" for k in range(1, X.shape[1] + 1)]
    if target in names:
        raise PipelineError(
            f"{layout.PARAMS}: target: {target} is the name of a feature; rename it"
        )
    return number_table([*names, target], [*X.T, y])
