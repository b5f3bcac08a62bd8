"""Listings 3-1 to 3-17: six house prices."""

from bisect import bisect_left

import numpy as np
import torch

from pipeline.core.tables import Array
from pipeline.core.trainers import Callback, no_callback
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.pairwise_mean import lines
from pipeline.solvers.quadratic import analytic_iterate, descend, mean_squared_error
from pipeline.solvers.rows import ArrayRows
from pipeline.solvers.torch_sgd import train_layer, weights_of
from pipeline.textbook.figures import Ours
from pipeline.textbook.synthetic import SETTINGS

AREA = np.array([80.0, 95, 104, 112, 125, 135])  # table 3.1, m2
PRICE = np.array([200.0, 230, 245, 247, 259, 262])  # 10,000 yuan
ROWS = ArrayRows(AREA[:, None], PRICE)
RATE, EPOCHS, MILLION = 1e-5, 5_000_000, 1_000_000
STEPS = 20_000  # of torch; five million take twenty minutes
Values = list[float | str]


def ours() -> Ours:
    """What each listing prints, recomputed; chapter.toml says what the values are."""
    return {
        "3-1": [float(len(AREA))],
        "3-2, 3-3": _pairs(),
        "3-4": _errors(),
        "3-5": _descent(),
        "3-6, 3-7, 3-8, 3-9": _autograd(),
        "3-10": _chain(),
        "3-11, 3-12, 3-13": _accumulation(),
        **_torch(),
    }


def _pairs() -> Values:
    """The line through each pair of points; their mean beside least squares.

    Least squares minimizes 1/N sum (w x_i + b - y_i)^2; the mean of all lines does not.
    """
    w, b = lines(AREA, PRICE)
    exact = least_squares(ROWS).theta
    return [
        *(f"{slope:.2f}, {start:.2f}" for slope, start in zip(w, b, strict=True)),
        *(w.mean(), b.mean(), w.mean() * 140 + b.mean()),
        *(exact[0], exact[1], float(exact @ [140, 1])),
    ]


def _errors() -> Values:
    """Squared errors of the mean line, (w x_i + b - y_i)^2, their mean, and the least mean."""
    w, b = np.mean(lines(AREA, PRICE), axis=1)
    squares = (w * AREA + b - PRICE) ** 2
    return [*squares, squares.mean(), mean_squared_error(ROWS).minimum]


def _descent() -> Values:
    """Five million steps from w = b = 1, taken one by one and computed at once.

    After k steps theta is theta* + (I - lr H)^k (theta_0 - theta*), H the Hessian of the loss. The
    loss is that before the step of each millionth epoch, w and b are those after it.
    """
    loss = mean_squared_error(ROWS)
    start = np.ones(2)
    theta, history = descend(loss, start, RATE, EPOCHS)
    values: Values = []
    for epoch in range(MILLION, EPOCHS + 1, MILLION):
        exact = analytic_iterate(loss, start, RATE, epoch)
        values += [history[epoch - 1], *exact]
    slow, steep = np.linalg.eigvalsh(loss.hessian)
    gap = np.abs(theta / exact - 1).max()
    agreement = "agree to 1e-9" if gap <= 1e-9 else f"differ by {gap:.0e}"
    return [*values, loss.max_stable_lr(), steep / slow, agreement, slow]


def _autograd() -> Values:
    """Autograd's gradient of (w x + b - y)^2 by w, beside 2 (w x + b - y) x."""
    x, y = torch.tensor(80.0), torch.tensor(200.0)
    w, b = torch.tensor(1.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    loss = (w * x + b - y) ** 2
    torch.autograd.backward(loss)
    by_hand = (2 * (w * x + b - y) * x).item()
    try:
        torch.autograd.backward((torch.tensor(1.0) * x - y) ** 2)
        raised = "no error"
    except RuntimeError:
        raised = "RuntimeError"
    name = type(loss.grad_fn).__name__
    return [str(w.requires_grad), name, str(_gradient(w).item() == by_hand), raised]


def _chain() -> Values:
    """Two linear neurons, E = (w2 (w1 x + b1) + b2 - y)^2: its gradients by the chain rule.

    With e = w2 (w1 x + b1) + b2 - y they are 2 e w2 x, 2 e w2, 2 e (w1 x + b1) and 2 e, by w1, b1,
    w2 and b2 (eq. 3-11 to 3-13).
    """
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(4, generator=generator, dtype=torch.float64).requires_grad_()
    w1, b1, w2, b2 = weights.unbind()
    x, y = 2.0, 1.0
    hidden = w1 * x + b1
    error = w2 * hidden + b2 - y
    torch.autograd.backward(error**2)
    by_hand = torch.stack([w2 * x, w2, hidden, torch.ones_like(w2)]) * 2 * error
    gaps = abs(_gradient(weights) - by_hand)
    return [str(bool(close)) for close in gaps <= 1e-12 * abs(by_hand)]


def _accumulation() -> Values:
    """Gradients after a backward call, after a second one, and after one on a zeroed gradient."""
    w = torch.ones(4, requires_grad=True)
    torch.autograd.backward((w * 2 + 1).sum())
    first = _whole(w)
    torch.autograd.backward((w * 2).sum())
    second = _whole(w)
    w.grad = None
    torch.autograd.backward((w * 2).sum())
    return [first, second, _whole(w)]


def _whole(w: torch.Tensor) -> str:
    return str([int(value) for value in _gradient(w).tolist()])


def _gradient(w: torch.Tensor) -> torch.Tensor:
    assert w.grad is not None
    return w.grad


def torch_descent(layer: torch.nn.Linear, epochs: int, callback: Callback = no_callback) -> Array:
    """Listings 3-14 and 3-15: steps by torch, theta <- theta - lr * grad J(theta).

    Parameters
    ----------
    layer : Linear
        Holds the first weights; it is changed in place.
    epochs : int
        How many steps are taken.
    callback : callable, optional
        Is told each.

    Returns
    -------
    ndarray of shape (2,)
        w and b after the last step.
    """
    settings = SETTINGS.model_copy(update={"lr": RATE, "epochs": epochs})
    return train_layer(layer, "mse", ROWS, settings, callback).theta


def seeded_layer() -> torch.nn.Linear:
    """A layer with torch's own first weights at seed 0; torch's generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Linear(1, 1, dtype=torch.float64)


def _torch() -> Ours:
    """The same line by torch, whose first weights are random: its trajectory, and the book's.

    The book's w and b cannot be had again. They lie on the same slow trajectory: the loss there is
    that of the epoch named last.
    """
    loss = mean_squared_error(ROWS)
    layer = seeded_layer()
    start = weights_of(layer)
    w, b = torch_descent(layer, STEPS)
    exact = analytic_iterate(loss, start, RATE, STEPS)
    late = analytic_iterate(loss, start, RATE, EPOCHS)
    book = np.array([1.147982, 115.7532196])
    module = torch.nn.ModuleDict({"linear": layer})
    shapes = ", ".join(f"{name} {tuple(p.shape)}" for name, p in module.named_parameters())
    losses = [float(loss.values(theta)) for theta in (late, book)]
    return {
        "3-14": [*late, *losses, _epoch_of(44.19041824)],
        "3-15": [w, exact[0], b, exact[1], STEPS],
        "3-16, 3-17": [str(layer).replace("\n", " "), shapes],
    }


def _epoch_of(value: float) -> float:
    """The first epoch of the chapter's descent whose loss is at or below `value`.

    Found by halving: the loss falls with every epoch.
    """
    loss = mean_squared_error(ROWS)

    def is_reached(epoch: int) -> bool:
        return bool(loss.values(analytic_iterate(loss, np.ones(2), RATE, epoch)) <= value)

    return float(bisect_left(range(2 * EPOCHS), True, key=is_reached))
