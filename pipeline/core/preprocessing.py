"""Which rows train, which test, which stand for all, and the scale that training rows teach."""

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array
from pipeline.core.trainers import TRANSFORM

FLAT = 1e-14  # of the largest eigenvalue: a direction without spread, to seven digits
TAKES_PART = 0.01  # the least weight of a column in a unit vector along such a direction
GIVEN_AWAY = 0.999  # R2 of rows left out
MARGIN = 10  # rows beyond the unknowns, below which R2 says little
ENOUGH = 10_000  # rows that decide it


def split_rows(
    n_rows: int, test_size: float, seed: int, labels: Array | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffle the rows and cut, by scikit-learn's train_test_split.

    Parameters
    ----------
    n_rows : int
    test_size : float
        Share of the rows to test on, from 0, below 1; rounded up to whole rows.
    seed : int
    labels : ndarray of shape (n_rows,), optional
        Both sides have each label in the share that all rows have it.

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

    train, test = train_test_split(rows, test_size=test_size, random_state=seed, stratify=labels)
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
    constant = is_constant(Z)
    varying = np.flatnonzero(~constant)
    dependent, condition = dependent_columns(Z[:, varying].T @ Z[:, varying])
    return np.flatnonzero(constant).tolist(), varying[dependent].tolist(), condition


def dependent_columns(gram: Array) -> tuple[list[int], float]:
    """Columns that depend on each other, and the condition number, by Z'Z of standardized rows.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        Of columns that are not constant.

    Returns
    -------
    dependent : list of int
    condition : float
        As `columns_to_doubt` has them.
    """
    if not len(gram):
        return [], 1.0
    values, vectors = np.linalg.eigh(gram)
    condition = float(np.sqrt(values[-1] / max(values[0], values[-1] * 1e-16)))
    flat = vectors[:, values < FLAT * values[-1]]
    return np.flatnonzero((np.abs(flat) > TAKES_PART).any(axis=1)).tolist(), condition


def gives_away_together(Z: Array, y: Array) -> tuple[list[int], float, float] | None:
    """Columns that together give the target away, where none does alone.

    Least squares of y on Z and an intercept, each row foretold by a fit to the others: its residual
    is e / (1 - h) with the leverage h (D. M. Allen, The relationship between variable selection and
    data augmentation, Technometrics 16, 1974). Of more than 10,000 rows so many, evenly spaced.

    Parameters
    ----------
    Z : ndarray of shape (n_rows, n_features)
        Standardized; rows with gaps are left out.
    y : ndarray of shape (n_rows,)

    Returns
    -------
    columns : list of int
        The fewest columns of the largest weights that have R2 of at least 0.999.
    together, alone : float
        R2 of these columns, by rows left out, and of the best one alone.
    None
        Where they do not, or a single column does, or rows are too few to tell.
    """
    rows = thinned(len(y), ENOUGH)
    rows = rows[np.isfinite(Z[rows]).all(axis=1) & np.isfinite(y[rows])]
    n, features = len(rows), Z.shape[1]
    if features < 2 or n <= features + 1 + MARGIN or is_constant(y[rows]):
        return None
    Z, y = Z[rows] - Z[rows].mean(axis=0), y[rows] - y[rows].mean()
    y /= np.abs(y).max()  # squares stay finite
    gram, products, total = Z.T @ Z, Z.T @ y, float(y @ y)
    squares = np.diag(gram)
    alone = float(np.max(products**2 / np.where(squares > 0, squares, 1)) / total)
    if alone >= GIVEN_AWAY:
        return None
    if _r2_left_out(Z, y, gram, products) < GIVEN_AWAY:
        return None
    weights = np.abs(_inverse(gram) @ products) * np.sqrt(squares)
    order = np.argsort(-weights, kind="stable")
    low, high = 1, features  # more columns never fit worse
    while low < high:
        k = (low + high) // 2
        some = order[:k]
        fit = products[some] @ _inverse(gram[np.ix_(some, some)]) @ products[some]
        low, high = (low, k) if fit >= GIVEN_AWAY * total else (k + 1, high)
    some = np.sort(order[:low])
    together = _r2_left_out(Z[:, some], y, gram[np.ix_(some, some)], products[some])
    return some.tolist(), together, alone


def _inverse(gram: Array) -> Array:
    return np.asarray(np.linalg.pinv(gram, rcond=1e-12, hermitian=True))


def _r2_left_out(Z: Array, y: Array, gram: Array, products: Array) -> float:
    """R2 of each row by a fit to the others; Z and y are centred."""
    inverse = _inverse(gram)
    leverage = 1 / len(y) + np.sum((Z @ inverse) * Z, axis=1)
    residuals = (y - Z @ (inverse @ products)) / np.maximum(1 - leverage, 1e-6)
    return float(1 - residuals @ residuals / (y @ y))


def log_target(y: Array) -> Array:
    """The natural logarithm of a target.

    Raises
    ------
    PipelineError
        When a value is not above 0.
    """
    if not (y > 0).all():
        raise PipelineError(
            f"{TRANSFORM}: log needs a target above 0, got {y.min():g}; correct or remove such "
            "rows, or take the key out of params.yaml: datasets.NAME.split"
        )
    return np.log(y)


def thinned(count: int, most: int) -> NDArray[np.intp]:
    """At most so many of `count` positions, evenly spaced; both ends at least.

    >>> thinned(10, 4)
    array([0, 3, 6, 9])
    >>> thinned(2, 4)
    array([0, 1])
    """
    found = np.linspace(0, count - 1, min(count, max(most, 2))).round().astype(np.intp)
    return found[np.diff(found, prepend=-1) > 0]  # np.unique would take 50 times as long
