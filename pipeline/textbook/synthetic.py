"""Listings 3-18 to 3-22: a synthetic line."""

import numpy as np
import torch
from sklearn.datasets import make_regression

from pipeline.core.settings.descent import Descent
from pipeline.solvers import torch_sgd
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.quadratic import mean_squared_error
from pipeline.solvers.rows import ArrayRows
from pipeline.textbook.figures import Ours

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
    tolerance=0,
)


def ours() -> Ours:
    """What each listing prints, recomputed; chapter.toml says what the values are.

    A target of shape (n,) beside predictions of shape (n, 1) gives differences of shape (n, n), as
    3-20 shows: numpy and torch broadcast, and no error tells.
    """
    rows, exact = generated(noise=20), generated(noise=0)
    w, b = least_squares(rows).theta
    slope, intercept = least_squares(exact).theta
    error = float(np.mean((exact.X[:, 0] * slope + intercept - exact.y) ** 2))
    y = torch.tensor(rows.y)
    column, flat = y.view(-1, 1), torch.zeros(100, 1, dtype=torch.float64) - y
    fits = [torch_sgd.fit(rows, SETTINGS.model_copy(update={"seed": seed})) for seed in range(5)]
    losses = [fit.history[-1] for fit in fits]
    with torch.no_grad():
        line = torch.tensor(rows.X) * fits[0].theta[0] + fits[0].theta[1]
    mse = float(np.mean((line.numpy()[:, 0] - rows.y) ** 2))
    return {
        "3-18": [float(rows.n_rows), w, b, mean_squared_error(rows).minimum],
        "3-19": [slope, str(abs(intercept) < 1e-12), str(error < 1e-24)],
        "3-20": [str(tuple(column.shape)), str(tuple(flat.shape))],
        "3-21": [losses[0], max(losses)],
        "3-22": [str(line.requires_grad), mse],
    }


def generated(noise: float) -> ArrayRows:
    """The rows of listing 3-18: 100 of one feature, y = w x + b + noise * N(0, 1)."""
    X, y = make_regression(n_samples=100, n_features=1, noise=noise, random_state=12)
    return ArrayRows(X, np.asarray(y, dtype=np.float64))
