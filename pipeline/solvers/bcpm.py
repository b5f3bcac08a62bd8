"""BCPM, the chapter's breast cancer prediction model: a linear layer and a sigmoid."""

from functools import partial

import torch

from pipeline.core.tables import Array
from pipeline.solvers.losses import bce_stable_lr
from pipeline.solvers.torch_steps import seeded_linear, train, weighted_mean


class BCPM(torch.nn.Module):
    """P(label 1 | x) = sigmoid(w.x + b); `forward` gives the logit w.x + b.

    Binary cross-entropy is taken from the logit: the sigmoid rounds to 0 or 1 far from the border,
    and its logarithm would be infinite.
    """

    def __init__(self, n_features: int, seed: int) -> None:
        super().__init__()
        self.linear = seeded_linear(n_features, seed)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """The logit of each row, shape (n_rows, 1)."""
        logit: torch.Tensor = self.linear(X)
        return logit

    @torch.no_grad()
    def predict_proba(self, X: torch.Tensor) -> torch.Tensor:
        """The probability of label 1, shape (n_rows, 1)."""
        return torch.sigmoid(self(X))


def fit(
    X: Array,
    y: Array,
    lr: float,
    epochs: int,
    seed: int,
    loss_threshold: float,
    weights: Array | None = None,
) -> tuple[Array, Array]:
    """Full-batch SGD on binary cross-entropy; stops early at `loss_threshold`.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels 0 and 1.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
    history : ndarray of shape (steps + 1,)
        Mean binary cross-entropy over the training rows, in nats.
    """
    model = BCPM(X.shape[1], seed)
    inputs, labels = torch.tensor(X), torch.tensor(y).view(-1, 1)
    bce = partial(torch.nn.functional.binary_cross_entropy_with_logits, reduction="none")
    mean = weighted_mean(weights)
    return train(
        model.linear,
        objective=lambda: mean(bce(model(inputs), labels)),
        lr=lr,
        epochs=epochs,
        threshold=loss_threshold,
        stable_lr=lambda: bce_stable_lr(X),
    )
