"""Full-batch steps of torch's SGD, shared by the torch trainers."""

import contextlib
from collections.abc import Callable, Iterator
from math import isfinite, nan

import numpy as np
import torch
from torch.optim.sgd import sgd

from pipeline.core.errors import Diverged
from pipeline.core.tables import Array


def seeded_linear(n_features: int, seed: int) -> torch.nn.Linear:
    """torch.nn.Linear(n_features, 1) in float64 with torch's default start, drawn from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Linear(n_features, 1, dtype=torch.float64)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let torch add in one order: with more threads it would give other bytes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def weighted_mean(weights: Array | None) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mean over rows, or the weighted one: sum of w times value over sum of w."""
    if weights is None:
        return torch.mean
    share = torch.tensor(weights / weights.sum()).view(-1, 1)
    return lambda values: (share * values).sum()


@one_thread()
def train(
    layer: torch.nn.Linear,
    objective: Callable[[], torch.Tensor],
    lr: float,
    epochs: int,
    threshold: float,
    stable_lr: Callable[[], float],
) -> tuple[Array, Array]:
    """Let autograd and torch's SGD lower `objective` until `epochs` or `threshold` is reached.

    The step is the functional form of torch.optim.SGD: constructing the class imports
    torch._dynamo, 2 s a process for nothing used here.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    history : ndarray of shape (steps + 1,)

    Raises
    ------
    Diverged
        When the objective stops being finite.
    """
    weights: list[torch.Tensor] = list(layer.parameters())
    history: list[float] = []
    for epoch in range(epochs + 1):
        loss = objective()
        history.append(loss.item())
        if not isfinite(history[-1]):
            raise Diverged(epoch, lr, stable_lr() if epoch else nan)
        if history[-1] <= threshold or epoch == epochs:
            break
        gradients = list(torch.autograd.grad(loss, weights))
        with torch.no_grad():
            sgd(
                weights,
                gradients,
                [None] * len(weights),
                weight_decay=0,
                momentum=0,
                lr=lr,
                dampening=0,
                nesterov=False,
                maximize=False,
                foreach=False,
            )
    w, b = (parameter.detach().numpy().ravel() for parameter in weights)
    return np.concatenate([w, b]), np.array(history)
