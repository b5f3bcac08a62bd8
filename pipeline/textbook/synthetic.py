"""Listings 3-18 to 3-22: a synthetic line."""

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.datasets import make_regression

from pipeline.core.params import Descent
from pipeline.core.tables import Array
from pipeline.solvers import torch_sgd
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.quadratic import mean_squared_error
from pipeline.solvers.rows import ArrayRows
from pipeline.textbook.figures import Figure, Listing

SETTINGS = Descent.of(
    seed=0,
    lr=0.1,
    epochs=100,
    batch_size="full",
    optimizer="sgd",
    momentum=0.9,
    weight_decay=0,
    init="uniform",
    loss_threshold=0,
)


def listings() -> Iterator[Listing]:
    """All of them, in order."""
    rows = generated(noise=20)
    w, b = least_squares(rows).theta
    yield Listing(
        "3-18",
        "make_regression(n_samples=100, n_features=1, noise=20, random_state=12)",
        [
            Figure("rows", "100", float(rows.n_rows)),
            Figure("least squares: w", "", w),
            Figure("least squares: b", "", b),
            Figure("least squares: mean squared error", "", mean_squared_error(rows).minimum),
        ],
    )
    exact = generated(noise=0)
    w, b = least_squares(exact).theta
    error = float(np.mean((exact.X[:, 0] * w + b - exact.y) ** 2))
    yield Listing(
        "3-19",
        "The same without noise: a line, and nothing else",
        [
            Figure("least squares: w", "", w),
            Figure("least squares: abs(b) below 1e-12", "", str(abs(b) < 1e-12)),
            Figure("mean squared error below 1e-24", "", str(error < 1e-24)),
        ],
    )
    y = torch.tensor(rows.y)
    column, flat = y.view(-1, 1), torch.zeros(100, 1, dtype=torch.float64) - y
    yield Listing(
        "3-20",
        "float32 tensors; y of shape (n, 1)",
        [
            Figure("shape of y", "(100, 1)", str(tuple(column.shape))),
            Figure("shape of prediction - y where y is left flat", "", str(tuple(flat.shape))),
        ],
        ["With y of shape (n,) the difference has n x n entries, and no error tells."],
    )
    fits = [torch_sgd.fit(rows, SETTINGS.model_copy(update={"seed": seed})) for seed in range(5)]
    yield Listing(
        "3-21",
        "nn.Linear(1, 1), MSELoss, SGD with lr 0.1, 100 epochs",
        [
            Figure("loss after training, seed 0", "", fits[0].history[-1]),
            Figure("largest loss over seeds 0 to 4", "", max(f.history[-1] for f in fits)),
        ],
        ["From any start it reaches the minimum of least squares."],
    )
    with torch.no_grad():
        line = torch.tensor(rows.X) * fits[0].theta[0] + fits[0].theta[1]
    mse = float(np.mean((line.numpy()[:, 0] - rows.y) ** 2))
    yield Listing(
        "3-22",
        "Predictions under no_grad, drawn as a line over the points (fig. 3.26)",
        [
            Figure("requires_grad of the predictions", "False", str(line.requires_grad)),
            Figure("their mean squared error", "", mse),
        ],
    )


def generated(noise: float) -> ArrayRows:
    """The rows of listing 3-18."""
    X, y = make_regression(n_samples=100, n_features=1, noise=noise, random_state=12)
    return ArrayRows(X, _floats(y))


def _floats(values: Array) -> Array:
    return np.asarray(values, dtype=np.float64)
