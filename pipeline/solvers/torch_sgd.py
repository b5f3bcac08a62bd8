"""Linear regression by torch: autograd for the gradient, torch's SGD for the step."""

import torch

from pipeline.core.tables import Array
from pipeline.solvers.quadratic import mean_squared_error
from pipeline.solvers.torch_steps import seeded_linear, train, weighted_mean


def fit(
    X: Array, y: Array, lr: float, epochs: int, seed: int, weights: Array | None = None
) -> tuple[Array, Array]:
    """Full-batch SGD on torch's mean squared error from a seeded start.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    history : ndarray of shape (epochs + 1,)
    """
    layer = seeded_linear(X.shape[1], seed)
    inputs, targets = torch.tensor(X), torch.tensor(y).view(-1, 1)
    mean = weighted_mean(weights)
    return train(
        layer,
        objective=lambda: mean((layer(inputs) - targets) ** 2),
        lr=lr,
        epochs=epochs,
        threshold=float("-inf"),
        stable_lr=lambda: mean_squared_error(X, y).max_stable_lr(),
    )
