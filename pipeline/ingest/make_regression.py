"""Rows of scikit-learn's generator: a linear target with noise."""

import pyarrow as pa
from sklearn.datasets import make_regression

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.settings.ingest import MakeRegression
from pipeline.core.tables import number_table


def generate(arguments: MakeRegression, target: str) -> pa.Table:
    """Rows of sklearn.datasets.make_regression: features x1, x2, ... and the target.

    Parameters
    ----------
    arguments : MakeRegression
        Passed on as they are.
    target : str
        The name of the last column.

    Returns
    -------
    Table of n_samples rows and n_features + 1 columns of float64

    Raises
    ------
    PipelineError
        When the target is called like a feature.
    """
    X, y = make_regression(**arguments.model_dump())
    names = [f"x{k}" for k in range(1, X.shape[1] + 1)]
    if target in names:
        raise PipelineError(
            f"{layout.PARAMS}: target: {target} is the name of a feature; rename it"
        )
    return number_table([*names, target], [*X.T, y])
