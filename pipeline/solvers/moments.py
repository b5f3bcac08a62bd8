"""First and second moments of weighted rows, in one pass, centred as they are summed."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.passes import map_ordered
from pipeline.core.tables import Array
from pipeline.solvers.blocks import blocks, one_blas_thread
from pipeline.solvers.rows import Block, Rows, over


@dataclass(frozen=True)
class Moments:
    """Sums over rows of Z = [X, y].

    Attributes
    ----------
    weight : float
        Sum of the weights.
    mean : ndarray of shape (n_features + 1,)
        Weighted mean of each column, of the target last; zeros where nothing is centred.
    scatter : ndarray of shape (n_features + 1, n_features + 1)
        Sum of w (z - mean)(z - mean)'.
    """

    weight: float
    mean: Array
    scatter: Array

    def __add__(self, other: "Moments") -> "Moments":
        """Pool two sets of rows (Chan, Golub and LeVeque 1979)."""
        weight = self.weight + other.weight
        if weight == 0:
            return self
        gap = other.mean - self.mean
        shift = self.weight * other.weight / weight
        return Moments(
            weight,
            self.mean + gap * (other.weight / weight),
            self.scatter + other.scatter + shift * np.outer(gap, gap),
        )

    def seen(self, mean: Array, scale: Array) -> "Moments":
        """The moments of (X - mean) / scale; the target as it is."""
        by, shift = np.append(scale, 1.0), np.append(mean, 0.0)
        return Moments(self.weight, (self.mean - shift) / by, self.scatter / np.outer(by, by))

    def spread(self) -> "Spread":
        """That of the features."""
        return Spread(self.weight, self.mean[:-1], np.diag(self.scatter)[:-1])

    def gram(self, fit_intercept: bool = True) -> Array:
        """A'WA / sum(W) of A = [X, 1], shape (n_features + 1,) * 2; [X, 0] without intercept."""
        mean = np.append(self.mean[:-1], float(fit_intercept))
        gram = np.outer(mean, mean)
        gram[:-1, :-1] += self.scatter[:-1, :-1] / self.weight
        return gram


@one_blas_thread
def moments(rows: Rows, centre: bool = True) -> Moments:
    """Moments of the standardized rows; with `centre` False about zero instead of the mean.

    Each block is centred by its own mean before it is squared, and blocks are pooled (Chan, Golub
    and LeVeque 1979): the squares of a column far from zero lose no digits.

    Parameters
    ----------
    rows : Rows
    centre : bool, optional

    Raises
    ------
    PipelineError
        When the squares overflow.
    """
    parts = over(rows, lambda part: _of_block(rows.read(part), centre), "moments")
    total = reduce(lambda a, b: a + b, parts)
    _refuse_overflow(total)
    return total.seen(rows.mean, rows.scale)


@one_blas_thread
def moments_of_folds(rows: Rows, fold: NDArray[np.intp], count: int) -> list[Moments]:
    """Moments of the rows of each fold, in one pass over all; weights do not count.

    Parameters
    ----------
    rows : Rows
        Of mean 0 and scale 1.
    fold : ndarray of int, of shape (n_rows,)
        The fold of each row, from 0 to `count` - 1.
    count : int

    Raises
    ------
    PipelineError
        When the squares overflow.
    """

    def of_part(part: slice) -> list[Moments]:
        block, own = rows.read(part), fold[part].astype(np.uint16)  # which numpy sorts by digits
        return reduce(add, (of_block(block[some], own[some]) for some in blocks(len(block))))

    def of_block(block: Block, own: NDArray[np.uint16]) -> list[Moments]:
        order = np.argsort(own, kind="stable")
        X, y = np.take(block.X, order, axis=0), block.y[order]
        ends = np.cumsum(np.bincount(own, minlength=count)).tolist()
        each = zip([0, *ends], ends, strict=False)
        return [_of_block(Block(X[a:b], y[a:b]), centre=True) for a, b in each]

    def add(a: list[Moments], b: list[Moments]) -> list[Moments]:
        return [one + other for one, other in zip(a, b, strict=True)]

    pooled = reduce(add, over(rows, of_part, "moments of folds"))
    for one in pooled:
        _refuse_overflow(one)
    return pooled


@np.errstate(over="ignore", invalid="ignore")  # judged in the sums
def _of_block(block: Block, centre: bool) -> Moments:
    Z = np.empty((len(block), block.X.shape[1] + 1))
    Z[:, :-1], Z[:, -1] = block.X, block.y
    w = np.ones(len(Z)) if block.weights is None else block.weights
    total = float(w.sum())
    mean = rest = np.zeros(Z.shape[1])
    if centre and total > 0:
        mean = w @ Z / total
        Z -= mean
        rest = w @ Z / total  # what rounding left of the mean
    scatter = Z.T @ Z if block.weights is None else (Z * w[:, None]).T @ Z
    return Moments(total, mean + rest, scatter - total * np.outer(rest, rest))


def _refuse_overflow(total: Moments) -> None:
    if not np.isfinite(total.scatter).all():
        raise PipelineError("values of the features or the target are too large; rescale them")


@dataclass(frozen=True)
class Spread:
    """Sum of weights, mean and sum of squared deviations of each column.

    Attributes
    ----------
    weight : float
    mean, squares : ndarray of shape (n_features,)
    """

    weight: float
    mean: Array
    squares: Array

    def __add__(self, other: "Spread") -> "Spread":
        """Pool two sets of rows."""
        weight = self.weight + other.weight
        if weight == 0:
            return self
        gap = other.mean - self.mean
        share = other.weight / weight
        squares = self.squares + other.squares + gap**2 * (self.weight * share)
        return Spread(weight, self.mean + gap * share, squares)

    def scale(self) -> Array:
        """Standard deviation, shape (n_features,); 1 for a constant column."""
        deviation = spread(self.squares, self.weight, self.mean) / np.sqrt(self.weight)
        return np.where(deviation > 0, deviation, 1.0)


def spread(squares: Array, weight: float, mean: Array) -> Array:
    """Square roots of sums of squared deviations; 0 where rounding alone made them.

    Parameters
    ----------
    squares : ndarray of shape (n_columns,)
        Weighted sums of squared deviations from `mean`.
    weight : float
        Sum of the weights.
    mean : ndarray of shape (n_columns,)
        A deviation below 10 eps |mean| is taken for rounding.
    """
    root = np.sqrt(np.maximum(squares, 0))
    rounding = 10 * np.finfo(float).eps * np.abs(mean) * np.sqrt(weight)
    return np.where(root > rounding, root, 0.0)


@one_blas_thread
def column_spread(X: Array, weights: Array | None = None, centre: bool = True) -> Spread:
    """Mean and spread of each column of X, in one pass; with `centre` False about zero.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    weights : ndarray of shape (n_rows,), optional
        Ones unless given.
    centre : bool, optional

    Raises
    ------
    PipelineError
        When the squares overflow.
    """

    @np.errstate(over="ignore", invalid="ignore")  # judged below, in the sums
    def of_block(part: slice) -> Spread:
        Z = X[part]
        w = np.ones(len(Z)) if weights is None else weights[part]
        total = float(w.sum())
        if total == 0:
            return Spread(0.0, np.zeros(X.shape[1]), np.zeros(X.shape[1]))
        squares = _squares(Z, weights is None, w)
        if not centre:
            return Spread(total, np.zeros(X.shape[1]), squares)
        mean = w @ Z / total
        deviations = squares - total * mean**2
        # Quicker than to centre first, and as exact where the mean is not far from zero.
        if (deviations > 0.01 * squares).all():
            return Spread(total, mean, deviations)
        Z = Z - mean
        rest = w @ Z / total  # what rounding left of the mean
        return Spread(total, mean + rest, _squares(Z, weights is None, w) - total * rest**2)

    pooled = reduce(lambda a, b: a + b, map_ordered(of_block, blocks(len(X))))
    if not np.isfinite(pooled.squares).all():
        raise PipelineError("values of the features are too large; rescale them")
    return pooled


def _squares(Z: Array, unit: bool, w: Array) -> Array:
    """Sum of w z^2 of each column."""
    return np.einsum("ij,ij->j", Z, Z) if unit else w @ (Z * Z)
