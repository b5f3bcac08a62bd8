"""Descent on a loss over rows: epochs, batches, an early stop, and what went wrong."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from math import isfinite
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from pipeline.core.errors import Diverged, PipelineWarning
from pipeline.core.params import Descent
from pipeline.core.tables import Array
from pipeline.solvers.blocks import ahead, map_ordered, one_blas_thread
from pipeline.solvers.losses import LOSSES, max_stable_lr, value_and_gradient
from pipeline.solvers.moments import moments
from pipeline.solvers.rows import Block, Rows

Theta = TypeVar("Theta")
Callback = Callable[
    [int, float], None
]  # told an epoch, numbered as in the history file, and its loss


def no_callback(epoch: int, loss: float) -> None:
    """Callback nothing."""


class Fit(NamedTuple):
    """What a solver gives.

    Attributes
    ----------
    theta : ndarray of shape (n_features + 1,)
        Weights on standardized features, intercept last.
    history : ndarray of shape (epochs + 1,) or (epochs,)
        The loss before each step and after the last. In batches: the loss that each epoch met,
        batch by batch before its step. Empty where a solver takes no steps.
    facts : dict
        What else it measured of the rows, such as rank and condition number; None: not finite.
    """

    theta: Array
    history: Array
    facts: Mapping[str, float | None] = MappingProxyType({})


class Objective(Protocol[Theta]):
    """A loss to descend on, with weights of some kind."""

    def batches(self) -> Iterator[tuple[Any, float]]:
        """The batches of one epoch, each with its share of the rows."""

    def value_and_gradient(self, theta: Theta, batch: Any) -> tuple[float, Theta]:
        """The loss of a batch and its gradient."""


class RowLoss:
    """A loss over rows with its gradient written out; weights are an array, intercept last."""

    def __init__(self, rows: Rows, settings: Descent, loss: str, fit_intercept: bool) -> None:
        self.rows, self.loss, self.decay = rows, LOSSES[loss], settings.weight_decay
        self.batch_size = batch_size(rows, settings)
        self.generator = np.random.default_rng(settings.seed)
        self.free = np.append(np.ones(rows.n_features), float(fit_intercept))
        self.by = np.append(rows.scale, 1.0)

    def batches(self) -> Iterator[tuple[Block | None, float]]:
        """The batches of one epoch."""
        return batches(self.rows, self.batch_size, self.generator)

    def value_and_gradient(self, theta: Array, batch: Block | None) -> tuple[float, Array]:
        """J and its gradient; a batch counts its rows' weights against the mean weight.

        The rows stay raw: (X - mean) / scale @ w + b = X @ u + c with u = w / scale,
        c = b - mean @ u, and the gradient goes the same way back.
        """
        mean, by = self.rows.mean, self.by
        u = theta / by
        u[-1] -= mean @ u[:-1]
        if batch is None:
            value, gradient = self._sum(u)
            weight = self.rows.total_weight
        else:
            value, gradient = value_and_gradient(self.loss, u, batch.X, batch.y, batch.weights)
            weight = self.rows.total_weight * len(batch) / self.rows.n_rows
        gradient[:-1] -= mean * gradient[-1]
        gradient *= self.free / (weight * by)
        value /= weight
        if self.decay:
            value += self.decay / 2 * float(theta[:-1] @ theta[:-1])
            gradient[:-1] += self.decay * theta[:-1]
        return value, gradient

    def _sum(self, u: Array) -> tuple[float, Array]:
        def of_part(part: slice) -> tuple[float, Array]:
            block = self.rows.read(part)
            return value_and_gradient(self.loss, u, block.X, block.y, block.weights)

        parts = map_ordered(of_part, self.rows.parts())
        return reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)


def first_weights(n_features: int, settings: Descent, fit_intercept: bool = True) -> Array:
    """Zeros, or uniform within 1 / sqrt(n_features) as torch draws the weights of a layer.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    """
    if settings.init == "zeros":
        return np.zeros(n_features + 1)
    generator, bound = np.random.default_rng(settings.seed), n_features**-0.5
    theta = generator.uniform(-bound, bound, n_features + 1)
    theta[-1] *= fit_intercept
    return theta


def batch_size(rows: Rows, settings: Descent) -> int | None:
    """Rows a step; None where a step takes all of them."""
    size = settings.batch_size
    return None if size == "full" or size >= rows.n_rows else size


def batches(
    rows: Rows, size: int | None, generator: np.random.Generator
) -> Iterator[tuple[Block | None, float]]:
    """Batches in a new order, each with its share of the rows; None stands for all rows."""
    if size is None:
        yield None, 1.0
        return
    rest: Block | None = None
    for block in ahead(rows.shuffled(generator, size)):
        begin = 0
        if rest is not None:  # of the block before
            begin = size - len(rest)
            rest = rest + block[:begin]
            if len(rest) < size:
                continue
            yield rest, size / rows.n_rows
        end = begin + (len(block) - begin) // size * size
        for start in range(begin, end, size):
            yield block[start : start + size], size / rows.n_rows
        rest = block[end:] if end < len(block) else None
    if rest is not None:
        yield rest, len(rest) / rows.n_rows


def stable_lr(rows: Rows, settings: Descent, loss: str, fit_intercept: bool = True) -> float | None:
    """The largest stable lr of a full batch; None for mae, and for other optimizers than sgd.

    Batches bear less: the rows of one may be steeper than the mean of all.
    """
    if settings.optimizer != "sgd" or LOSSES[loss].curvature is None:
        return None
    gram = moments(rows, centre=fit_intercept).gram(fit_intercept)
    return max_stable_lr(LOSSES[loss], gram, settings.weight_decay)


def advise(rows: Rows, settings: Descent, stable: float | None) -> None:
    """Warn before training of an lr beyond the stable one, and of a batch_size beyond the rows."""
    if stable is not None and settings.lr > stable * (1 + 1e-6):
        too_large = "lr or weight_decay" if settings.weight_decay else "lr"
        warnings.warn(
            f"lr {settings.lr:.7g} is above {stable:.7g}, the largest stable lr on these training "
            "rows for steps on all of them (batches bear less): the loss may grow; lower "
            f"{too_large} (params.yaml)",
            PipelineWarning,
            stacklevel=2,
        )
    if settings.batch_size != "full" and settings.batch_size > rows.n_rows:
        warnings.warn(
            f"batch_size {settings.batch_size} is more than the {rows.n_rows} training rows: "
            "every step takes them all (params.yaml: batch_size)",
            PipelineWarning,
            stacklevel=2,
        )


def warn_if_grown(history: Array, whole: bool) -> None:
    """Warn after training of a loss that grew; in batches, where it wavers, of one that doubled."""
    if history[-1] > history[0] * (1 + 1e-6 if whole else 2):
        warnings.warn(
            f"the loss grew from {history[0]:.6g} to {history[-1]:.6g} in training; lower lr "
            "(params.yaml: lr)",
            PipelineWarning,
            stacklevel=2,
        )


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")  # judged by the loss
def train(
    objective: Objective[Theta],
    step: Callable[[Theta, Theta], Theta],
    theta: Theta,
    settings: Descent,
    bound: Callable[[], float | None],
    *,
    callback: Callback = no_callback,
) -> tuple[Theta, Array]:
    """Step along the gradient, batch by batch, until `epochs` or `loss_threshold` is reached.

    Parameters
    ----------
    objective : Objective
    step : callable
        Weights and gradient to the next weights.
    theta
        First weights.
    settings : Descent
    bound : callable
        Gives the largest stable lr, for the message when it was exceeded.
    callback : Callback
        Told every epoch: from 0, the loss before the first step; in batches from 1.

    Returns
    -------
    theta
        Weights after the last step.
    history : ndarray
        See `Fit`; shorter where `loss_threshold` was reached.

    Raises
    ------
    Diverged
        When the loss stops being finite; names the epoch and the largest stable lr.
    """
    history: list[float] = []
    stepped = False
    while True:
        met, whole = 0.0, False
        for batch, share in objective.batches():
            value, gradient = objective.value_and_gradient(theta, batch)
            whole = share == 1
            if not isfinite(value):
                raise Diverged(len(history) + (not whole) if stepped else 0, settings.lr, bound)
            met += share * value
            if whole and (value <= settings.loss_threshold or len(history) == settings.epochs):
                break
            theta, stepped = step(theta, gradient), True
        history.append(met)
        callback(len(history) - whole, met)
        if met <= settings.loss_threshold or len(history) == settings.epochs + whole:
            break
    if not (whole or isfinite(objective.value_and_gradient(theta, batch)[0])):
        raise Diverged(len(history), settings.lr, bound)  # by its last step
    return theta, np.array(history)
