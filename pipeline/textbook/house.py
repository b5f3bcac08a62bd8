"""Listings 3-1 to 3-17: six house prices."""

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
import torch

from pipeline.core.tables import Array
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.pairwise_mean import lines
from pipeline.solvers.quadratic import analytic_iterate, descend, mean_squared_error
from pipeline.solvers.rows import ArrayRows
from pipeline.textbook.figures import Figure, Listing

AREA = np.array([80.0, 95, 104, 112, 125, 135])  # table 3.1, m2
PRICE = np.array([200.0, 230, 245, 247, 259, 262])  # 10,000 yuan
ROWS = ArrayRows(AREA[:, None], PRICE)
RATE, EPOCHS, MILLION = 1e-5, 5_000_000, 1_000_000
STEPS = 20_000  # of torch; five million take a quarter of an hour
PAIRS = (  # w and b of each
    "2.00, 40.00", "1.88, 50.00", "1.47, 82.50", "1.31, 95.11", "1.13, 109.82",
    "1.67, 71.67", "1.00, 135.00", "0.97, 138.17", "0.80, 154.00", "0.25, 219.00",
    "0.67, 175.67", "0.55, 187.97", "0.92, 143.62", "0.65, 173.96", "0.30, 221.50",
)  # fmt: skip
DESCENT = (  # loss, w, b after 1 ... 5 million epochs
    ("178.3555", "1.7144", "52.5560"),
    ("87.8729", "1.4481", "82.2635"),
    ("57.8181", "1.2947", "99.3849"),
    ("47.8351", "1.2062", "109.2525"),
    ("44.5191", "1.1553", "114.9396"),
)
SQUARED_ERRORS = ("261.2117", "2.9509", "15.5924", "5.5117", "14.6640", "125.4372")


def listings() -> Iterator[Listing]:
    """All of them, in order."""
    yield _scatter()
    yield _pairs()
    yield _errors()
    yield _descent()
    yield _autograd()
    yield _chain()
    yield _accumulation()
    yield from _torch()


def _scatter() -> Listing:
    return Listing(
        "3-1",
        "The six points (fig. 3.5)",
        [Figure("rows", "6", float(len(AREA)))],
        [
            "The text once counts 8 samples; there are 6.",
            "![Six points and three lines](house.png)",
        ],
    )


def _pairs() -> Listing:
    w, b = lines(AREA, PRICE)
    exact = least_squares(ROWS).theta
    points = combinations(AREA.tolist(), 2)
    pairs = [
        Figure(f"w, b through {x:g} and {other:g} m²", book, f"{slope:.2f}, {start:.2f}")
        for (x, other), book, slope, start in zip(points, PAIRS, w, b, strict=True)
    ]
    return Listing(
        "3-2, 3-3",
        "A line through each of the 15 pairs of points, and their mean",
        [
            *pairs,
            Figure("mean w", "1.0370514514185623", w.mean()),
            Figure("mean b", "133.19792941461947", b.mean()),
            Figure("price of 140 m²", "278.39", w.mean() * 140 + b.mean()),
            Figure("least squares: w", "", exact[0]),
            Figure("least squares: b", "", exact[1]),
            Figure("least squares: price of 140 m²", "", float(exact @ [140, 1])),
        ],
        ["The mean of all lines is not that of least squares, which the chapter never gives."],
    )


def _errors() -> Listing:
    w, b = (values.mean() for values in lines(AREA, PRICE))
    squares = (w * AREA + b - PRICE) ** 2
    rows = zip(AREA, SQUARED_ERRORS, squares, strict=True)
    least = mean_squared_error(ROWS).minimum
    return Listing(
        "3-4",
        "Mean squared error of that line on the six rows (eq. 3-2)",
        [
            *(Figure(f"squared error at {x:g} m²", book, e) for x, book, e in rows),
            Figure("their mean", "70.8946", squares.mean()),
            Figure("the least there is", "", least),
        ],
        ["Trained and judged on the same six rows: the chapter itself calls that serious."],
    )


def _descent() -> Listing:
    loss = mean_squared_error(ROWS)
    start = np.ones(2)
    theta, history = descend(loss, start, RATE, EPOCHS)
    exact = [analytic_iterate(loss, start, RATE, k * MILLION) for k in range(1, 6)]
    gap = np.abs(theta / exact[-1] - 1).max()
    values = np.linalg.eigvalsh(loss.hessian)
    figures = []
    for k, ((met, w, b), line) in enumerate(zip(DESCENT, exact, strict=True), start=1):
        figures += [
            Figure(f"{k} million epochs: loss", met, history[k * MILLION - 1]),
            Figure(f"{k} million epochs: w", w, line[0]),
            Figure(f"{k} million epochs: b", b, line[1]),
        ]
    return Listing(
        "3-5",
        "Gradient descent by hand on raw units: w = b = 1, lr 0.00001, 5,000,000 epochs",
        [
            *figures,
            Figure("largest stable lr", "", loss.max_stable_lr()),
            Figure("condition number of the Hessian", "", values[1] / values[0]),
        ],
        [
            "The losses shown are those before the step of each millionth epoch, w and b those "
            "after it. The listing as printed would show every 2 millionth epoch, from 0.",
            "Eq. 3-6 to 3-8 leave out the 1/N by which the listing divides.",
            "Our losses are iterated on the Gram matrix, w and b come from the eigenvectors, "
            f"θ* + (I - lr H)^k (θ₀ - θ*); {_agreement(gap)}.",
            "Five million epochs are not enough because a step takes no more off the slow "
            f"direction than a share lr · {values[0]:.4f} of it. On the standardized area 100 "
            "epochs at lr 0.1 suffice.",
        ],
    )


def _agreement(gap: float) -> str:
    return "the two agree to 1e-9" if gap <= 1e-9 else f"the two differ by {gap:.0e}"


def _autograd() -> Listing:
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
    return Listing(
        "3-6, 3-7, 3-8, 3-9",
        "Autograd: requires_grad, grad_fn, backward",
        [
            Figure("w.requires_grad", "True", str(w.requires_grad)),
            Figure("grad_fn of the loss", "", type(loss.grad_fn).__name__),
            Figure("autograd equals 2(wx + b - y)x", "True", str(_grad(w) == by_hand)),
            Figure("backward of a loss without gradient", "RuntimeError", raised),
        ],
    )


def _chain() -> Listing:
    generator = torch.Generator().manual_seed(0)
    w1, b1, w2, b2 = (
        torch.randn(4, generator=generator, dtype=torch.float64).requires_grad_().unbind()
    )
    for weight in (w1, b1, w2, b2):
        weight.retain_grad()
    x, y = 2.0, 1.0
    hidden = w1 * x + b1
    error = w2 * hidden + b2 - y
    torch.autograd.backward(error**2)
    slope = 2 * error
    by_hand = [slope * w2 * x, slope * w2, slope * hidden, slope]
    names, weights = ("w1", "b1", "w2", "b2"), (w1, b1, w2, b2)
    pairs = zip(names, weights, by_hand, strict=True)
    return Listing(
        "3-10",
        "A chain of two linear neurons; its gradients by the chain rule (eq. 3-11 to 3-13)",
        [
            Figure(f"autograd equals the hand-written gradient of {name}", "", str(_close(w, h)))
            for name, w, h in pairs
        ],
        ["The book's figures depend on its random start."],
    )


def _close(weight: torch.Tensor, by_hand: torch.Tensor) -> bool:
    return abs(_grad(weight) - by_hand.item()) <= 1e-12 * abs(by_hand.item())


def _grad(weight: torch.Tensor) -> float:
    assert weight.grad is not None
    return weight.grad.item()


def _accumulation() -> Listing:
    w = torch.ones(4, requires_grad=True)
    torch.autograd.backward((w * 2 + 1).sum())
    first = _listed(w)
    torch.autograd.backward((w * 2).sum())
    second = _listed(w)
    w.grad = None
    torch.autograd.backward((w * 2).sum())
    return Listing(
        "3-11, 3-12, 3-13",
        "Gradients add up over backward calls until they are zeroed",
        [
            Figure("gradient of Σ(wx + 1) at x = 2", "[2, 2, 2, 2]", first),
            Figure("then of Σ(wx), not zeroed", "[4, 4, 4, 4]", second),
            Figure("the same, zeroed before", "[2, 2, 2, 2]", _listed(w)),
        ],
    )


def _listed(w: torch.Tensor) -> str:
    assert w.grad is not None
    return str([int(value) for value in w.grad.tolist()])


class Line(torch.nn.Module):
    """Listing 3-16: one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(1, 1, dtype=torch.float64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """W x + b."""
        out: torch.Tensor = self.linear(x)
        return out


def torch_descent(model: Line, steps: Iterable[int]) -> Array:
    """Listings 3-14 and 3-15: plain torch steps; the weights after the last."""
    x, y = torch.tensor(AREA)[:, None], torch.tensor(PRICE)[:, None]
    w, b = model.parameters()
    for _ in steps:
        loss = torch.nn.functional.mse_loss(model(x), y)
        gradients = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():
            w.sub_(RATE * gradients[0])
            b.sub_(RATE * gradients[1])
    return np.array([w.item(), b.item()])


def seeded_line(seed: int = 0) -> Line:
    """A line with torch's own first weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Line()


def _torch() -> Iterator[Listing]:
    loss = mean_squared_error(ROWS)
    model = seeded_line()
    start = np.array([p.item() for p in model.parameters()])
    reached = torch_descent(model, range(STEPS))
    exact = analytic_iterate(loss, start, RATE, STEPS)
    late = analytic_iterate(loss, start, RATE, EPOCHS)
    book = np.array([1.147982, 115.7532196])
    yield Listing(
        "3-14",
        "The same fit with torch tensors and torch's SGD, 5,000,000 epochs",
        [
            Figure("w", "1.147982", late[0]),
            Figure("b", "115.7532196", late[1]),
            Figure("loss", "44.19041824", float(loss.values(late))),
            Figure("loss at the book's w and b", "44.19041824", float(loss.values(book))),
            Figure("epoch at which w = b = 1 comes to that loss", "", _epoch_of(44.19041824)),
        ],
        [
            "The book's start is random and its precision single, so its w and b cannot be had "
            "again; the loss there shows them to lie on the same slow trajectory. Ours is the "
            "analytic value in double precision, from torch's own start at seed 0.",
            "The listing prints a name that it never defines.",
            "`python -m pipeline textbook --full` takes all 5,000,000 torch steps.",
        ],
    )
    yield Listing(
        "3-15",
        f"The same with torch.nn.Linear(1, 1), shortened to {STEPS:,} steps",
        [
            Figure("w, torch", "", reached[0]),
            Figure("w, analytic", "", exact[0]),
            Figure("b, torch", "", reached[1]),
            Figure("b, analytic", "", exact[1]),
        ],
        ["Inputs and targets have the shape (6, 1)."],
    )
    shapes = ", ".join(f"{name} {tuple(p.shape)}" for name, p in model.named_parameters())
    yield Listing(
        "3-16, 3-17",
        "An nn.Module with one linear layer, printed with its parameters (fig. 3.21)",
        [
            Figure("layer", "", str(model.linear).replace("\n", " ")),
            Figure("named_parameters", "", shapes),
        ],
    )


def _epoch_of(value: float) -> float:
    """The first epoch of the chapter's descent whose loss is at or below `value`."""
    loss, low, high = mean_squared_error(ROWS), 0, 2 * EPOCHS
    while high - low > 1:
        middle = (low + high) // 2
        theta = analytic_iterate(loss, np.ones(2), RATE, middle)
        low, high = (middle, high) if loss.values(theta) > value else (low, middle)
    return float(high)
