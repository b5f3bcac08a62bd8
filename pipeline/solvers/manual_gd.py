"""Gradient descent on the mean squared error, with the gradient written out."""

import numpy as np

from pipeline.core.tables import Array
from pipeline.solvers.quadratic import descend, mean_squared_error


def fit(X: Array, y: Array, lr: float, epochs: int) -> tuple[Array, Array]:
    """Descend the mean squared error from w = 0, b = 0, all rows in each step.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
        Intercept last.
    history : ndarray of shape (epochs + 1,)
        Mean squared error before each step and after the last.
    """
    return descend(mean_squared_error(X, y), np.zeros(X.shape[1] + 1), lr, epochs)
