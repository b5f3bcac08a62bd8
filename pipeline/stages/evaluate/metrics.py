"""Figures of merit."""

import numpy as np

from pipeline.core.tables import Array

Scores = dict[str, float | None]


def regression_scores(y: Array, predicted: Array) -> Scores:
    """Mse and rmse, mae (units of y, squared for mse) and r2.

    r2 = 1 - mse / variance is None (null in JSON) where y is constant: there is nothing to explain.
    """
    error = predicted - y
    mse = float(np.mean(error**2))
    variance = float(np.var(y)) if y.max() > y.min() else 0.0  # which rounding makes 1e-28
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(np.mean(np.abs(error))),
        "r2": 1 - mse / variance if variance > 0 else None,
    }


def classification_scores(y: Array, probability: Array, positive: int) -> Scores:
    """Scores of P(label 1) at threshold 0.5.

    Parameters
    ----------
    y, probability : ndarray of shape (n_rows,)
        Labels 0 and 1, and the predicted probability of label 1.
    positive : int
        The label that precision, recall and f1 are about.

    Returns
    -------
    dict
        roc_auc is None where `y` holds one class only.
    """
    from sklearn import metrics

    label = (probability >= 0.5).astype(int)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        y, label, pos_label=positive, average="binary", zero_division=0
    )
    both = len(np.unique(y)) == 2
    return {
        "accuracy": float(metrics.accuracy_score(y, label)),
        "roc_auc": float(metrics.roc_auc_score(y, probability)) if both else None,
        "log_loss": float(metrics.log_loss(y, probability, labels=[0, 1])),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
    }
