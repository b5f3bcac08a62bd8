"""Figures of merit.

Written out, where scikit-learn has them too (a test holds them equal): they are taken in every
fold of every model. The eight scores of a fold take 0.1 ms here and over a hundred times as long
there, most of it for checks of arguments: about 2 s in `evaluate breast_cancer`, 155 folds.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.core.artifacts.evaluated import Scores
from pipeline.core.preprocessing import is_constant
from pipeline.core.tables import Array
from pipeline.evaluate.intervals import placements
from pipeline.solvers.losses import bce_with_logits, sigmoid


def regression_scores(y: Array, predicted: Array) -> Scores:
    """Mse and rmse, mae (units of y, squared for mse) and r2.

    Parameters
    ----------
    y, predicted : ndarray of shape (n_rows,)

    Returns
    -------
    dict
        r2 = 1 - mse / variance is None (null in JSON) where y is constant: there is nothing to
        explain.
    """
    error = predicted - y
    mse = float(np.mean(error**2))
    variance = 0.0 if is_constant(y) else float(np.var(y))
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - mse / variance if variance > 0 else None,
    }


def classification_scores(
    y: Array, z: Array, threshold: float, positive: int, classes: Sequence[str]
) -> Scores:
    """Scores of logits `z` of label 1, which is predicted from probability `threshold` on.

    Parameters
    ----------
    y, z : ndarray of shape (n_rows,)
        Labels 0 and 1, and log(p / (1 - p)) of the probability of label 1.
    positive : int
        The label that precision and f1 are about; they are 0 where nothing was found.

    Returns
    -------
    dict
        `recall_NAME` is None where y has no row of the class, roc_auc where it has one class only.
    """
    label = (sigmoid(z) >= threshold).astype(float)
    found = int(np.sum((y == positive) & (label == positive)))
    said, is_ = int(np.sum(label == positive)), int(np.sum(y == positive))
    return {
        "accuracy": float(np.mean(label == y)),
        "roc_auc": auc(y, z),
        "log_loss": float(np.mean(bce_with_logits(z, y))),
        "brier": float(np.mean((sigmoid(z) - y) ** 2)),
        "precision": found / said if said else 0.0,
        "f1": 2 * found / (said + is_) if said + is_ else 0.0,
        **{
            f"recall_{name}": float(np.mean(label[y == k] == k)) if (y == k).any() else None
            for k, name in enumerate(classes)
        },
    }


def auc(y: Array, z: Array) -> float | None:
    """Area under the ROC curve: the share of pairs (label 1, label 0) that z orders rightly.

    That of Mann and Whitney (1947), ties counted half.

    Parameters
    ----------
    y, z : ndarray of shape (n_rows,)
        Labels 0 and 1, and any score that grows with the probability of label 1.

    Returns
    -------
    float or None
        None where y has one class only.
    """
    if is_constant(y):
        return None
    return float(placements(z[y == 1], z[y == 0]).mean())
