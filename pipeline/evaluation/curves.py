"""The data behind the plots: rows of text and numbers under a header."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np

from pipeline.artifacts.evaluated import Judged
from pipeline.core.params import Dataset
from pipeline.core.tables import Array
from pipeline.core.thin import thinned
from pipeline.solvers.losses import sigmoid
from pipeline.statistics.intervals import wilson

PlotData = tuple[list[str], list[tuple[object, ...]]]
Values = Mapping[str, Array]
MOST_POINTS = 2000
MOST_FEATURES = 100
BINS = 10


def of_all(judged: Mapping[str, Judged], metric: str) -> dict[str, PlotData]:
    """Curves of any task: the scores of the folds, and the weights."""
    scores = [
        (name, fold, value)
        for name, one in judged.items()
        for fold, value in enumerate(one.folds.get(metric, []))
    ]
    weights = [
        (name, c.feature, c.value, c.low, c.high)
        for name, one in judged.items()
        if one.role != "baseline"
        for c in one.coefficients[:MOST_FEATURES]
    ]
    return {
        "cv": (["trainer", "fold", metric], [*scores]),
        "coefficients": (["trainer", "feature", "value", "low", "high"], [*weights]),
    }


def of_regression(values: Values, y: Array) -> dict[str, PlotData]:
    """Predictions, a column a model, and residuals, actual - predicted."""
    rows = thinned(len(y), MOST_POINTS)
    predicted = [value[rows].tolist() for value in values.values()]
    residuals = [
        (name, at, rest)
        for name, value in values.items()
        for at, rest in zip(value[rows].tolist(), (y - value)[rows].tolist(), strict=True)
    ]
    return {
        "predictions": (
            ["actual", *values],
            list(zip(y[rows].tolist(), *predicted, strict=True)),
        ),
        "residuals": (["trainer", "predicted", "residual"], [*residuals]),
    }


def of_classification(
    values: Values, y: Array, settings: Dataset, thresholds: Mapping[str, float], sure: float
) -> dict[str, PlotData]:
    """Confusion, ROC, precision-recall and calibration of the positive class, from logits."""
    both = y.min() < y.max()
    return {
        "confusion": (
            ["trainer", "actual", "predicted", "rows"],
            [*_confusion(values, y, settings, thresholds)],
        ),
        "roc": (
            ["false_positive_rate", "true_positive_rate", "trainer"],
            [*_roc(values if both else {}, y, settings)],
        ),
        "pr": (["recall", "precision", "trainer"], [*_pr(values if both else {}, y, settings)]),
        "calibration": (
            ["predicted", "observed", "low", "high", "rows", "trainer"],
            [*_calibration(values, y, settings, sure)],
        ),
    }


def _confusion(
    values: Values, y: Array, settings: Dataset, thresholds: Mapping[str, float]
) -> Iterator[tuple[object, ...]]:
    names = settings.evaluate.classes or []
    for trainer, z in values.items():
        label = sigmoid(z) >= thresholds[trainer]
        for actual, predicted in product((0, 1), repeat=2):
            rows = int(np.sum((y == actual) & (label == predicted)))
            yield trainer, names[actual], names[predicted], rows


def _roc(values: Values, y: Array, settings: Dataset) -> Iterator[tuple[object, ...]]:
    from sklearn.metrics import roc_curve

    positive = settings.evaluate.positive_label
    for trainer, z in values.items():
        false, true, _ = roc_curve(y, z if positive else -z, pos_label=positive)
        for k in thinned(len(false), MOST_POINTS):
            yield float(false[k]), float(true[k]), trainer


def _pr(values: Values, y: Array, settings: Dataset) -> Iterator[tuple[object, ...]]:
    from sklearn.metrics import precision_recall_curve

    positive = settings.evaluate.positive_label
    for trainer, z in values.items():
        precision, recall, _ = precision_recall_curve(y, z if positive else -z, pos_label=positive)
        for k in thinned(len(recall), MOST_POINTS):
            yield float(recall[k]), float(precision[k]), trainer


def _calibration(
    values: Values, y: Array, settings: Dataset, sure: float
) -> Iterator[tuple[object, ...]]:
    """Ten bins of the predicted probability: its mean, and the share that was positive."""
    positive = settings.evaluate.positive_label
    for trainer, z in values.items():
        p = sigmoid(z if positive else -z)
        bins = np.minimum((p * BINS).astype(int), BINS - 1)
        for k in np.unique(bins):
            of_bin = bins == k
            n, hits = int(of_bin.sum()), int(np.sum(y[of_bin] == positive))
            low, high = wilson(hits, n, sure) or (0.0, 1.0)
            yield float(p[of_bin].mean()), hits / n, low, high, n, trainer


def columns(data: PlotData) -> tuple[Sequence[str], Sequence[tuple[object, ...]]]:
    """Header and rows, with numbers to 10 digits."""
    header, rows = data
    return header, [tuple(_shown(cell) for cell in row) for row in rows]


def _shown(cell: object) -> object:
    return float(f"{cell:.10g}") if isinstance(cell, float) else cell
