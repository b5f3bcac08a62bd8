"""Listings 3-23 to 3-31: breast cancer."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer

from pipeline.core.preprocessing import fit_scaler, split_rows, standardized
from pipeline.core.tables import Array
from pipeline.solvers.losses import LOSSES, sigmoid
from pipeline.solvers.rows import ArrayRows
from pipeline.solvers.torch_sgd import train_layer
from pipeline.textbook.figures import Ours
from pipeline.textbook.synthetic import SETTINGS

SEEDS = range(5)
bce = torch.nn.functional.binary_cross_entropy_with_logits


def ours() -> Ours:
    """What each listing prints, recomputed; chapter.toml says what the values are.

    The test rows are scaled by the training rows; `leaky` scales them by themselves, as 3-26 does.
    """
    X, y = load_breast_cancer(return_X_y=True)
    y = y.astype(np.float64)
    train, test = split_rows(len(y), 0.2, 1234)
    Z = standardized(X, *fit_scaler(X[train]))
    leaky = standardized(X[test], *fit_scaler(X[test]))
    first = np.column_stack([X[train[0]], Z[train[0]]])
    fits = [trained(ArrayRows(Z[train], y[train]), seed) for seed in SEEDS]
    final = [history[99] for _, history in fits]  # as listed: before the step of epoch 100
    accuracies = [accuracy(theta, rows, y[test]) for theta, _ in fits for rows in (Z[test], leaky)]
    return {
        "3-23, 3-24": [str(X.shape), str(y.shape), float(y.sum())],
        "3-25": [float(len(train)), float(len(test))],
        "3-26": first[:5].ravel().tolist(),
        "3-27": [str((len(train), 1))],
        "3-28, 3-29": _losses(),
        "3-30": [min(final), max(final), str(min(final) < 0.0894 < max(final))],
        "3-31": [*accuracies, "108/114 = 0.9474"],
    }


def trained(rows: ArrayRows, seed: int) -> tuple[Array, Array]:
    """Listings 3-28 to 3-30: BCPM trained from torch's own single-precision start at `seed`.

    Returns
    -------
    theta : ndarray of shape (n_features + 1,)
        Weights, intercept last.
    history : ndarray of shape (epochs + 1,)
        Binary cross-entropy before each step and after the last.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = torch.nn.Linear(rows.n_features, 1).double()
    theta, history, _ = train_layer(layer, "bce_with_logits", rows, SETTINGS)
    return theta, history


def accuracy(theta: Array, X: Array, y: Array) -> float:
    """Share of the rows whose probability, rounded at 0.5, is the label (eq. 3-21).

    Parameters
    ----------
    theta : ndarray of shape (n_features + 1,)
        Weights, intercept last.
    X : ndarray of shape (n, n_features)
        Standardized rows.
    y : ndarray of shape (n,)
        Labels, 0 or 1.
    """
    return float(np.mean((sigmoid(X @ theta[:-1] + theta[-1]) >= 0.5) == y))


def _losses() -> list[float | str]:
    """Torch's two forms of the binary cross-entropy, and ours; the first is cut off at 100."""
    cut_off = torch.nn.functional.binary_cross_entropy
    z, y = torch.tensor([[-3.0, 0.5, 2.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    far, wrong = torch.tensor([[40.0], [0.0]], dtype=torch.float64)
    losses = [LOSSES[name].value(z.numpy(), y.numpy()) for name in ("bce", "bce_with_logits")]
    return [
        *(cut_off(torch.sigmoid(z), y).item(), bce(z, y).item()),
        *(float(of_ours.mean()) for of_ours in losses),
        *(cut_off(torch.sigmoid(far), wrong).item(), bce(far, wrong).item()),
    ]
