"""Losses of a linear model, with their gradients written out.

    J(theta) = sum_i w_i l(z_i, y_i) / sum_i w_i + weight_decay / 2 |w|^2
    z = X w + b,  theta = (w, b); the intercept b is not penalized

The gradient is A'(w_i dl/dz_i) / sum_i w_i + weight_decay (w, 0), with A = [X, 1].
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.core.tables import Array


class Loss(NamedTuple):
    """A loss of one row, as a function of z.

    Attributes
    ----------
    value_and_slope : callable
        l and dl/dz of each row, from z and y.
    curvature : float or None
        The largest second derivative in z; None where there is no bound.
    """

    value_and_slope: Callable[[Array, Array], tuple[Array, Array]]
    curvature: float | None


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow, small values to all their digits (formula 3-20)."""
    return np.exp(-np.logaddexp(0, -z))


def mse(z: Array, y: Array) -> tuple[Array, Array]:
    """(z - y)^2 (formula 3-2)."""
    error = z - y
    return error**2, 2 * error


def mae(z: Array, y: Array) -> tuple[Array, Array]:
    """|z - y|; the slope is 0 where it has none."""
    error = z - y
    return np.abs(error), np.sign(error)


def bce(z: Array, y: Array) -> tuple[Array, Array]:
    """-y log p - (1 - y) log(1 - p) of p = sigmoid(z) (formula 3-22), of labels 0 and 1.

    As the chapter has it: infinite where p is rounded to the wrong label.
    """
    p = sigmoid(z)
    with np.errstate(divide="ignore"):
        return -np.log(np.where(y == 1, p, 1 - p)), p - y


def bce_with_logits(z: Array, y: Array) -> tuple[Array, Array]:
    """The same function as log(1 + exp(z)) - y z: finite wherever z is."""
    value = np.log1p(np.exp(-np.abs(z)))
    value += np.maximum(z, 0)
    value -= y * z
    return value, 0.5 * np.tanh(0.5 * z) + (0.5 - y)  # sigmoid(z) - y, the quick way


LOSSES = {
    "mse": Loss(mse, curvature=2.0),
    "mae": Loss(mae, curvature=None),
    "bce": Loss(bce, curvature=0.25),
    "bce_with_logits": Loss(bce_with_logits, curvature=0.25),
}


def value_and_gradient(
    loss: Loss, theta: Array, X: Array, y: Array, weights: Array | None = None
) -> tuple[float, Array]:
    """Sum over rows of w l(z, y), and its gradient in theta.

    Parameters
    ----------
    theta : ndarray of shape (n_features + 1,)
        Intercept last.
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    weights : ndarray of shape (n_rows,), optional

    Returns
    -------
    value : float
    gradient : ndarray of shape (n_features + 1,)
    """
    z = X @ theta[:-1]
    z += theta[-1]
    value, slope = loss.value_and_slope(z, y)
    if weights is not None:
        value, slope = weights * value, weights * slope
    gradient = np.empty(len(theta))
    np.dot(slope, X, out=gradient[:-1])
    gradient[-1] = slope.sum()
    return float(value.sum()), gradient


def max_stable_lr(loss: Loss, gram: Array, weight_decay: float = 0.0) -> float | None:
    """The learning rate up to which a full-batch step of SGD cannot raise the loss; None for mae.

    2 / lambda_max of the Hessian, which is at most curvature A'WA / sum(W) + weight_decay (I, 0).
    For mse the bound is sharp: beyond it the loss grows without end.

    Parameters
    ----------
    gram : ndarray of shape (n_features + 1, n_features + 1)
        A'WA / sum(W) of A = [X, 1].
    """
    if loss.curvature is None:
        return None
    hessian = loss.curvature * gram + weight_decay * penalized(len(gram))
    return float(2 / np.linalg.eigvalsh(hessian)[-1])


def penalized(n: int) -> Array:
    """The identity without the intercept's place, shape (n, n)."""
    return np.diag(np.append(np.ones(n - 1), 0.0))
