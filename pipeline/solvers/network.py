"""A network of several layers, by backpropagation written out.

    a_0 = X;  z_k = a_{k-1} W_k + b_k;  a_k = activation(z_k);  z = z_K of the last layer

(the chapter's fig. 3.3 has two hidden layers of n units). The loss of z is that of the trainers of
a single layer: the squared or absolute error, the cross-entropy of two classes or more. With
s_K = dl/dz of the rows, going back

    dW_k = a_{k-1}' s_k;  db_k = 1' s_k;  s_{k-1} = (s_k W_k') * activation'(z_{k-1})

A target of numbers is learned standardized, (y - mean) / scale, by the mean and standard deviation
of the rows that train, so that a learning rate means the same whatever its units; both are folded
into the last layer, and the losses of the history are in the target's units.

Dropout leaves each hidden unit out with probability p, and divides the others by 1 - p: what a
network answers after the training needs no correction (Srivastava et al. 2014).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import inf
from operator import add
from typing import Any, NamedTuple

import numpy as np

from pipeline.core.errors import PipelineError
from pipeline.core.forms import Activation, Layers, activate
from pipeline.core.preprocessing import standardized
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, Ending, no_callback
from pipeline.solvers.advice import ending, warn_of
from pipeline.solvers.blocks import blocks
from pipeline.solvers.descent import RowLoss, batch_size, train
from pipeline.solvers.held_out import FEWEST, hold_out
from pipeline.solvers.kept import Kept, state, take_up
from pipeline.solvers.moments import column_spread
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import Block, ChangedRows, Rows, class_counts

CHUNK = 1024  # rows that go through the layers at once: what they leave there stays in the cache
PATIENCE = 10  # epochs without a fall of the loss of the rows held out
# Of the width of the first weights, for z to spread as much in each layer as in the one before.
GAIN: dict[Activation, float] = {"relu": 2.0, "tanh": 1.0, "sigmoid": 4.0}


class Fit(NamedTuple):
    """A trained network.

    Attributes
    ----------
    layers : Layers
    history : ndarray
        As `descent.Fit` has it; with dropout the losses that were met with units left out.
    best_epoch : int or None
        The epoch whose weights these are, by the rows held out. None: none were, and they are the
        last.
    ended : str
        How the losses ended (`advice.ending`); `settled` where the rows held out ended it.
    on_gpu : bool
        Whether a GPU took its gradients.
    """

    layers: Layers
    history: Array
    best_epoch: int | None
    ended: Ending
    on_gpu: bool


def fit(
    rows: Rows,
    settings: NetworkDescent,
    loss: str,
    *,
    callback: Callback = no_callback,
    kept: Kept | None = None,
) -> Fit:
    """Train a network from weights drawn by `seed`.

    With `early_stopping` a share of the rows is held out, at most 65,536, unless it is fewer than
    10: the training ends where their loss has not fallen for 10 epochs, and the weights of its
    lowest are kept.

    Parameters
    ----------
    rows : Rows
    settings : NetworkDescent
    loss : str
        `mse`, `mae`, or `cross_entropy`: of labels 0 to K - 1, of two classes with one output.
    callback : callable, optional
        Is told the epochs, as in `descent.train`.
    kept : Kept, optional
        Has the state of the same training where it was killed, and is given the state of this one.

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When values of the target are too large, or the device does not exist here.
    """
    classes = loss == "cross_entropy"
    outputs = len(class_counts(rows)) if classes else 1
    if outputs <= 2 and classes:
        loss, outputs = "bce_with_logits", 1
    size, held = batch_size(rows, settings), None
    draws = np.random.default_rng([settings.seed, 0])
    if parted := hold_out(rows, settings.early_stopping, classes, draws):
        rows, held = parted
    elif settings.early_stopping:
        warn_of(
            f"{rows.n_rows} training rows are too few to hold out a share of "
            f"{settings.early_stopping:g} to end the training by, which takes {FEWEST} rows: all "
            "of them train, up to the last epoch (params.yaml: early_stopping)"
        )
    target = Target() if classes else Target.of(rows)
    unit = target.scale ** {"mse": 2, "mae": 1}.get(loss, 0)
    objective = _loss_of(ChangedRows(rows, target.change), settings, loss, outputs)
    objective.batch_size = size  # of all rows: where it holds those that train, it is a batch still
    training = _Training(objective, settings, None if held is None else target.change(held), kept)
    theta, history = train(
        objective,
        training.optimizer.step,
        training.start,
        settings,
        lambda: None,
        callback=lambda epoch, value: callback(epoch, unit * value),
        after=training.after,
        keep=training.keep,
        before=training.before,
    )
    best = training.best
    history, ended = unit * history, ending(history, settings, whole=size is None)
    if best is None or best.theta is None:
        return Fit(target.folded(objective.layers(theta)), history, None, ended, objective.on_gpu)
    if best.falls_no_more and ended != "grew":
        ended = "settled"
    layers = target.folded(objective.layers(best.theta))
    return Fit(layers, history, best.epoch, ended, objective.on_gpu)


def _loss_of(rows: Rows, settings: NetworkDescent, loss: str, outputs: int) -> "NetworkLoss":
    """Where the rows are: on a GPU if one is asked for, and has room; torch is imported for it."""
    if settings.device != "cpu":
        from pipeline.solvers.on_device import device_of, fits

        device = device_of(settings.device)
        if fits(rows, device):
            from pipeline.solvers.torch_network import HeldNetworkLoss

            return HeldNetworkLoss(rows, settings, loss, outputs, device)
    return NetworkLoss(rows, settings, loss, outputs)


@dataclass(frozen=True)
class Target:
    """How the target is standardized: (y - mean) / scale."""

    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, rows: Rows) -> "Target":
        """The mean and the standard deviation of the target, 1 where it is constant.

        Raises
        ------
        PipelineError
            When the squares overflow.
        """
        parts = map(rows.read, rows.parts())
        try:
            found = reduce(add, (column_spread(one.y[:, None], one.weights) for one in parts))
        except PipelineError:
            raise PipelineError("values of the target are too large; rescale it") from None
        return cls(float(found.mean[0]), float(found.scale()[0]))

    def change(self, block: Block) -> Block:
        """Rows with the target standardized."""
        return Block(block.X, (block.y - self.mean) / self.scale, block.weights)

    def folded(self, layers: Layers) -> Layers:
        """The layers that give the target in its own units."""
        weights = [*layers.weights[:-1], layers.weights[-1] * self.scale]
        biases = [*layers.biases[:-1], layers.biases[-1] * self.scale + self.mean]
        return Layers(weights, biases, layers.activation)


class NetworkLoss(RowLoss):
    """The loss of a network over rows with its gradient; all weights are one array, laid in a row.

    What an epoch draws (the order of the rows, the units left out) hangs on `seed` and its number
    alone.

    Parameters
    ----------
    rows : Rows
    settings : NetworkDescent
    loss : str
        A key of LOSSES.
    outputs : int
        Of the last layer.

    Attributes
    ----------
    on_gpu : bool
        Whether a GPU takes the gradients.
    """

    on_gpu = False

    def __init__(self, rows: Rows, settings: NetworkDescent, loss: str, outputs: int) -> None:
        super().__init__(rows, settings, loss, fit_intercept=True)
        self.settings, self.outputs = settings, outputs
        self.shapes = [*pairwise([rows.n_features, *settings.hidden, outputs])]
        self._any_order = not settings.dropout  # draws have an order
        self._decays = np.zeros(sum((inputs + 1) * units for inputs, units in self.shapes))
        for weights, _ in self._parts(self._decays):
            weights += self.decay

    def first(self) -> Array:
        """Uniform, of mean 0 and variance GAIN / inputs, as He et al. (2015) draw weights.

        Biases too: from zero, all kinks of relu would lie at the mean of a single feature.
        """
        theta, generator = np.empty_like(self._decays), np.random.default_rng(self.settings.seed)
        for weights, bias in self._parts(theta):
            bound = (3 * GAIN[self.settings.activation] / len(weights)) ** 0.5
            for one in (weights, bias):
                one[:] = generator.uniform(-bound, bound, one.shape)
        return theta

    def layers(self, theta: Array) -> Layers:
        """The network that the weights are; of one output its last layer has a number a unit."""
        weights, biases = (list[Array](one) for one in zip(*self._parts(theta), strict=True))
        if self.outputs == 1:
            weights[-1], biases[-1] = weights[-1][:, 0], biases[-1][0, ...]
        return Layers(weights, biases, self.settings.activation)

    def value_and_gradient(self, theta: Array, batch: Any) -> tuple[float, Array]:
        """J and its gradient; a batch counts its rows' weights against the mean weight."""
        if batch is None:
            self.begin_epoch()
        return super().value_and_gradient(theta, batch)

    def mean_loss(self, theta: Array, block: Block) -> float:
        """The mean loss of rows, without penalty and dropout."""
        layers, total = [*self._parts(theta)], 0.0
        for part in blocks(len(block), CHUNK):
            one = block[part]
            *_, z = self._forward(layers, one.X)
            total += float(self._losses(self._flat(z), one.y, one.weights).sum())
        return total / (len(block) if block.weights is None else float(block.weights.sum()))

    def begin_epoch(self) -> None:
        """Begin its draws anew."""
        super().begin_epoch()
        self.generator = np.random.default_rng([self.settings.seed, self.passed])

    def _parts(self, theta: Array) -> Iterator[tuple[Array, Array]]:
        """Views of the weights and the biases of each layer."""
        begin = 0
        for inputs, units in self.shapes:
            end = begin + inputs * units
            yield theta[begin:end].reshape(inputs, units), theta[end : end + units]
            begin = end + units

    def _sums(self, u: Array, block: Block) -> tuple[Array, Array]:
        """Z of the rows, and the gradient of the sum of their losses."""
        if len(block) <= CHUNK:
            return self._back_and_forth(u, block)
        parts = [self._back_and_forth(u, block[part]) for part in blocks(len(block), CHUNK)]
        return np.concatenate([z for z, _ in parts]), reduce(add, (one for _, one in parts))

    def _back_and_forth(self, theta: Array, block: Block) -> tuple[Array, Array]:
        layers, masks = [*self._parts(theta)], self._masks(len(block))
        *values, z = self._forward(layers, block.X, masks)
        z = self._flat(z)
        slope = self.loss.slope(z, block.y)
        if block.weights is not None:
            slope = (block.weights * slope.T).T
        slope, ones = slope.reshape(len(block), -1), np.ones(len(block))
        gradient = np.empty_like(theta)
        of_layers = [*self._parts(gradient)]
        for k in range(len(layers) - 1, -1, -1):
            np.dot(values[k].T, slope, out=of_layers[k][0])
            np.dot(ones, slope, out=of_layers[k][1])
            if k:
                slope = np.dot(slope, layers[k][0].T)
                a = values[k]
                if masks:
                    slope *= masks[k - 1]
                    a = a * (1 - self.settings.dropout)  # what is left out has no slope any more
                _through(self.settings.activation, slope, a)
        return z, gradient

    def _forward(
        self, layers: Sequence[tuple[Array, Array]], X: Array, masks: Sequence[Array] = ()
    ) -> list[Array]:
        """What each layer is given, and z."""
        values = [standardized(X, self.rows.mean, self.rows.scale) if self.raw else X]
        for k, (w, b) in enumerate(layers):
            z = np.dot(values[-1], w)
            z += b
            if k < len(layers) - 1:
                activate(self.settings.activation, z, out=z)
                if masks:
                    z *= masks[k]
            values.append(z)
        return values

    def _masks(self, n_rows: int) -> list[Array]:
        """What the values of the hidden units are multiplied by: 0, or 1 / (1 - dropout)."""
        p = self.settings.dropout
        if not p:
            return []
        draws = (self.generator.random((n_rows, n), np.float32) for n in self.settings.hidden)
        return [(one >= p) / (1 - p) for one in draws]

    def _flat(self, z: Array) -> Array:
        return z[:, 0] if self.outputs == 1 else z

    def _scaled(self, gradient: Array, theta: Array, n_rows: int) -> Array:
        gradient /= self._weight(n_rows)
        if self.decay:
            gradient += self._decays * theta
        return gradient

    def _unscaled(self, theta: Array) -> Array:
        return theta

    def _penalty(self, theta: Array) -> float:
        return float(np.dot(self._decays * theta, theta)) / 2 if self.decay else 0.0


class _Best:
    """Keeps the weights of the lowest loss of rows held out, and says when it falls no more."""

    def __init__(self, objective: NetworkLoss, held: Block) -> None:
        self._objective, self._held, self._whole = objective, held, objective.batch_size is None
        self.lowest, self.epoch, self.falls_no_more = inf, 0, False
        self.theta: Array | None = None

    def __call__(self, theta: Array, history: Sequence[float]) -> bool:
        """Judge the weights after an epoch, but for those of no step."""
        epoch = len(history) - self._whole
        if epoch == 0:
            return False
        loss = self._objective.mean_loss(theta, self._held)
        if loss < self.lowest:
            self.lowest, self.epoch, self.theta = loss, epoch, theta.copy()
        self.falls_no_more = epoch - self.epoch >= PATIENCE
        return self.falls_no_more


class _Training:
    """The state of a training: new, or one that was kept.

    Attributes
    ----------
    optimizer : Optimizer
    start : ndarray
        The weights that it goes on from.
    before : list of float
        The losses of the epochs that it has behind it.
    best : _Best or None
    """

    def __init__(
        self,
        objective: NetworkLoss,
        settings: NetworkDescent,
        held: Block | None,
        kept: Kept | None,
    ) -> None:
        self.optimizer = optimizer(settings.optimizer, settings.lr, settings.momentum)
        self.start, self.before = objective.first(), list[float]()
        self.best = None if held is None else _Best(objective, held)
        self._kept = kept
        if kept and (found := kept.read()):
            self._take_up(objective, found)

    def after(self, theta: Array, history: Sequence[float]) -> bool:
        """Judge the weights after an epoch, by the rows held out."""
        return self.best is not None and self.best(theta, history)

    def keep(self, theta: Array, history: Sequence[float]) -> None:
        """Keep the state of a training that goes on; what has ended could not be taken up."""
        if self._kept:
            self._kept.write(lambda: self._state(theta, history))

    def _state(self, theta: Array, history: Sequence[float]) -> dict[str, Array]:
        found = state(theta, history, self.optimizer)
        if self.best and self.best.theta is not None:
            found["best"] = self.best.theta
            found["best_loss_and_epoch"] = np.array([self.best.lowest, self.best.epoch])
        return found

    def _take_up(self, objective: NetworkLoss, found: Mapping[str, Array]) -> None:
        self.start, self.before = take_up(found, self.optimizer)
        if self.best and "best" in found:
            lowest, epoch = found["best_loss_and_epoch"].tolist()
            self.best.theta, self.best.lowest, self.best.epoch = found["best"], lowest, int(epoch)
        objective.passed = len(self.before)
        if objective.batch_size is None:  # the state is that before the step
            objective.passed -= 1
            _, gradient = objective.value_and_gradient(self.start, None)
            self.start = self.optimizer.step(self.start, gradient)


def _through(activation: Activation, slope: Array, a: Array) -> None:
    """Take the slope of a loss back through an activation, whose value is a; in place."""
    if activation == "relu":
        slope *= np.sign(a)
    else:
        slope *= 1 - a * a if activation == "tanh" else a * (1 - a)
