"""Mean squared error as what it is, a quadratic: one pass over the rows, then none.

J(theta) = (theta - theta*)' H/2 (theta - theta*) + J*, where H = 2/n A'A + weight_decay (I, 0)
needs only the moments of the rows. An epoch of full-batch descent costs O(n_features^2), however
many rows there are.
"""

from dataclasses import dataclass
from itertools import accumulate, repeat

import numpy as np

from pipeline.core.errors import Diverged
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.convergence import Stop
from pipeline.solvers.descent import Objective
from pipeline.solvers.losses import penalized
from pipeline.solvers.moments import Moments, moments
from pipeline.solvers.rows import Rows

EPOCHS_AT_ONCE = 1024
POWERS_SIZE = 2**20  # 8 MB of powers; beyond a thousand features a step is a plain product


@dataclass(frozen=True)
class Quadratic(Objective[Array]):
    """The mean squared error of [X, 1] theta, by the moments of the rows.

    Attributes
    ----------
    hessian : ndarray of shape (n_features + 1, n_features + 1)
    minimizer : ndarray of shape (n_features + 1,)
        Intercept last; of minimum norm where H is singular.
    minimum : float
        To 1e-16 times the target's variance: a difference of moments.
    """

    hessian: Array
    minimizer: Array
    minimum: float

    def values(self, theta: Array) -> Array:
        """J at each row of `theta`, shape (..., n_features + 1)."""
        gap = theta - self.minimizer
        values: Array = np.einsum("...i,ij,...j->...", gap, self.hessian / 2, gap) + self.minimum
        return values

    def value_and_gradient(self, theta: Array, batch: None) -> tuple[float, Array]:
        """J and H (theta - theta*)."""
        gap = theta - self.minimizer
        gradient = self.hessian @ gap
        return float(gap @ gradient) / 2 + self.minimum, gradient

    def max_stable_lr(self) -> float:
        """2 / lambda_max of H: beyond it a step overshoots by more than it corrects."""
        return float(2 / np.linalg.eigvalsh(self.hessian)[-1])


def mean_squared_error(rows: Rows) -> Quadratic:
    """The quadratic of rows, in one pass over them."""
    return quadratic(moments(rows))


def quadratic(pooled: Moments, weight_decay: float = 0.0, fit_intercept: bool = True) -> Quadratic:
    """The mean squared error that has these moments; 1/n is 1 / sum of the weights.

    Parameters
    ----------
    pooled : Moments
        About zero where `fit_intercept` is False.
    weight_decay : float, optional
        Adds weight_decay / 2 |w|^2.
    fit_intercept : bool, optional
    """
    covariance = pooled.scatter / pooled.weight
    hessian = 2 * pooled.gram(fit_intercept) + weight_decay * penalized(len(covariance))
    ridge = covariance[:-1, :-1] + weight_decay / 2 * np.eye(len(covariance) - 1)
    w = np.linalg.lstsq(ridge, covariance[:-1, -1], rcond=None)[0]
    b = pooled.mean[-1] - w @ pooled.mean[:-1]
    minimum = max(float(covariance[-1, -1] - w @ covariance[:-1, -1]), 0.0)
    return Quadratic(hessian, np.append(w, b), minimum)


def analytic_iterate(loss: Quadratic, start: Array, lr: float, epoch: int) -> Array:
    """theta_k = theta* + (I - lr H)^k (theta_0 - theta*), by the eigenvectors of H.

    Where descent stands after any number of steps, without taking them: the oracle of `descend`,
    and of the chapter's five million epochs.

    Parameters
    ----------
    loss : Quadratic
    start : ndarray of shape (n_features + 1,)
        theta_0, intercept last.
    lr : float
    epoch : int
        The number k of steps.

    Returns
    -------
    ndarray of shape (n_features + 1,)
    """
    values, vectors = np.linalg.eigh(loss.hessian)
    return loss.minimizer + vectors @ (
        (1 - lr * values) ** epoch * (vectors.T @ (start - loss.minimizer))
    )


def descend(
    loss: Quadratic,
    start: Array,
    lr: float,
    epochs: int,
    stop: Stop | None = None,
    *,
    callback: Callback = no_callback,
) -> tuple[Array, Array]:
    """Full-batch gradient descent: theta <- theta - lr * H (theta - theta*).

    A step is the matrix M = I - lr H on the gap to the minimum, so the next 1024 gaps are the
    powers M, M^2, ... of it, computed once.

    Parameters
    ----------
    loss : Quadratic
    start : ndarray of shape (n_features + 1,)
        First weights, intercept last.
    lr : float
    epochs : int
    stop : Stop, optional
        Is asked about many epochs at once; without one J = 0 ends it.
    callback : callable, optional
        Is told the first epoch of each run of 1024, and the last of all.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    history : ndarray of shape (epochs + 1,)
        J before each step and after the last; shorter where `stop` ended it.

    Raises
    ------
    Diverged
        When J stops being finite; names the epoch and the largest stable lr.
    """
    stop = stop or Stop(0.0, 0.0, whole=True)
    step = np.eye(len(start)) - lr * loss.hessian
    gap, theta, done = start - loss.minimizer, start, 0
    history = np.empty(epochs + 1)
    with np.errstate(over="ignore", invalid="ignore"):
        history[0] = loss.values(start)
        ended = stop(history[:1])
        count = max(1, min(epochs, EPOCHS_AT_ONCE, POWERS_SIZE // step.size))
        powers = np.stack([*accumulate(repeat(step, count), np.matmul)])  # M, M^2, ..., M^count
        while done < epochs and not ended and history[done] < np.inf:
            callback(done, float(history[done]))
            gaps = powers[: epochs - done] @ gap
            met = loss.values(loss.minimizer + gaps)
            broken = np.flatnonzero(~(met < np.inf))
            count = int(broken[0]) + 1 if len(broken) else len(met)
            history[done + 1 : done + 1 + count] = met[:count]
            last = stop.first(history[: done + 1 + count], done + 1)
            if last is not None:
                ended, count = True, last - done
            gap, theta = gaps[count - 1], loss.minimizer + gaps[count - 1]
            done += count
    if not np.isfinite(history[done]):
        raise Diverged(done, lr, loss.max_stable_lr)
    callback(done, float(history[done]))
    return theta, history[: done + 1]
