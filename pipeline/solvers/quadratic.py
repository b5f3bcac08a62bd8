"""Mean squared error as what it is, a quadratic: one pass over the rows, then none.

J(theta) = (theta - theta*)' H/2 (theta - theta*) + J*, where H = 2/n A'A needs only the moments of
the rows. An epoch of full-batch descent costs O(n_features^2), however many rows there are.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import Diverged
from pipeline.core.tables import Array
from pipeline.solvers.moments import Moments, moments

EPOCHS_AT_ONCE = 1024


@dataclass(frozen=True)
class Quadratic:
    """The mean squared error of [X, 1] theta, by the moments of the rows.

    Attributes
    ----------
    hessian : ndarray of shape (n_features + 1, n_features + 1)
    minimizer : ndarray of shape (n_features + 1,)
        Intercept last; of minimum norm where H is singular.
    minimum : float
    """

    hessian: Array
    minimizer: Array
    minimum: float

    def value(self, theta: Array) -> Array:
        """J at each row of `theta`, shape (..., n_features + 1)."""
        gap = theta - self.minimizer
        values: Array = np.einsum("...i,ij,...j->...", gap, self.hessian / 2, gap) + self.minimum
        return values

    def gradient(self, theta: Array) -> Array:
        """H (theta - theta*)."""
        return self.hessian @ (theta - self.minimizer)

    def max_stable_lr(self) -> float:
        """2 / lambda_max of H: beyond it a step overshoots by more than it corrects."""
        return float(2 / np.linalg.eigvalsh(self.hessian)[-1])


def mean_squared_error(X: Array, y: Array) -> Quadratic:
    """The quadratic of rows, in one pass over them."""
    return quadratic(moments(X, y))


def quadratic(pooled: Moments) -> Quadratic:
    """The mean squared error that has these moments; 1/n is 1 / sum of the weights."""
    covariance = pooled.scatter / pooled.weight
    mean = np.append(pooled.mean[:-1], 1.0)
    hessian = 2 * np.outer(mean, mean)
    hessian[:-1, :-1] += 2 * covariance[:-1, :-1]
    w = np.linalg.lstsq(covariance[:-1, :-1], covariance[:-1, -1], rcond=None)[0]
    b = pooled.mean[-1] - w @ pooled.mean[:-1]
    minimum = max(float(covariance[-1, -1] - w @ covariance[:-1, -1]), 0.0)
    return Quadratic(hessian, np.append(w, b), minimum)


def analytic_iterate(loss: Quadratic, start: Array, lr: float, epoch: int) -> Array:
    """theta_k = theta* + (I - lr H)^k (theta_0 - theta*), by the eigenvectors of H."""
    values, vectors = np.linalg.eigh(loss.hessian)
    return loss.minimizer + vectors @ (
        (1 - lr * values) ** epoch * (vectors.T @ (start - loss.minimizer))
    )


def descend(loss: Quadratic, start: Array, lr: float, epochs: int) -> tuple[Array, Array]:
    """Full-batch gradient descent: theta <- theta - lr * H (theta - theta*).

    A step is the matrix M = I - lr H on the gap to the minimum, so the next 1024 gaps are the
    powers M, M^2, ... of it, computed once.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    history : ndarray of shape (epochs + 1,)
        J before each step and after the last.

    Raises
    ------
    Diverged
        When J stops being finite; names the epoch and the largest stable lr.
    """
    step = np.eye(len(start)) - lr * loss.hessian
    history = np.empty(epochs + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        powers = _powers(step, min(epochs, EPOCHS_AT_ONCE))
        gap, theta = start - loss.minimizer, start
        history[0] = loss.value(start)
        for done in range(0, epochs, EPOCHS_AT_ONCE):
            count = min(epochs - done, EPOCHS_AT_ONCE)
            gaps = powers[:count] @ gap
            history[done + 1 : done + count + 1] = loss.value(loss.minimizer + gaps)
            gap, theta = gaps[-1], loss.minimizer + gaps[-1]
            if not np.isfinite(history[done : done + count + 1]).all():
                break
    broken = np.flatnonzero(~np.isfinite(history[: done + count + 1]))
    if len(broken):
        raise Diverged(int(broken[0]), lr, loss.max_stable_lr())
    return theta, history


def _powers(step: Array, count: int) -> Array:
    """M, M^2, ..., M^count, shape (count, n, n)."""
    powers = np.empty((count, *step.shape))
    power = np.eye(len(step))
    for k in range(count):
        power = power @ step
        powers[k] = power
    return powers
