"""Scores with their intervals: on held-out folds, and on the rows a model is judged by."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.params import Dataset, Intervals
from pipeline.core.tables import Array
from pipeline.intervals import (
    Interval,
    all_pairs_right,
    percentile,
    resampled,
    studentized,
    wilson,
)
from pipeline.judged import Scheme, Scores
from pipeline.models import Model
from pipeline.solvers.losses import bce_with_logits, sigmoid
from pipeline.stages.evaluate.cross_validation import Held
from pipeline.stages.evaluate.metrics import (
    Counts,
    auc_of,
    classification_scores,
    counts,
    regression_scores,
)

Part = tuple[Array, Array]
Folds = dict[str, list[float | None]]
DIGITS = 10
IN_FOLDS = ("mse", "mae")  # of a regression; r2 of one row has no meaning
POOLED = ("roc_auc", "precision", "f1")  # of leave-one-out: one row has none of these


def score(z: Array, y: Array, settings: Dataset, threshold: float | None) -> Scores:
    """All scores of predictions (regression) or of logits of label 1 (classification)."""
    if settings.task == "regression":
        return regression_scores(y, z)
    positive, classes = settings.positive_label, settings.classes or []
    return classification_scores(y, z, threshold or 0.5, positive, classes)


def fold_scores(held: Sequence[Held], y: Array, settings: Dataset) -> Folds:
    """The scores of every fold, by metric."""
    each = [score(fold.z, y[fold.rows], settings, fold.threshold) for fold in held]
    names = [*each[0]] if each else []
    if settings.task == "regression":
        names = [name for name in names if name in IN_FOLDS]
    return {name: [rounded(scores[name]) for scores in each] for name in names}


def cross_validated(
    by_fold: Folds, held: Sequence[Held], y: Array, scheme: Scheme, settings: Dataset, sure: float
) -> Scores:
    """Mean, standard deviation, range and interval over the folds: cv_mse, cv_mse_sd, ...

    Leave-one-out (loo_mse, ...) has no precision, f1 or AUC of a row; there these are taken once,
    over all rows.
    """
    result: Scores = {}
    for name, scores in by_fold.items():
        key = f"{'loo' if scheme.leave_one_out else 'cv'}_{name}"
        if scheme.leave_one_out and name in POOLED:
            rows = np.concatenate([fold.rows for fold in held])
            z = np.concatenate([fold.z for fold in held])
            result[key] = score(z, y[rows], settings, held[0].threshold)[name]
            continue
        known = [value for value in scores if value is not None]
        if not known:
            result[key] = None
            continue
        interval = resampled(known, scheme.folds, sure)
        if settings.task == "classification" and name != "log_loss":
            if min(known) == max(known) and interval:  # as good as resampled: all equal, no doubt
                interval = wilson(round(known[0] * scheme.rows), scheme.rows, sure)
            interval = interval and (max(interval[0], 0.0), min(interval[1], 1.0))
        interval = interval and (max(interval[0], 0.0), interval[1])
        result |= {
            key: float(np.mean(known)),
            f"{key}_sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
            f"{key}_min": min(known),
            f"{key}_max": max(known),
            f"{key}_low": interval[0] if interval else None,
            f"{key}_high": interval[1] if interval else None,
        }
    return {name: rounded(value) for name, value in result.items()}


def judged_scores(
    model: Model,
    settings: Dataset,
    train: Part,
    test: Part,
    threshold: float | None,
    intervals: Intervals,
) -> Scores:
    """Scores on the test rows with their intervals, and the training loss beside them.

    Where every row trains (test_size 0), all scores are of training rows, carry that name, and
    have no interval: they say nothing about other rows.
    """

    def of(part: Part) -> Scores:
        return score(model.predict(part[0]), part[1], settings, threshold)

    if not len(test[1]):
        result = _prefixed("train", of(train))
    else:
        loss = "mse" if settings.task == "regression" else "log_loss"
        result = {f"train_{loss}": of(train)[loss]}
        limits = _intervals(model.predict(test[0]), test[1], settings, threshold, intervals)
        for name, value in of(test).items():
            result[f"test_{name}"] = value
            low, high = limits.get(name) or (None, None)
            result |= {f"test_{name}_low": low, f"test_{name}_high": high}
    return {name: rounded(value) for name, value in result.items()}


def _intervals(
    z: Array, y: Array, settings: Dataset, threshold: float | None, intervals: Intervals
) -> Mapping[str, Interval | None]:
    sure, draws = intervals.confidence, intervals.bootstrap
    generator = np.random.default_rng(0)
    if settings.task == "regression":
        mse = studentized((z - y) ** 2, sure, draws, generator)
        return {
            "mse": mse,
            "rmse": mse and (mse[0] ** 0.5, mse[1] ** 0.5),
            "mae": studentized(np.abs(z - y), sure, draws, generator),
            "r2": percentile(lambda n: _r2(z, y, n), [np.arange(len(y))], sure, draws, generator),
        }
    positive, p = settings.positive_label, sigmoid(z)
    label = (p >= (threshold or 0.5)).astype(float)
    found = counts(y, label, positive)
    right = found.true_positive + found.true_negative
    both = [np.flatnonzero(y == k) for k in (0, 1)]
    return {
        "accuracy": wilson(right, len(y), sure),
        "roc_auc": _auc_interval(y, z, both, sure, draws, generator),
        "log_loss": studentized(bce_with_logits(z, y)[0], sure, draws, generator),
        "brier": studentized((p - y) ** 2, sure, draws, generator),
        "precision": wilson(found.true_positive, found.true_positive + found.false_positive, sure),
        "recall": wilson(found.true_positive, found.true_positive + found.false_negative, sure),
        "f1": percentile(lambda n: _f1(found, y, label, positive, n), both, sure, draws, generator),
        **{
            f"recall_{name}": wilson(int(np.sum(label[both[k]] == k)), len(both[k]), sure)
            for k, name in enumerate(settings.classes or [])
        },
    }


def _r2(z: Array, y: Array, n: Array) -> Array:
    total = n.sum(axis=1)
    variance = n @ y**2 / total - (n @ y / total) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(variance > 0, n @ (z - y) ** 2 / total / variance, np.inf)
    result: Array = 1 - share
    return result


def _f1(found: Counts, y: Array, label: Array, positive: int, n: Array) -> Array:
    hits = n @ ((y == positive) & (label == positive))
    both = n @ (y == positive) + n @ (label == positive)
    result: Array = 2 * hits / both
    return result


def _auc_interval(
    y: Array,
    z: Array,
    both: Sequence[NDArray[np.intp]],
    sure: float,
    draws: int,
    generator: np.random.Generator,
) -> Interval | None:
    """By resampling; where every pair is in order, each resample is as good, and says nothing."""
    fewer = min(len(rows) for rows in both)
    if fewer and auc_of(y, z, np.ones((1, len(y))))[0] == 1:
        return all_pairs_right(fewer, sure), 1.0
    return percentile(lambda n: auc_of(y, z, n), both, sure, draws, generator)


def _prefixed(rows: str, scores: Scores) -> Scores:
    return {f"{rows}_{name}": value for name, value in scores.items()}


def rounded(value: float | None) -> float | None:
    """To 10 digits: those behind differ between CPU types, and would show up in git."""
    return None if value is None else float(f"{value:.{DIGITS}g}")
