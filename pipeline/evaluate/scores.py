"""Scores with their intervals: on held-out folds, and on the rows a model is judged by."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from pipeline.core.artifacts.evaluated import Scheme, Scores
from pipeline.core.artifacts.models import Model
from pipeline.core.errors import PipelineError
from pipeline.core.preprocessing import is_constant
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import Intervals, Metric
from pipeline.core.tables import Array
from pipeline.evaluate.cross_validation import OutOfFold
from pipeline.evaluate.intervals import (
    MANY,
    Interval,
    area,
    by_influence,
    mean_of_rows,
    percentile,
    resampled,
    studentized,
    wilson,
)
from pipeline.evaluate.metrics import (
    auc,
    classification_scores,
    of_area,
    of_rows,
    ordered,
    predicted_labels,
    regression_scores,
    scores_of_several,
)
from pipeline.solvers.losses import bce_with_logits, cross_entropy, sigmoid, softmax

Part = tuple[Array, Array]
Folds = dict[str, list[float | None]]
DIGITS = 10
BY_KIND = 200  # rows from which on resamples are drawn by kinds of rows, of which there are few
IN_FOLDS = ("mse", "mae")  # of a regression; r2 of one row has no meaning


def score(z: Array, y: Array, settings: Dataset, threshold: float | None) -> Scores:
    """All scores of one set of rows.

    Parameters
    ----------
    z : ndarray of shape (n_rows,) or (n_rows, n_classes)
        The predictions (regression), the logits of label 1, or those of several classes.
    y : ndarray of shape (n_rows,)
        The target, or labels from 0.
    settings : Dataset
    threshold : float or None
        Label 1 is predicted from this probability on; None: from 0.5 on.
    """
    if settings.task == "regression":
        return regression_scores(y, z)
    classes = settings.evaluate.classes or []
    if settings.evaluate.several:
        return scores_of_several(y, z, classes)
    positive = settings.evaluate.positive_label
    return classification_scores(y, z, threshold or 0.5, positive, classes)


def fold_scores(held: Sequence[OutOfFold], y: Array, settings: Dataset) -> Folds:
    """The scores of every fold, by metric.

    Parameters
    ----------
    held : sequence of OutOfFold
    y : ndarray of shape (n_rows,)
        The target of all rows, from which each fold takes its own.
    settings : Dataset

    Returns
    -------
    dict
        By metric one score a fold, to 10 digits; of a regression mse and mae alone.
    """
    each = [score(fold.z, y[fold.rows], settings, fold.threshold) for fold in held]
    names = [*each[0]] if each else []
    if settings.task == "regression":
        names = [name for name in names if name in IN_FOLDS]
    return {name: [rounded(scores[name]) for scores in each] for name in names}


def compared_by(
    by_fold: Folds, held: Sequence[OutOfFold], y: Array, scheme: Scheme, settings: Dataset
) -> Array:
    """What models are compared by: their score on each row, or fold, whose mean is theirs.

    Parameters
    ----------
    by_fold, held, y, scheme, settings
        As in `cross_validated`.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_folds,)
        nan in a fold that has no such score.
    """
    metric = settings.evaluate.metric
    if scheme.by_rows:
        return _row_scores(held, y, metric)
    return np.array(by_fold.get(metric, []), dtype=float)


def _row_scores(held: Sequence[OutOfFold], y: Array, metric: Metric) -> Array:
    """What each row adds to a score, held out once."""
    if metric == "roc_auc":
        return _area_rows(held, y)
    found = np.full(len(y), np.nan)
    for fold in held:
        found[fold.rows] = of_rows(metric, y[fold.rows], fold.z, fold.threshold)
    return found


def _area_rows(held: Sequence[OutOfFold], y: Array) -> Array:
    """Rows are ordered within their fold; of several classes each against the rest."""
    several = held[0].z.ndim == 2
    found = []
    for label in range(held[0].z.shape[1]) if several else [1]:
        shares = np.full(len(y), np.nan)
        for fold in held:
            z = softmax(fold.z)[:, label] if several else fold.z
            shares[fold.rows] = ordered(y[fold.rows] == label, z)
        found.append(of_area(y == label, shares))
    mean: Array = np.mean(found, axis=0)
    return mean


def interval_of_mean(values: Array, scheme: Scheme, confidence: float) -> Interval | None:
    """The interval of what `compared_by` gives, or of a difference.

    Of rows where each is held out once; else of folds, corrected for the rows that these share.

    Parameters
    ----------
    values : ndarray
    scheme : Scheme
    confidence : float
    """
    if scheme.by_rows:
        return mean_of_rows(values, np.inf if scheme.alone else scheme.folds, confidence)
    return resampled(values.tolist(), scheme.even_folds, confidence, scheme.independent)


def cross_validated(
    by_fold: Folds,
    held: Sequence[OutOfFold],
    y: Array,
    scheme: Scheme,
    settings: Dataset,
    sure: float,
) -> Scores:
    """Mean, standard deviation, range and interval over the folds: cv_mse, cv_mse_sd, ...

    One row has no precision, f1 or AUC: in leave-one-out (loo_...) these are taken once, over all
    rows, and have no interval.

    Parameters
    ----------
    by_fold : dict
        What `fold_scores` gives.
    held : sequence of OutOfFold
    y : ndarray of shape (n_rows,)
    scheme : Scheme
        How the rows were cut.
    settings : Dataset
    sure : float
        The confidence of the intervals.
    """
    result: Scores = {}
    pooled = _pooled(held, y, settings) if scheme.leave_one_out and held else {}
    by_row = dict[str, Array]()
    if scheme.by_rows:
        by_row |= {metric: _row_scores(held, y, metric) for metric in settings.metrics}
    for name, scores in by_fold.items():
        key = f"{'loo' if scheme.leave_one_out else 'cv'}_{name}"
        known = [value for value in scores if value is not None]
        if name in pooled or not known:
            result[key] = pooled.get(name)
            continue
        rows = by_row.get(name)
        low, high = _held_interval(name, known, rows, y, scheme, settings, sure) or (None, None)
        result |= {
            key: float(np.mean(known)),
            f"{key}_sd": _deviation(known),
            f"{key}_min": min(known),
            f"{key}_max": max(known),
            f"{key}_low": low,
            f"{key}_high": high,
        }
    return {name: rounded(value) for name, value in result.items()}


def _pooled(held: Sequence[OutOfFold], y: Array, settings: Dataset) -> Scores:
    """Scores of all held-out rows at once, each at the threshold of its fold."""
    if settings.task == "regression":
        return {}
    rows = np.concatenate([fold.rows for fold in held])
    z = np.concatenate([fold.z for fold in held])
    if settings.evaluate.several:
        scores = score(z, y[rows], settings, None)
        return {k: v for k, v in scores.items() if k.startswith("macro_") or k == "roc_auc"}
    over = np.concatenate([fold.z - float(logit(fold.threshold or 0.5)) for fold in held])
    scores = score(over, y[rows], settings, 0.5)
    return {"precision": scores["precision"], "f1": scores["f1"], "roc_auc": auc(y[rows], z)}


def _deviation(scores: Sequence[float]) -> float | None:
    """The standard deviation; 0 where all are alike, without what rounding makes of it."""
    if len(scores) < 2:
        return None
    return float(np.std(scores, ddof=1)) if min(scores) < max(scores) else 0.0


def _held_interval(
    name: str,
    scores: Sequence[float],
    rows: Array | None,
    y: Array,
    scheme: Scheme,
    settings: Dataset,
    sure: float,
) -> Interval | None:
    """That of the folds, or of `rows`; Wilson's of shares of rows held out once, or all alike.

    Scores that are equal in all folds have no variance, which says nothing about the next fold.
    """
    of_class = {
        f"recall_{c}": int(np.sum(y == k)) for k, c in enumerate(settings.evaluate.classes or [])
    }
    n = ({"accuracy": len(y)} | of_class).get(name) if scheme.kept == "rows" else None
    alike = min(scores) == max(scores)
    if n is not None and (alike or scheme.leave_one_out or scheme.by_rows):
        return wilson(round(float(np.mean(scores)) * n), n, sure)
    if alike:
        return None
    found = (
        resampled(scores, scheme.even_folds, sure, scheme.independent)
        if rows is None
        else mean_of_rows(rows, scheme.folds, sure)
    )
    low, high = found or (-np.inf, np.inf)
    limit = 1.0 if settings.task == "classification" and name != "log_loss" else np.inf
    return max(low, 0.0), min(high, limit)


def judged_scores(
    model: Model,
    settings: Dataset,
    train: Part,
    test: Part,
    threshold: float | None,
    intervals: Intervals,
    grouped: bool = False,
) -> Scores:
    """Scores on the test rows with their intervals, and the training loss beside them.

    Where every row trains (test_size 0), all scores are of training rows, carry that name, and
    have no interval: they say nothing about other rows. Nor have those of whole groups one, whose
    rows are alike.

    Parameters
    ----------
    model : Model
    settings : Dataset
    train, test : tuple of ndarray
        Standardized features, shape (n, n_features), and target, shape (n,); `test` may be empty.
    threshold : float or None
        Label 1 is predicted from this probability on; None for a regression.
    intervals : Intervals
    grouped : bool, optional
        Whether the test rows are whole groups.

    Returns
    -------
    dict
        Keys begin with `train_` or `test_`; values have 10 digits, and are None where a score or
        an end of its interval has no meaning.
    """

    def of(part: Part) -> Scores:
        return score(model.predict(part[0]), part[1], settings, threshold)

    if not len(test[1]):
        result: Scores = {f"train_{name}": value for name, value in of(train).items()}
    else:
        loss = loss_of(settings)
        result = {f"train_{loss}": of(train)[loss]}
        given = (model.predict(test[0]), test[1], settings, threshold)
        result |= test_scores(*given, None if grouped else intervals)
    return {name: rounded(value) for name, value in result.items()}


def loss_of(settings: Dataset) -> Literal["mse", "log_loss"]:
    """The score of the training rows that stands beside those of others."""
    return "mse" if settings.task == "regression" else "log_loss"


def test_scores(
    z: Array, y: Array, settings: Dataset, threshold: float | None, intervals: Intervals | None
) -> Scores:
    """The scores of test rows, with their intervals where there are to be any.

    Parameters
    ----------
    z, y, settings, threshold
        As in `score`.
    intervals : Intervals or None

    Returns
    -------
    dict
        Not rounded.
    """
    result: Scores = {}
    limits = {} if intervals is None else _intervals(z, y, settings, threshold, intervals)
    for name, value in score(z, y, settings, threshold).items():
        low, high = limits.get(name) or (None, None)
        result |= {f"test_{name}": value, f"test_{name}_low": low, f"test_{name}_high": high}
    return result


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
            "r2": r2_of_many(z, y, sure)
            if len(y) >= MANY
            else percentile(lambda n: _r2(z, y, n), [np.arange(len(y))], sure, draws, generator),
        }
    classes, label = settings.evaluate.classes or [], predicted_labels(z, threshold)
    of_class = [np.flatnonzero(y == k) for k in range(len(classes))]
    right = label == y
    of_any = {"accuracy": wilson(int(np.sum(right)), len(y), sure)} | {
        f"recall_{name}": wilson(int(np.sum(right[rows])), len(rows), sure)
        for name, rows in zip(classes, of_class, strict=True)
    }
    y_of, label_of, strata, times = y, label, of_class, None
    if len(y) >= BY_KIND:  # by class and prediction
        kinds, times = np.unique(y * len(classes) + label, return_counts=True)
        y_of, label_of = kinds // len(classes), (kinds % len(classes)).astype(np.intp)
        strata = [np.flatnonzero(y_of == k) for k in range(len(classes))]

    def drawn(statistic: Callable[[Array], Array]) -> Interval | None:
        return percentile(statistic, strata, sure, draws, generator, times)

    if settings.evaluate.several:
        macro = {name: drawn(partial(mean, y_of, label_of)) for name, mean in MACRO.items()}
        return (
            of_any | macro | {"log_loss": studentized(cross_entropy(z, y), sure, draws, generator)}
        )
    positive, p = settings.evaluate.positive_label, sigmoid(z)
    told = label == positive
    return of_any | {
        "roc_auc": area(y, z, sure),
        "log_loss": studentized(bce_with_logits(z, y), sure, draws, generator),
        "brier": studentized((p - y) ** 2, sure, draws, generator, most=1.0),
        "precision": wilson(int(np.sum(right & told)), int(np.sum(told)), sure),
        "f1": drawn(lambda n: _f1(y_of == positive, label_of == positive, n)),
    }


def r2_of_many(z: Array, y: Array, sure: float) -> Interval | None:
    """The interval of R2 = 1 - mse / variance of many rows, by their influence on it.

    That of a row with the error e is (mse (y - mean)^2 / variance - e^2) / variance.
    """
    if is_constant(y):
        return None
    squares, centred = np.square(z - y), np.square(y - y.mean())
    mse, variance = float(squares.mean()), float(centred.mean())
    low, high = by_influence(
        1 - mse / variance, (mse / variance * centred - squares) / variance, sure
    )
    return low, min(high, 1.0)


def _r2(z: Array, y: Array, n: Array) -> Array:
    """Of resampled rows; -inf where the target does not vary."""
    total, centred = n.sum(axis=1), y - y.mean()
    variance = n @ centred**2 / total - (n @ centred / total) ** 2
    varies = variance > 1e-12 * centred.var()
    share = n @ (z - y) ** 2 / total / np.where(varies, variance, 1.0)
    return np.where(varies, 1 - share, -np.inf)


def _f1(is_: NDArray[np.bool_], told: NDArray[np.bool_], n: Array) -> Array:
    """Of resampled rows."""
    return np.divide(2 * (n @ (is_ & told)), n @ is_ + n @ told)


def _precision(is_: NDArray[np.bool_], told: NDArray[np.bool_], n: Array) -> Array:
    """Of resampled rows; 0 where none was told to be of the class."""
    return np.divide(n @ (is_ & told), np.maximum(n @ told, 1))


def _recall(is_: NDArray[np.bool_], told: NDArray[np.bool_], n: Array) -> Array:
    """Of resampled rows."""
    return np.divide(n @ (is_ & told), n @ is_)


def _macro(of_one: Callable[..., Array], y: Array, label: NDArray[np.intp], n: Array) -> Array:
    """The mean over the classes."""
    each = [of_one(y == k, label == k, n) for k in np.unique(y)]
    mean: Array = np.mean(each, axis=0)
    return mean


MACRO = {
    "macro_precision": partial(_macro, _precision),
    "macro_recall": partial(_macro, _recall),
    "macro_f1": partial(_macro, _f1),
}


def rounded(value: float | None) -> float | None:
    """To 10 digits: those behind differ between CPU types, and would show up in git.

    Raises
    ------
    PipelineError
        When the value is inf or nan.
    """
    if value is None:
        return None
    if not np.isfinite(value):
        raise PipelineError(
            "a score is not finite: a training grew beyond all numbers (lower lr), or values of "
            "the target or the features are too large (rescale them; where target_transform is "
            "log, one row far from the others is enough)"
        )
    return float(f"{value:.{DIGITS}g}")
