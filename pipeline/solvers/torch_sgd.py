"""Linear models by torch: autograd for the gradient, torch's optimizers for the step."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import Linear
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from pipeline.core.preprocessing import standardized
from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.advice import stable_lr
from pipeline.solvers.blocks import OneThread
from pipeline.solvers.descent import Fit, Objective, train, with_intercept
from pipeline.solvers.on_device import Held, device_of, fits, moved, on_gpu, tensor
from pipeline.solvers.optimizers import FIRST_DECAY, RMS_DECAY, SECOND_DECAY, TINY
from pipeline.solvers.rows import Rows
from pipeline.solvers.shards import Share

Tensors = list[torch.Tensor]


def _cross_entropy(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """That of each row, shape (n_rows, 1); labels stand in the only column of y."""
    labels = y[:, 0].long()
    return torch.nn.functional.cross_entropy(z, labels, reduction="none")[:, None]


PER_ROW: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse": partial(torch.nn.functional.mse_loss, reduction="none"),
    "mae": partial(torch.nn.functional.l1_loss, reduction="none"),
    "bce_with_logits": partial(
        torch.nn.functional.binary_cross_entropy_with_logits, reduction="none"
    ),
    "cross_entropy": _cross_entropy,
}


def fit(
    rows: Rows, settings: Descent, fit_intercept: bool = True, *, callback: Callback = no_callback
) -> Fit:
    """Descend on torch's mean squared or mean absolute error.

    Parameters
    ----------
    rows : Rows
    settings : Descent
    fit_intercept : bool, optional
    callback : callable, optional
        Is told the epochs, as in `descent.train`.

    Returns
    -------
    Fit

    Raises
    ------
    Diverged
        When the loss stops being finite.
    PipelineError
        When the device does not exist here.
    """
    layer = linear_layer(rows.n_features, settings, fit_intercept)
    return train_layer(layer, settings.loss, rows, settings, callback)


def linear_layer(
    n_features: int, settings: Descent, fit_intercept: bool = True, outputs: int = 1
) -> Linear:
    """Linear(n_features, outputs) in float64: zeros, or torch's own start drawn from `seed`.

    Parameters
    ----------
    n_features : int
    settings : Descent
        Its `init`, `seed` and `device` count.
    fit_intercept : bool, optional
        Whether the layer has a bias.
    outputs : int, optional

    Raises
    ------
    PipelineError
        When the device does not exist here.
    """
    device = device_of(settings.device)
    # torch's own start draws from the generator that is the user's. (skip_init, which draws
    # nothing, imports sympy: 0.6 s a process.)
    with torch.random.fork_rng(devices=[]):
        layer = Linear(n_features, outputs, bias=fit_intercept, dtype=torch.float64)
    bound = n_features**-0.5 if settings.init == "uniform" else 0.0
    generator = torch.Generator().manual_seed(settings.seed)
    for parameter in layer.parameters():
        torch.nn.init.uniform_(parameter, -bound, bound, generator)
    return layer.to(device)


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


one_torch_thread = OneThread(_limit)


class LayerLoss(Objective[Tensors]):
    """A loss over rows of a linear layer, differentiated by autograd.

    Parameters
    ----------
    layer : Linear
    loss : str
        A key of PER_ROW.
    rows : Rows
    settings : Descent
    """

    def __init__(self, layer: Linear, loss: str, rows: Rows, settings: Descent) -> None:
        super().__init__(rows, settings)
        self.layer, self.per_row = layer, PER_ROW[loss]
        self.device = layer.weight.device

    def value_and_gradient(self, theta: Tensors, batch: Any) -> tuple[float, Tensors]:
        """J and its gradient; all rows are taken block by block, and the gradients add up."""
        share = 1.0 if batch is None else len(batch) / self.rows.n_rows
        weight = share * self.rows.total_weight
        if isinstance(batch, Share):
            value, gradient = self._shared(theta, batch, weight)
        else:
            value, gradient = self._summed(theta, batch, weight)
        if self.decay:
            w = self.layer.weight.detach()
            value += self.decay / 2 * float((w * w).sum())
            gradient[0] += self.decay * w
        return value, gradient

    def _read(self, batch: Any) -> Iterator[Any]:
        return iter([batch]) if batch else map(self.rows.read, self.rows.parts())

    def _summed(self, theta: Tensors, batch: Any, weight: float) -> tuple[float, Tensors]:
        value, gradient = 0.0, [torch.zeros_like(parameter) for parameter in theta]
        for block in self._read(batch):
            loss = self._sum(block) / weight
            value += loss.item()
            torch._foreach_add_(gradient, torch.autograd.grad(loss, theta))
        return value, gradient

    def _shared(self, theta: Tensors, batch: Share, weight: float) -> tuple[float, Tensors]:
        def of_shard(_: np.random.Generator, block: Any) -> Array:
            value, gradient = self._summed(theta, block, weight)
            return np.concatenate([[value], *(one.cpu().numpy().ravel() for one in gradient)])

        total = batch.total(of_shard)
        flat = torch.from_numpy(total[1:]).to(self.device)
        ends = np.cumsum([parameter.numel() for parameter in theta]).tolist()
        parts = zip([0, *ends], ends, theta, strict=False)
        return float(total[0]), [flat[a:b].reshape(one.shape) for a, b, one in parts]

    def _sum(self, block: Any) -> torch.Tensor:
        rows = self.rows
        X = standardized(block.X, rows.mean, rows.scale) if self.raw else block.X
        weights = None if block.weights is None else tensor(block.weights, self.device)
        return self._sum_of(tensor(X, self.device), tensor(block.y, self.device), weights)

    def _sum_of(
        self, X: torch.Tensor, y: torch.Tensor, weights: torch.Tensor | None
    ) -> torch.Tensor:
        values = self.per_row(self.layer(X), y[:, None])
        return (values if weights is None else values * weights[:, None]).sum()


class HeldLoss(LayerLoss):
    """The same of rows that stay on the layer's device; its batches are drawn there, of all rows.

    Parameters
    ----------
    layer, loss, rows, settings
        As of `LayerLoss`.
    """

    def __init__(self, layer: Linear, loss: str, rows: Rows, settings: Descent) -> None:
        super().__init__(layer, loss, rows, settings)
        self.held = moved(rows, self.device)

    def batches(self) -> Iterator[tuple[Any, float]]:
        """The batches of one epoch, each with its share of the rows."""
        size = self.batch_size or self.rows.n_rows
        return self.held.batches(size, int(self.generator.integers(2**63)))

    def _read(self, batch: Held | None) -> Iterator[Held]:
        return self.held.parts() if batch is None else iter([batch])

    def _sum(self, block: Held) -> torch.Tensor:
        return self._sum_of(block.X, block.y, block.weights)


class TorchOptimizer:
    """The steps of torch.optim's SGD, RMSprop and Adam, in their functional form.

    The first of its classes to be constructed imports torch._dynamo, 2 to 3 s a process, and a step
    of theirs takes 50 us for 15 (SGD), 190 for 125 (Adam, RMSprop): hooks and profiling that are
    not used here. A test holds the steps equal.
    """

    def __init__(self, settings: Descent, parameters: Tensors) -> None:
        self.settings = settings
        self.velocity: list[torch.Tensor | None] = [None for _ in parameters]
        self.mean = [torch.zeros_like(p) for p in parameters]
        self.square = [torch.zeros_like(p) for p in parameters]
        self.steps = [torch.tensor(0.0) for _ in parameters]

    @torch.no_grad()
    def step(self, theta: Tensors, gradient: Tensors) -> Tensors:
        """Step in place."""
        lr, name = self.settings.lr, self.settings.optimizer
        match name:
            case "adam":
                adam(
                    theta, gradient, self.mean, self.square, [], self.steps, lr=lr,
                    amsgrad=False, beta1=FIRST_DECAY, beta2=SECOND_DECAY, eps=TINY,
                    weight_decay=0.0, maximize=False,
                )  # fmt: skip
            case "rmsprop":
                rmsprop(
                    theta, gradient, self.square, [], [], self.steps, lr=lr,
                    alpha=RMS_DECAY, eps=TINY, momentum=0.0, centered=False,
                    weight_decay=0.0,
                )  # fmt: skip
            case _:
                momentum = self.settings.momentum if name == "momentum" else 0.0
                sgd(
                    theta, gradient, self.velocity, lr=lr, momentum=momentum, dampening=0.0,
                    nesterov=False, weight_decay=0.0, maximize=False, foreach=False,
                )  # fmt: skip
        return theta


@one_torch_thread
def train_layer(
    layer: Linear, loss: str, rows: Rows, settings: Descent, callback: Callback = no_callback
) -> Fit:
    """Train the layer in place; `callback` as in `descent.train`.

    Parameters
    ----------
    layer : Linear
        Without a bias the intercept is 0.
    loss : str
        A key of PER_ROW.
    rows : Rows
    settings : Descent
    callback : callable, optional

    Raises
    ------
    Diverged
        When the loss stops being finite.
    """
    parameters: Tensors = list(layer.parameters())
    objective_of = HeldLoss if fits(rows, layer.weight.device) else LayerLoss
    objective = objective_of(layer, loss, rows, settings)
    step = TorchOptimizer(settings, parameters).step
    bound = partial(stable_lr, rows, settings, loss, layer.bias is not None)
    _, history = train(objective, step, parameters, settings, bound, callback=callback)
    return Fit(weights_of(layer), history, on_gpu(layer.weight.device))


def weights_of(layer: Linear) -> Array:
    """The layer's weights as in `Fit`; intercept 0 without a bias."""
    w, *b = (parameter.detach().cpu().numpy() for parameter in layer.parameters())
    return with_intercept(w, b[0] if b else np.zeros(len(w)))
