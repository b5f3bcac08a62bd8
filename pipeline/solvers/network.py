"""A network of several layers, by backpropagation written out.

    a_0 = X;  z_k = a_{k-1} W_k + b_k;  a_k = activation(z_k);  z = z_K of the last layer

(the chapter's fig. 3.3 has two hidden layers of n units). The loss of z is that of the trainers of
a single layer: the squared or absolute error, the cross-entropy of two classes or more.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise

import numpy as np

from pipeline.core.forms import Activation, Layers, activate
from pipeline.core.preprocessing import standardized
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.blocks import map_ordered
from pipeline.solvers.descent import Objective, train
from pipeline.solvers.losses import LOSSES
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import Block, Rows, class_counts

# The slope of each activation, from its value a.
SLOPES: dict[Activation, Callable[[Array], Array]] = {
    "relu": lambda a: (a > 0).astype(float),
    "tanh": lambda a: 1 - a * a,
    "sigmoid": lambda a: a * (1 - a),
}


def fit(
    rows: Rows, settings: NetworkDescent, loss: str, *, callback: Callback = no_callback
) -> tuple[Layers, Array]:
    """Train a network from weights drawn by `seed`.

    Parameters
    ----------
    rows : Rows
    settings : NetworkDescent
    loss : str
        `mse`, `mae`, or `cross_entropy`: of labels 0 to K - 1, of two classes with one output.
    callback : callable, optional
        Is told the epochs, as in `descent.train`.

    Returns
    -------
    layers : Layers
    history : ndarray
        As `descent.Fit` has it.

    Raises
    ------
    Diverged
        When the loss stops being finite.
    """
    outputs = len(class_counts(rows)) if loss == "cross_entropy" else 1
    if outputs == 2:
        loss, outputs = "bce_with_logits", 1
    objective = NetworkLoss(rows, settings, loss, outputs)
    step = optimizer(settings.optimizer, settings.lr, settings.momentum).step
    theta, history = train(
        objective, step, objective.first(), settings, lambda: None, callback=callback
    )
    return objective.layers(theta), history


class NetworkLoss(Objective[Array]):
    """The loss of a network over rows with its gradient; the weights are one array, laid in a row.

    Parameters
    ----------
    rows : Rows
    settings : NetworkDescent
    loss : str
        A key of LOSSES.
    outputs : int
        Of the last layer.
    """

    def __init__(self, rows: Rows, settings: NetworkDescent, loss: str, outputs: int) -> None:
        super().__init__(rows, settings)
        self.loss, self.settings, self.outputs = LOSSES[loss], settings, outputs
        sizes = [rows.n_features, *settings.hidden, outputs]
        self.shapes = [*pairwise(sizes)]

    def first(self) -> Array:
        """Weights and biases uniform within 1 / sqrt(inputs), as torch.nn.Linear draws them."""
        generator = np.random.default_rng(self.settings.seed)
        draws = (
            generator.uniform(-(inputs**-0.5), inputs**-0.5, (inputs + 1) * units)
            for inputs, units in self.shapes
        )
        return np.concatenate([*draws])

    def layers(self, theta: Array) -> Layers:
        """The network that the weights are; of one output its last layer has a number a unit."""
        parts = [*self._parts(theta)]
        *hidden, (w, b) = parts
        if self.outputs == 1:
            w, b = w[:, 0], b[0, ...]
        weights, biases = [*(w for w, _ in hidden), w], [*(b for _, b in hidden), b]
        return Layers(weights, biases, self.settings.activation)

    def value_and_gradient(self, theta: Array, batch: Block | None) -> tuple[float, Array]:
        """J and its gradient; a batch counts its rows' weights against the mean weight."""
        n_rows = self.rows.n_rows if batch is None else len(batch)
        if batch is None:
            read = self.rows.read
            parts = map_ordered(lambda part: self._of(theta, read(part)), self.rows.parts())
            value, gradient = reduce(lambda a, b: (a[0] + b[0], a[1] + b[1]), parts)
        else:
            value, gradient = self._of(theta, batch)
        weight = self.rows.total_weight * n_rows / self.rows.n_rows
        value, gradient = value / weight, gradient / weight
        for (w, _), (slope, _) in zip(self._parts(theta), self._parts(gradient), strict=True):
            if self.decay:
                value += self.decay / 2 * float(np.vdot(w, w))
                slope += self.decay * w
        return value, gradient

    def _parts(self, theta: Array) -> Iterator[tuple[Array, Array]]:
        """Views of the weights and the biases of each layer."""
        begin = 0
        for inputs, units in self.shapes:
            end = begin + inputs * units
            yield theta[begin:end].reshape(inputs, units), theta[end : end + units]
            begin = end + units

    def _of(self, theta: Array, block: Block) -> tuple[float, Array]:
        """The sum of the rows' losses, and its gradient."""
        layers = [*self._parts(theta)]
        values: Sequence[Array] = [standardized(block.X, self.rows.mean, self.rows.scale)]
        for w, b in layers[:-1]:
            values = [*values, activate(self.settings.activation, values[-1] @ w + b)]
        z = values[-1] @ layers[-1][0] + layers[-1][1]
        if self.outputs == 1:
            z = z[:, 0]
        losses, slope = self.loss.value(z, block.y), self.loss.slope(z, block.y)
        if block.weights is not None:
            losses, slope = block.weights * losses, (block.weights * slope.T).T
        gradient = np.empty_like(theta)
        slope = slope.reshape(len(block), -1)
        for (w, _), a, (gw, gb) in zip(
            layers[::-1], values[::-1], [*self._parts(gradient)][::-1], strict=True
        ):
            gw[:], gb[:] = a.T @ slope, slope.sum(axis=0)
            slope = (slope @ w.T) * SLOPES[self.settings.activation](a)
        return float(losses.sum()), gradient
