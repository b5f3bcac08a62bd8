"""Figures of merit.

Written out, where scikit-learn has them too (a test holds them equal): they are taken in every
fold of every model. The eight scores of a fold take 0.1 ms here and over a hundred times as long
there, most of it for checks of arguments: about 2 s in `evaluate breast_cancer`, 155 folds.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.artifacts.evaluated import Scores
from pipeline.core.forms import least
from pipeline.core.preprocessing import is_constant
from pipeline.core.settings.evaluate import Metric
from pipeline.core.tables import Array
from pipeline.evaluate.intervals import placements
from pipeline.solvers.losses import bce_with_logits, cross_entropy, sigmoid, softmax


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
    label = predicted_labels(z, threshold).astype(float)
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


def predicted_labels(z: Array, threshold: float | None) -> NDArray[np.intp]:
    """The label that each row is predicted to have, shape (n_rows,).

    Parameters
    ----------
    z : ndarray of shape (n_rows,) or (n_rows, n_classes)
        The logit of label 1, or those of several classes, of which the largest counts.
    threshold : float or None
        Label 1 is predicted from this probability on; None: from 0.5 on.
    """
    if z.ndim == 2:
        best: NDArray[np.intp] = z.argmax(axis=1)
        return best
    return (sigmoid(z) >= least(threshold or 0.5)).astype(np.intp)


def scores_of_several(y: Array, z: Array, classes: Sequence[str]) -> Scores:
    """Scores of the logits of several classes.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        Labels from 0.
    z : ndarray of shape (n_rows, n_classes)

    Returns
    -------
    dict
        `macro_...` is the mean over the classes, of precision with 0 where none was said to be of
        a class, and roc_auc that of each class against the rest. These are None where y lacks a
        class, and `recall_NAME` is None of the class it lacks.
    """
    label = predicted_labels(z, None)
    right, is_, told = (
        np.bincount(of.astype(np.intp), minlength=len(classes)) for of in (y[label == y], y, label)
    )
    whole = bool(is_.all())
    of_each = enumerate(softmax(z).T) if whole else ()
    areas = [placements(p[y == k], p[y != k]).mean() for k, p in of_each]
    recall = right / np.maximum(is_, 1)
    return {
        "accuracy": float(np.mean(label == y)),
        "roc_auc": float(np.mean(areas)) if whole else None,
        "log_loss": float(np.mean(cross_entropy(z, y))),
        "macro_precision": float(np.mean(right / np.maximum(told, 1))) if whole else None,
        "macro_recall": float(np.mean(recall)) if whole else None,
        "macro_f1": float(np.mean(2 * right / (is_ + told))) if whole else None,
        **{
            f"recall_{name}": float(recall[k]) if is_[k] else None for k, name in enumerate(classes)
        },
    }


def of_rows(metric: Metric, y: Array, z: Array, threshold: float | None) -> Array:
    """What each row adds to a score: their mean is the score of all.

    Of the area under the ROC curve, which compares rows with others, `of_area` tells it.

    Parameters
    ----------
    metric : str
    y : ndarray of shape (n_rows,)
        The target, or labels from 0.
    z : ndarray of shape (n_rows,) or (n_rows, n_classes)
        Predictions, or logits.
    threshold : float or None
        Label 1 of two is predicted from this probability on.

    Returns
    -------
    ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        For roc_auc.
    """
    match metric:
        case "mse":
            return np.square(z - y)
        case "mae":
            return np.abs(z - y)
        case "accuracy":
            return np.equal(predicted_labels(z, threshold), y).astype(np.float64)
        case "brier":
            return np.square(sigmoid(z) - y)
        case "log_loss":
            return cross_entropy(z, y) if z.ndim == 2 else bce_with_logits(z, y)
    raise ValueError(f"{metric}: no row has it alone")


def ordered(is_: NDArray[np.bool_], z: Array) -> Array:
    """Of each row the share of those of the other kind that z orders rightly against it.

    The structural components of DeLong, DeLong and Clarke-Pearson (1988); nan where there is no
    other kind.
    """
    shares = np.full(len(z), np.nan)
    if is_.any() and not is_.all():
        shares[is_] = placements(z[is_], z[~is_])
        shares[~is_] = 1 - placements(z[~is_], z[is_])
    return shares


def of_area(is_: NDArray[np.bool_], shares: Array) -> Array:
    """What each row adds to the area under the ROC curve: its influence function.

    Parameters
    ----------
    is_ : ndarray of bool, of shape (n_rows,)
    shares : ndarray of shape (n_rows,)
        As `ordered` gives them, of all rows or of the rows of each fold. Centred on all rows: the
        few of a class in one fold do not vary about their own mean as they do about the class's.
    """
    area, share = (shares[is_].mean() + shares[~is_].mean()) / 2, is_.mean()
    added: Array = area + (shares - area) / np.where(is_, share, 1 - share)
    return added


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
