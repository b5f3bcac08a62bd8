"""The mean of the lines through every pair of points."""

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array


def fit(X: Array, y: Array) -> tuple[Array, Array]:
    """Solve w, b through each pair (i, j) and average both: no least squares, but a first guess.

    w_ij = (y_j - y_i) / (x_j - x_i),  b_ij = y_i - w_ij x_i. Pairs with equal x have no line
    and are left out.

    Parameters
    ----------
    X : ndarray of shape (n_rows, 1)

    Returns
    -------
    theta : ndarray of shape (2,)
        Mean w, mean b.
    history : ndarray of shape (0,)

    Raises
    ------
    PipelineError
        With more than one feature, or when no two rows differ in x.
    """
    if X.shape[1] != 1:
        raise PipelineError(f"pairwise_mean takes one feature, got {X.shape[1]}; remove it there")
    x = X[:, 0]
    i, j = np.triu_indices(len(x), k=1)
    i, j = i[x[i] != x[j]], j[x[i] != x[j]]
    if not len(i):
        raise PipelineError("pairwise_mean needs two rows that differ in their feature")
    w = (y[j] - y[i]) / (x[j] - x[i])
    return np.array([w.mean(), (y[i] - w * x[i]).mean()]), np.empty(0)
