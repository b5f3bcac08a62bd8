"""Which rows train, which test, and the scale that the training rows teach."""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.core.tables import Array


def split_rows(
    n_rows: int, test_size: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffle the rows and cut: the rows that sklearn's train_test_split gives, in its order.

    Written out because importing scikit-learn costs more than the whole stage.

    Returns
    -------
    train, test : ndarray of int
        Row numbers from 0. With `test_size` 0 every row trains, in the file's order.
    """
    if test_size == 0:
        return np.arange(n_rows), np.arange(0)
    n_test = math.ceil(test_size * n_rows)
    shuffled = np.random.RandomState(seed).permutation(n_rows)
    return shuffled[n_test:], shuffled[:n_test]


def fit_scaler(X: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column: z = (x - mean) / scale has mean 0, variance 1.

    A constant column gets scale 1, as in sklearn's StandardScaler.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Training rows only.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
    """
    scale = X.std(axis=0)
    # Rounding gives a constant column a tiny spread, and a spread of 1e-311 rounds to none.
    constant = (X.max(axis=0) == X.min(axis=0)) | (scale == 0)
    return X.mean(axis=0), np.where(constant, 1.0, scale)


def draw_features(n_features: int, wanted: int, seed: int) -> list[int]:
    """So many of the columns, drawn by `seed`, in their order."""
    drawn = np.random.default_rng(seed).choice(n_features, wanted, replace=False)
    return sorted(drawn.tolist())


def columns_to_doubt(Z: Array) -> tuple[list[int], list[int], float]:
    """Columns of standardized rows that a linear model cannot tell apart.

    Returns
    -------
    constant : list of int
        Columns without spread.
    dependent : list of int
        Columns that together give a direction without spread, to seven digits; empty where none do.
    condition : float
        Condition number of the columns that are not constant; beyond 1e8 only a lower bound.
    """
    constant = np.flatnonzero((Z[1:] == Z[:1]).all(axis=0))
    varying = np.setdiff1d(np.arange(Z.shape[1]), constant)
    if not len(varying):
        return constant.tolist(), [], 1.0
    values, vectors = np.linalg.eigh(Z[:, varying].T @ Z[:, varying])
    condition = float(np.sqrt(values[-1] / max(values[0], values[-1] * 1e-16)))
    flat = vectors[:, values < 1e-14 * values[-1]]
    dependent = varying[(np.abs(flat) > 0.01).any(axis=1)]
    return constant.tolist(), dependent.tolist(), condition
