"""Losses of a linear model, with their gradients written out.

    J(theta) = sum_i w_i l(z_i, y_i) / sum_i w_i + weight_decay / 2 |w|^2
    z = X w + b,  theta = (w, b); the intercept b is not penalized

The gradient is A'(w_i dl/dz_i) / sum_i w_i + weight_decay (w, 0), with A = [X, 1]. For K classes
there is a z, a w and a b of each: theta has a row for each class.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.core.tables import Array

OfRows = Callable[[Array, Array], Array]
HALF, TWO = np.array(0.5), np.array(2.0)  # numpy takes 2 us less for an array than for a number


class Loss(NamedTuple):
    """A loss of one row, as a function of z.

    Attributes
    ----------
    value, slope : callable
        l, shape (n_rows,), and dl/dz, of the shape of z, of each row; from z, of shape (n_rows,) or
        (n_rows, n_classes), and y of shape (n_rows,).
    curvature : float or None
        The largest second derivative in z, in any direction; None where there is no bound.
    """

    value: OfRows
    slope: OfRows
    curvature: float | None


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)) without overflow, small values to all their digits (formula 3-20).

    As exp(-log(1 + exp(-z))); elementwise, of any shape.
    """
    return np.exp(-np.logaddexp(0, -z))


def mse(z: Array, y: Array) -> Array:
    """(z - y)^2 (formula 3-2)."""
    return np.square(z - y)


def mse_slope(z: Array, y: Array) -> Array:
    """2 (z - y)."""
    return TWO * (z - y)


def mae(z: Array, y: Array) -> Array:
    """|z - y|."""
    return np.abs(z - y)


def mae_slope(z: Array, y: Array) -> Array:
    """The sign of z - y: 0 where |z - y| has no slope."""
    return np.sign(z - y)


def bce(z: Array, y: Array) -> Array:
    """-y log p - (1 - y) log(1 - p) of p = sigmoid(z) (formula 3-22), of labels 0 and 1.

    As the chapter has it: infinite where p is rounded to the wrong label.
    """
    p = sigmoid(z)
    with np.errstate(divide="ignore"):
        return -np.log(np.where(y == 1, p, 1 - p))


def bce_slope(z: Array, y: Array) -> Array:
    """The slope sigmoid(z) - y."""
    return sigmoid(z) - y


def bce_with_logits(z: Array, y: Array) -> Array:
    """The same function as `bce`, as log(1 + exp(z)) - y z: finite wherever z is."""
    value = np.log1p(np.exp(-np.abs(z)))
    value += np.maximum(z, 0)
    value -= y * z
    return value


def bce_with_logits_slope(z: Array, y: Array) -> Array:
    """The slope sigmoid(z) - y as tanh(z / 2) / 2 + 1/2 - y, which is quicker."""
    return HALF * np.tanh(HALF * z) + (HALF - y)


def softmax(z: Array) -> Array:
    """exp(z_k) / sum_j exp(z_j) of each row: the probabilities of K classes, shape (n_rows, K)."""
    p: Array = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def cross_entropy(z: Array, y: Array) -> Array:
    """-log softmax(z)_y, of labels from 0 to K - 1: finite wherever z is."""
    below = z - z.max(axis=1, keepdims=True)
    value: Array = np.log(np.exp(below).sum(axis=1))
    value -= below[np.arange(len(y)), y.astype(np.intp)]
    return value


def cross_entropy_slope(z: Array, y: Array) -> Array:
    """The slope softmax(z) - e_y, with e_y 1 at the label and else 0."""
    slope = softmax(z)
    slope[np.arange(len(y)), y.astype(np.intp)] -= 1
    return slope


# The Hessian of cross_entropy in z, diag(p) - pp', is at most (I - 11'/K) / 2 (Boehning 1992).
LOSSES = {
    "mse": Loss(mse, mse_slope, curvature=2.0),
    "mae": Loss(mae, mae_slope, curvature=None),
    "bce": Loss(bce, bce_slope, curvature=0.25),
    "bce_with_logits": Loss(bce_with_logits, bce_with_logits_slope, curvature=0.25),
    "cross_entropy": Loss(cross_entropy, cross_entropy_slope, curvature=0.5),
}


def decision_and_gradient(
    loss: Loss, theta: Array, X: Array, y: Array, weights: Array | None = None
) -> tuple[Array, Array]:
    """The decision z = X w + b of each row, and the gradient in theta of sum_i w_i l(z_i, y_i).

    Parameters
    ----------
    theta : ndarray of shape (n_features + 1,) or (n_outputs, n_features + 1)
        Intercept last; an output is a class, or the model of a target.
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,), or of several targets (n_rows, n_outputs)
    weights : ndarray of the shape of y, optional
        Ones unless given.

    Returns
    -------
    z : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    gradient : ndarray of the shape of theta
    """
    z = X @ theta[..., :-1].T  # np.dot gives other last digits where X is in Fortran order
    z += theta[..., -1]  # as an array: see HALF
    slope = loss.slope(z, y).T
    if weights is not None:
        slope = weights.T * slope
    gradient = np.empty(theta.shape)
    if theta.ndim == 1:
        np.dot(slope, X, out=gradient[:-1])
    else:
        gradient[:, :-1] = slope @ X
    gradient[..., -1] = np.add.reduce(slope, axis=-1)
    return z, gradient


def max_stable_lr(loss: Loss, gram: Array, weight_decay: float = 0.0) -> float | None:
    """The learning rate up to which a full-batch step of SGD cannot raise the loss; None for mae.

    2 / lambda_max of the Hessian, which is at most curvature A'WA / sum(W) + weight_decay (I, 0).
    For mse the bound is sharp: beyond it the loss grows without end.

    Parameters
    ----------
    loss : Loss
    gram : ndarray of shape (n_features + 1, n_features + 1)
        A'WA / sum(W) of A = [X, 1].
    weight_decay : float, optional

    Returns
    -------
    float or None
    """
    if loss.curvature is None:
        return None
    hessian = loss.curvature * gram + weight_decay * penalized(len(gram))
    return float(2 / np.linalg.eigvalsh(hessian)[-1])


def penalized(n: int) -> Array:
    """The identity without the intercept's place, shape (n, n)."""
    return np.diag(np.append(np.ones(n - 1), 0.0))
