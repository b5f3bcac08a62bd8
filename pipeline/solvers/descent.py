"""Descent on a loss over rows: epochs, batches and an early stop."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial, reduce
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from pipeline.core.errors import Diverged
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.advice import stable_lr
from pipeline.solvers.blocks import ROWS, ahead, one_blas_thread
from pipeline.solvers.convergence import Stop
from pipeline.solvers.kept import state, take_up
from pipeline.solvers.losses import LOSSES, decision_and_gradient
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import Block, Rows, over
from pipeline.solvers.shards import Shards, Share, group

Theta = TypeVar("Theta")
Batch = Block | Share
Step = Callable[[Theta, Theta], Theta]  # weights and gradient to the next weights


class Fit(NamedTuple):
    """What a solver gives.

    Attributes
    ----------
    theta : ndarray of shape (n_features + 1,) or (n_classes, n_features + 1)
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


class Epoch(NamedTuple, Generic[Theta]):
    """What one pass over the rows in batches gives.

    Attributes
    ----------
    theta
        The weights after the last step.
    values, shares : list of float
        Of each batch: its loss before its step, and its share of the rows.
    last
        The last batch.
    """

    theta: Theta
    values: list[float]
    shares: list[float]
    last: Any


class Objective(Generic[Theta]):
    """A loss over rows to descend on, with weights of some kind.

    Attributes
    ----------
    batch_size : int or None
        Rows a step; None where a step takes all of them, and no epoch is asked for.
    passed : int
        Epochs begun.
    """

    batch_size: int | None = None
    passed = 0

    def __init__(self, rows: Rows, settings: Descent) -> None:
        self.rows, self.decay = rows, settings.weight_decay
        self.batch_size = batch_size(rows, settings)
        self.generator = np.random.default_rng(settings.seed)
        self.raw = bool(rows.mean.any() or (rows.scale != 1).any())
        self._seed = settings.seed

    @cached_property
    def shards(self) -> Shards | None:
        """The rows of this process, where several train in batches together."""
        together, size = group(), self.batch_size
        return Shards(together, self.rows, size, self._seed) if together and size else None

    def batches(self) -> Iterator[tuple[Batch, float]]:
        """The batches of one epoch, each with its share of the rows."""
        if self.shards:
            return self.shards.batches(self.passed)
        return batches(self.rows, self.batch_size or self.rows.n_rows, self.generator)

    def value_and_gradient(self, theta: Theta, batch: Any) -> tuple[float, Theta]:
        """The loss of a batch, None for all rows, and its gradient."""
        raise NotImplementedError

    def begin_epoch(self) -> None:
        """Count it, before anything is drawn for it."""
        self.passed += 1

    def epoch(self, theta: Theta, step: Step[Theta]) -> Epoch[Theta]:
        """Step along the gradient of each batch in turn."""
        self.begin_epoch()
        values, shares = list[float](), list[float]()
        for batch, share in self.batches():
            value, gradient = self.value_and_gradient(theta, batch)
            theta = step(theta, gradient)
            values.append(value)
            shares.append(share)
        return Epoch(theta, values, shares, batch)


Met = tuple[Array, Block, float]  # z of a batch, the batch, and the penalty on its weights


class RowLoss(Objective[Array]):
    """A loss over rows with its gradient written out; weights are an array, intercept last.

    Of several classes each has a row of them, and so has each of several targets, whose losses add
    up; y is then of shape (n_rows, n_targets). The rows of X stay raw: (X - mean) / scale @ w + b =
    X @ u + c with u = w / scale, c = b - mean @ u, and the gradient goes the same way back.

    Parameters
    ----------
    rows : Rows
    settings : Descent
    loss : str
        A key of LOSSES.
    fit_intercept : bool
        False holds the gradient of the intercept at 0.
    """

    def __init__(self, rows: Rows, settings: Descent, loss: str, fit_intercept: bool) -> None:
        super().__init__(rows, settings)
        self.loss, self._any_order = LOSSES[loss], True
        self._by = np.append(rows.scale, 1.0)
        self._free = np.append(np.ones(rows.n_features), float(fit_intercept))
        self._factors = dict[int, Array]()

    def value_and_gradient(self, theta: Array, batch: Batch | None) -> tuple[float, Array]:
        """J and its gradient; a batch counts its rows' weights against the mean weight."""
        u, n_rows = self._unscaled(theta), self.rows.n_rows if batch is None else len(batch)

        def of(block: Block) -> tuple[float, Array]:
            z, gradient = self._sums(u, block)
            return float(self._losses(z, block.y, block.weights).sum()), gradient

        def of_part(part: slice) -> tuple[float, Array]:
            return of(self.rows.read(part))

        def of_shard(generator: np.random.Generator, block: Block) -> Array:
            self.generator = generator  # of what is drawn for each row
            value, gradient = of(block)
            return np.append(value, gradient)

        if isinstance(batch, Share):
            total = batch.total(of_shard)
            value, gradient = float(total[0]), total[1:].reshape(theta.shape)
        elif batch is None:
            rows = self.rows
            parts = over(rows, of_part) if self._any_order else map(of_part, rows.parts())
            value, gradient = reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)
        else:
            value, gradient = of(batch)
        value = value / self._weight(n_rows) + self._penalty(theta)
        return value, self._scaled(gradient, theta, n_rows)

    def epoch(self, theta: Array, step: Step[Array]) -> Epoch[Array]:
        """Step along the gradient of each batch in turn.

        The losses are taken afterwards, for many batches at once: with batches of a few rows that
        halves the time of a step.
        """
        if self.shards:
            return super().epoch(theta, step)
        self.begin_epoch()
        values, shares, met = list[float](), list[float](), list[Met]()
        for batch, share in batches(self.rows, self.batch_size or self.rows.n_rows, self.generator):
            u = self._unscaled(theta)
            z, gradient = self._sums(u, batch)
            met.append((z, batch, self._penalty(theta)))
            shares.append(share)
            theta = step(theta, self._scaled(gradient, theta, len(batch)))
            if len(met) * len(batch) >= ROWS:
                values += self._values(met)
                met.clear()
        return Epoch(theta, values + self._values(met), shares, batch)

    def _sums(self, u: Array, block: Block) -> tuple[Array, Array]:
        """Z of the rows, and the gradient in u of the sum of their losses."""
        return decision_and_gradient(self.loss, u, block.X, block.y, block.weights)

    def _unscaled(self, theta: Array) -> Array:
        """The weights (u, c) on raw rows."""
        if not self.raw:
            return theta
        u: Array = theta / self._by
        u[..., -1] -= u[..., :-1] @ self.rows.mean
        return u

    def _scaled(self, gradient: Array, theta: Array, n_rows: int) -> Array:
        """The gradient of J, from that in (u, c) of the sum over rows."""
        if self.raw:
            gradient[..., :-1] -= self.rows.mean * gradient[..., -1:]
        gradient *= self._factor(n_rows)
        if self.decay:
            gradient[..., :-1] += self.decay * theta[..., :-1]
        return gradient

    def _weight(self, n_rows: int) -> float:
        total = self.rows.total_weight
        return total if n_rows == self.rows.n_rows else total * n_rows / self.rows.n_rows

    def _factor(self, n_rows: int) -> Array:
        if (found := self._factors.get(n_rows)) is None:
            found = self._factors[n_rows] = self._free / (self._weight(n_rows) * self._by)
        return found

    def _penalty(self, theta: Array) -> float:
        if not self.decay:
            return 0.0
        w = theta[..., :-1].ravel()
        return self.decay / 2 * float(w @ w)

    def _losses(self, z: Array, y: Array, weights: Array | None) -> Array:
        losses = self.loss.value(z, y)
        losses = losses if weights is None else weights * losses
        return losses.sum(axis=1) if losses.ndim == 2 else losses  # of several targets

    def _values(self, met: Sequence[Met]) -> list[float]:
        """J of each batch; all but the last have as many rows."""
        if not met:
            return []
        size = len(met[0][0])
        z, y = np.concatenate([z for z, _, _ in met]), np.concatenate([b.y for _, b, _ in met])
        known = [batch.weights for _, batch, _ in met if batch.weights is not None]
        losses = self._losses(z, y, np.concatenate(known) if known else None)
        full = len(losses) // size * size
        sums = losses[:full].reshape(-1, size).sum(axis=1).tolist()
        if full < len(losses):
            sums.append(float(losses[full:].sum()))
        return [
            total / self._weight(len(batch)) + penalty
            for total, (_, batch, penalty) in zip(sums, met, strict=True)
        ]


def first_weights(n_features: int, settings: Descent, fit_intercept: bool = True) -> Array:
    """Zeros, or uniform within 1 / sqrt(n_features) as torch draws the weights of a layer.

    Parameters
    ----------
    n_features : int
    settings : Descent
        Its `init` and `seed` count.
    fit_intercept : bool, optional
        False leaves the intercept at 0.

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


def with_intercept(coef: Array, intercept: Array) -> Array:
    """Weights and intercepts as one array, as in `Fit`.

    Parameters
    ----------
    coef : ndarray of shape (n_outputs, n_features)
    intercept : ndarray of shape (n_outputs,)
    """
    theta = np.column_stack([coef, intercept])
    return theta[0] if len(theta) == 1 else theta


def batch_size(rows: Rows, settings: Descent) -> int | None:
    """Rows a step; None where a step takes all of them."""
    size = settings.batch_size
    return None if size == "full" or size >= rows.n_rows else size


def batches(rows: Rows, size: int, generator: np.random.Generator) -> Iterator[tuple[Block, float]]:
    """Batches in a new order, each with its share of the rows.

    Parameters
    ----------
    rows : Rows
    size : int
        Rows a batch; the last may have fewer.
    generator : numpy Generator
        Which draws the order.
    """
    rest: Block | None = None
    share = size / rows.n_rows
    for block in ahead(rows.shuffled(generator, size)):
        begin = 0
        if rest is not None:  # of the block before
            begin = size - len(rest)
            rest = rest + block[:begin]
            if len(rest) < size:
                continue
            yield rest, share
        end = begin + (len(block) - begin) // size * size
        for start in range(begin, end, size):
            yield block[start : start + size], share
        rest = block[end:] if end < len(block) else None
    if rest is not None:
        yield rest, len(rest) / rows.n_rows


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")  # judged by the loss
def train(
    objective: Objective[Theta],
    step: Step[Theta],
    theta: Theta,
    settings: Descent,
    bound: Callable[[], float | None],
    *,
    callback: Callback = no_callback,
    after: Callable[[Theta, Sequence[float]], bool] = lambda theta, history: False,
    keep: Callable[[Theta, Sequence[float]], None] = lambda theta, history: None,
    before: Sequence[float] = (),
) -> tuple[Theta, Array]:
    """Step along the gradient, batch by batch, up to `epochs`, or until `convergence.Stop` ends it.

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
    after : callable
        Is given the weights after every epoch, and the history; says whether it ends the training.
    keep : callable
        Is given them where the training goes on.
    before : sequence of float
        The history of a training that goes on, from these weights.

    Returns
    -------
    theta
        Weights after the last step.
    history : ndarray
        See `Fit`; shorter where `loss_threshold` or `tolerance` ended it.

    Raises
    ------
    Diverged
        When the loss stops being finite; names the epoch and the largest stable lr.
    """
    whole = objective.batch_size is None
    epochs = (_on_all_rows if whole else _in_batches)(objective, step, theta)
    stop = Stop(settings.loss_threshold, settings.tolerance, whole, min(before, default=inf))
    history, most, ended = [*before], settings.epochs + whole, False
    while not ended:
        theta, loss, first, last = next(epochs)
        if not isfinite(loss):
            at_once = not history and not isfinite(first)
            raise Diverged(0 if at_once else len(history) + (not whole), settings.lr, bound)
        history.append(loss)
        callback(len(history) - whole, loss)
        ended = after(theta, history) or len(history) >= most or stop(history)
        if not ended:
            keep(theta, history)
    if not whole and not isfinite(objective.value_and_gradient(theta, last)[0]):
        raise Diverged(len(history), settings.lr, bound)  # by its last step
    return theta, np.array(history)


# The weights; the loss of an epoch; that of its first batch, before any step; and its last batch.
Pass = tuple[Theta, float, float, Batch | None]


def _on_all_rows(
    objective: Objective[Theta], step: Step[Theta], theta: Theta
) -> Iterator[Pass[Theta]]:
    while True:
        value, gradient = objective.value_and_gradient(theta, None)
        yield theta, value, value, None
        theta = step(theta, gradient)


def _in_batches(
    objective: Objective[Theta], step: Step[Theta], theta: Theta
) -> Iterator[Pass[Theta]]:
    while True:
        theta, values, shares, last = objective.epoch(theta, step)
        met = 0.0
        for share, value in zip(shares, values, strict=True):  # sum() rounds otherwise from 3.12 on
            met += share * value
        yield theta, met, values[0], last


def descend(
    rows: Rows, settings: Descent, loss: str, start: Array, fit_intercept: bool, callback: Callback
) -> Fit:
    """Train with the gradient written out.

    Parameters
    ----------
    rows : Rows
    settings : Descent
    loss : str
        A key of LOSSES.
    start : ndarray of shape (n_features + 1,) or (n_classes, n_features + 1)
        First weights, intercept last.
    fit_intercept : bool
    callback : callable
        As in `train`.
    """
    objective = RowLoss(rows, settings, loss, fit_intercept)
    steps, before = optimizer(settings.optimizer, settings.lr, settings.momentum), list[float]()
    bound = partial(stable_lr, rows, settings, loss, fit_intercept)
    kept = objective.shards.kept if objective.shards else None
    if kept and (found := kept.read()):
        start, before = take_up(found, steps)
        objective.passed = len(before)

    def keep(theta: Array, history: Sequence[float]) -> None:
        if kept:
            kept.write(lambda: state(theta, history, steps))

    told = partial(train, callback=callback, keep=keep, before=before)
    return Fit(*told(objective, steps.step, start, settings, bound))


def descend_as_torch(
    rows: Rows,
    settings: Descent,
    loss: str,
    outputs: int,
    fit_intercept: bool,
    callback: Callback,
) -> Fit:
    """As `descend`, from the first weights that torch draws; elsewhere than on the CPU by torch.

    torch is imported where it is needed: it takes 2 s, and 200 MB.

    Parameters
    ----------
    rows, settings, loss, fit_intercept, callback
        As in `descend`.
    outputs : int
        1, or the number of classes.

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When the device does not exist here.
    """
    if settings.device == "cpu" and settings.init == "zeros":
        shape = (rows.n_features + 1,) if outputs == 1 else (outputs, rows.n_features + 1)
        return descend(rows, settings, loss, np.zeros(shape), fit_intercept, callback)
    from pipeline.solvers.torch_sgd import linear_layer, train_layer, weights_of

    layer = linear_layer(rows.n_features, settings, fit_intercept, outputs)
    if layer.weight.device.type == "cpu":
        return descend(rows, settings, loss, weights_of(layer), fit_intercept, callback)
    return train_layer(layer, loss, rows, settings, callback)
