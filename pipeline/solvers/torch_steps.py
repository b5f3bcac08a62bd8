"""Losses of torch modules, by autograd, and the steps of torch's optimizers."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from pipeline.core.errors import PipelineError
from pipeline.core.params import Descent
from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.blocks import OneThread
from pipeline.solvers.descent import Objective, batch_size, batches, train
from pipeline.solvers.optimizers import FIRST_DECAY, RMS_DECAY, SECOND_DECAY, TINY
from pipeline.solvers.rows import Block, Rows

Tensors = list[torch.Tensor]
PerRow = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def linear_layer(n_features: int, settings: Descent, fit_intercept: bool = True) -> torch.nn.Linear:
    """torch.nn.Linear(n_features, 1) in float64: zeros, or torch's own start drawn from `seed`.

    Parameters
    ----------
    n_features : int
    settings : Descent
        Its `init`, `seed` and `device` count.
    fit_intercept : bool, optional
        Whether the layer has a bias.

    Raises
    ------
    PipelineError
        When the device does not exist here.
    """
    # torch's own start draws from the generator that is the user's. (skip_init, which draws
    # nothing, imports sympy: 0.6 s a process.)
    with torch.random.fork_rng(devices=[]):
        layer = torch.nn.Linear(n_features, 1, bias=fit_intercept, dtype=torch.float64)
    bound = n_features**-0.5 if settings.init == "uniform" else 0.0
    generator = torch.Generator().manual_seed(settings.seed)
    for parameter in layer.parameters():
        torch.nn.init.uniform_(parameter, -bound, bound, generator)
    return layer.to(device(settings.device))


def device(name: str) -> torch.device:
    """The device called cpu or cuda.

    Raises
    ------
    PipelineError
        When there is no such device here.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise PipelineError("device cuda: torch finds no CUDA device here; set device: cpu")
    return torch.device(name)


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


one_torch_thread = OneThread(_limit)


class ModuleLoss(Objective[Tensors]):
    """A loss over rows of a linear module, differentiated by autograd."""

    def __init__(
        self,
        module: torch.nn.Module,
        layer: torch.nn.Linear,
        per_row: PerRow,
        rows: Rows,
        settings: Descent,
    ) -> None:
        self.module, self.layer, self.per_row = module, layer, per_row
        self.rows, self.decay = rows, settings.weight_decay
        self.batch_size = batch_size(rows, settings)
        self.generator = np.random.default_rng(settings.seed)
        self.device = device(settings.device)
        self.raw = rows.mean.any() or (rows.scale != 1).any()

    def batches(self) -> Iterator[tuple[Block | None, float]]:
        """The batches of one epoch, each with its share of the rows."""
        return batches(self.rows, self.batch_size, self.generator)

    def value_and_gradient(self, theta: Tensors, batch: Block | None) -> tuple[float, Tensors]:
        """J and its gradient; all rows are taken block by block, and the gradients add up."""
        share = 1.0 if batch is None else len(batch) / self.rows.n_rows
        weight = share * self.rows.total_weight
        read = [batch] if batch else map(self.rows.read, self.rows.parts())
        value, gradient = 0.0, [torch.zeros_like(parameter) for parameter in theta]
        for block in read:
            loss = self._sum(block) / weight
            value += loss.item()
            torch._foreach_add_(gradient, torch.autograd.grad(loss, theta))
        if self.decay:
            w = self.layer.weight.detach()
            value += self.decay / 2 * float((w * w).sum())
            gradient[0] += self.decay * w
        return value, gradient

    def _sum(self, block: Block) -> torch.Tensor:
        rows = self.rows
        X = block.standardized(rows.mean, rows.scale) if self.raw else block.X
        values = self.per_row(self.module(self._tensor(X)), self._tensor(block.y[:, None]))
        if block.weights is not None:
            values = values * self._tensor(block.weights[:, None])
        return values.sum()

    def _tensor(self, values: Array) -> torch.Tensor:
        return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(self.device)


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
def train_module(
    objective: ModuleLoss,
    settings: Descent,
    bound: Callable[[], float | None],
    *,
    callback: Callback = no_callback,
) -> tuple[Array, Array]:
    """Train the objective's layer in place; `callback` as in `descent.train`.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
        Intercept last, 0 without one.
    history : ndarray
        See `descent.Fit`.

    Raises
    ------
    Diverged
        When the loss stops being finite.
    """
    parameters: Tensors = list(objective.layer.parameters())
    step = TorchOptimizer(settings, parameters).step
    _, history = train(objective, step, parameters, settings, bound, callback=callback)
    return weights_of(objective.layer), history


def weights_of(layer: torch.nn.Linear) -> Array:
    """The layer's weights, shape (n_features + 1,); intercept last, 0 without one."""
    w, *b = (parameter.detach().cpu().numpy().ravel() for parameter in layer.parameters())
    return np.concatenate([w, *b] if b else [w, [0.0]])
