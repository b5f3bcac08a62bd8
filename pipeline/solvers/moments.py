"""First and second moments of weighted rows, in one pass, centred as they are summed."""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array
from pipeline.solvers.blocks import blocks, map_ordered


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

    def scale(self) -> Array:
        """Standard deviation of each column; 1 for a constant one."""
        spread = np.sqrt(np.diag(self.scatter) / self.weight)
        return np.where(spread > 10 * np.finfo(float).eps * np.abs(self.mean), spread, 1.0)

    def standardized(self) -> "Moments":
        """The moments with every feature at mean 0, variance 1; the target as it is."""
        by = np.append(self.scale()[:-1], 1.0)
        mean = np.append(np.zeros(len(by) - 1), self.mean[-1])
        return Moments(self.weight, mean, self.scatter / np.outer(by, by))


def moments(X: Array, y: Array, weights: Array | None = None, centre: bool = True) -> Moments:
    """Moments of the rows [X, y]; with `centre` False about zero instead of the mean.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), optional
        Not negative; ones unless given.

    Raises
    ------
    PipelineError
        When the squares overflow.
    """

    @np.errstate(over="ignore", invalid="ignore")  # judged below, in the sums
    def of_block(rows: slice) -> Moments:
        Z = np.empty((rows.stop - rows.start, X.shape[1] + 1))
        Z[:, :-1], Z[:, -1] = X[rows], y[rows]
        w = None if weights is None else weights[rows]
        total = float(len(Z)) if w is None else float(w.sum())
        mean = np.zeros(Z.shape[1])
        if centre and total > 0:
            mean = Z.mean(axis=0) if w is None else w @ Z / total
            Z -= mean
        return Moments(total, mean, Z.T @ Z if w is None else (Z * w[:, None]).T @ Z)

    total = reduce(lambda a, b: a + b, map_ordered(of_block, blocks(len(y))))
    if not np.isfinite(total.scatter).all():
        raise PipelineError("values of the features or the target are too large; rescale them")
    return total
