"""Which rows train, which test, which stand for all, and the scale that training rows teach."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.tables import Array

FLAT = 1e-14  # of the largest eigenvalue: a direction without spread, to seven digits
TAKES_PART = 0.01  # the least weight of a column in a unit vector along such a direction


def split_rows(
    n_rows: int, test_size: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffle the rows and cut, by scikit-learn's train_test_split.

    Parameters
    ----------
    n_rows : int
    test_size : float
        Share of the rows to test on, from 0, below 1; rounded up to whole rows.
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Row numbers from 0. With `test_size` 0 every row trains, in the file's order; where the
        share leaves no row to train on, every row tests.
    """
    rows = np.arange(n_rows)
    if test_size == 0:
        return rows, rows[:0]
    if test_size * n_rows > n_rows - 1:  # scikit-learn refuses it, in words of its own
        return rows[:0], rows
    from sklearn.model_selection import train_test_split  # a second that report need not wait

    train, test = train_test_split(rows, test_size=test_size, random_state=seed)
    return train, test


def standardized(X: Array, mean: Array, scale: Array) -> Array:
    """The standardized features z = (x - mean) / scale.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    mean, scale : ndarray of shape (n_features,)

    Returns
    -------
    ndarray of shape (n_rows, n_features)
    """
    return (X - mean) / scale


def is_constant(X: Array) -> NDArray[np.bool_]:
    """Whether all rows of a column are equal; of one vector, whether all its values are.

    Exact: a standard deviation is no measure of it, as rounding gives 1e-17 for 0.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features) or (n_rows,)
        At least one row.

    Returns
    -------
    ndarray of bool of shape (n_features,) or ()

    Examples
    --------
    >>> is_constant(np.array([[0.1, 1], [0.1, 2]])).tolist()
    [True, False]
    """
    return np.asarray(np.equal(X, X[:1]).all(axis=0))


def fit_scaler(X: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each column, as scikit-learn's StandardScaler has them.

    A constant column gets scale 1, and so does one whose deviation is too small for a float.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        Training rows only.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,)
    """
    scale = X.std(axis=0)
    return X.mean(axis=0), np.where(is_constant(X) | (scale == 0), 1.0, scale)


def draw_features(n_features: int, wanted: int, seed: int) -> list[int]:
    """Draw features without replacement.

    Parameters
    ----------
    n_features, wanted : int
        How many there are, and how many of them to draw.
    seed : int

    Returns
    -------
    list of int
        Column numbers from 0, in their order.
    """
    drawn = np.random.default_rng(seed).choice(n_features, wanted, replace=False)
    return sorted(drawn.tolist())


def columns_to_doubt(Z: Array) -> tuple[list[int], list[int], float]:
    """Columns of standardized rows that a linear model cannot tell apart.

    By the eigenvalues of Z'Z: their ratio is the square of the condition number of Z.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features)

    Returns
    -------
    constant : list of int
        Columns without spread.
    dependent : list of int
        Columns that together give a direction without spread, to seven digits; empty where none do.
    condition : float
        Condition number of the columns that are not constant; beyond 1e8 only a lower bound.
    """
    constant = np.flatnonzero(is_constant(Z))
    varying = np.setdiff1d(np.arange(Z.shape[1]), constant)
    if not len(varying):
        return constant.tolist(), [], 1.0
    values, vectors = np.linalg.eigh(Z[:, varying].T @ Z[:, varying])
    condition = float(np.sqrt(values[-1] / max(values[0], values[-1] * 1e-16)))
    flat = vectors[:, values < FLAT * values[-1]]
    dependent = varying[(np.abs(flat) > TAKES_PART).any(axis=1)]
    return constant.tolist(), dependent.tolist(), condition


def thinned(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` positions, evenly spaced; both ends at least.

    >>> thinned(10, 4)
    array([0, 3, 6, 9])
    >>> thinned(2, 4)
    array([0, 1])
    """
    return np.unique(np.linspace(0, count - 1, min(count, max(most, 2))).round().astype(np.intp))
