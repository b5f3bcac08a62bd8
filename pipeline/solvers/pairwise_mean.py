"""The mean of the lines through every pair of points."""

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array
from pipeline.solvers.descent import Fit
from pipeline.solvers.rows import Rows, in_memory

MOST_ROWS = 3000  # 4.5 million pairs


@np.errstate(over="ignore", invalid="ignore")  # judged below
def fit(rows: Rows) -> Fit:
    """Solve w, b through each pair of rows and average both: no least squares, but a first guess.

    Raises
    ------
    PipelineError
        With more than one feature, more than 3,000 rows, when no two rows differ in x, or when a
        line overflows.
    """
    if rows.n_features != 1:
        raise PipelineError(
            f"pairwise_mean takes one feature, got {rows.n_features}; remove its line "
            "from params.yaml: models.direct"
        )
    if rows.n_rows > MOST_ROWS:
        raise PipelineError(
            f"pairwise_mean takes at most {MOST_ROWS} rows, got {rows.n_rows}: their pairs are "
            f"{rows.n_rows * (rows.n_rows - 1) // 2}; use closed_form"
        )
    X, y = in_memory(rows)
    w, b = lines(X[:, 0], y)
    if not len(w):
        raise PipelineError("pairwise_mean needs two rows that differ in their feature")
    theta = np.array([w.mean(), b.mean()])
    if not np.isfinite(theta).all():
        raise PipelineError("values of the feature or the target are too large; rescale them")
    return Fit(theta, np.empty(0))


def lines(x: Array, y: Array) -> tuple[Array, Array]:
    """W and b of the line through each pair (i, j), i < j; pairs with equal x have none.

    w_ij = (y_j - y_i) / (x_j - x_i),  b_ij = y_i - w_ij x_i.

    Parameters
    ----------
    x, y : ndarray of shape (n_rows,)

    Returns
    -------
    w, b : ndarray of shape (n_pairs,)
        At most n_rows (n_rows - 1) / 2 of them.
    """
    i, j = np.triu_indices(len(x), k=1)
    i, j = i[x[i] != x[j]], j[x[i] != x[j]]
    w = (y[j] - y[i]) / (x[j] - x[i])
    return w, y[i] - w * x[i]
