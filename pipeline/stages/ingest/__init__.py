"""Stage `ingest`: a CSV file, or scikit-learn's generator, to Parquet, values as received."""

import pyarrow as pa

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import MakeRegression, load_params
from pipeline.core.tables import number_table, write_table


def ingest(dataset: str) -> None:
    """Read data/raw/<dataset>.csv, or generate the rows, into data/1_ingested.

    Refuses (exit code 2) a file it would have to guess about: fields missing or too many, a header
    that is blank or doubled, text that is not UTF-8. It knows no schema: `validate` comes next.
    """
    settings = load_params().dataset(dataset)
    if settings.make_regression:
        table = generate(settings.make_regression, settings.target)
    else:
        from pipeline.stages.ingest.csv_reader import read_csv

        table = read_csv(layout.raw_csv(dataset))
    write_table(layout.ingested(dataset), table)


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
