"""The data behind the plots: rows of text and numbers under a header."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.core.artifacts.evaluated import Judged
from pipeline.core.params import Dataset
from pipeline.core.preprocessing import is_constant, thinned
from pipeline.core.tables import Array
from pipeline.core.trainers import scale_of
from pipeline.evaluate.intervals import wilson
from pipeline.evaluate.metrics import predicted_labels
from pipeline.solvers.losses import sigmoid

Row = tuple[object, ...]
PlotData = tuple[list[str], list[Row]]
Values = Mapping[str, Array]
MOST_POINTS = 2000
MOST_FEATURES = 100
BINS = 10
HEADERS = {
    "predictions": ["trainer", "actual", "predicted"],
    "residuals": ["trainer", "predicted", "residual"],
    "confusion": ["trainer", "actual", "predicted", "rows"],
    "roc": ["false_positive_rate", "true_positive_rate", "trainer"],
    "pr": ["recall", "precision", "trainer"],
    "calibration": ["predicted", "observed", "low", "high", "rows", "trainer"],
}


def of_all(
    judged: Mapping[str, Judged], histories: Mapping[str, Array], metric: str
) -> dict[str, PlotData]:
    """Curves of any task, and the headers of those of one.

    Parameters
    ----------
    judged : dict
        The models, judged, by name.
    histories : dict
        By name of the model: epoch and training loss, shape (n_epochs, 2).
    metric : str
        The score of the folds to show.

    Returns
    -------
    dict
        `loss` of the epochs, `cv` with the scores of the folds, `coefficients` with the weights,
        and without rows the plots of HEADERS. Losses and weights of a logarithm are named so.
    """
    shown = {name: f"{name}{scale_of(one.params)}" for name, one in judged.items()}
    losses = [
        (shown[name], int(epoch), loss)
        for name, history in histories.items()
        for epoch, loss in history[thinned(len(history), MOST_POINTS)].tolist()
    ]
    scores = [
        (name, fold, value)
        for name, one in judged.items()
        for fold, value in enumerate(one.folds.get(metric, []))
    ]
    weights = [
        (shown[name], c.feature, c.value, c.low, c.high)
        for name, one in judged.items()
        if one.role != "baseline"
        for c in one.coefficients[:MOST_FEATURES]
    ]
    return {
        "loss": (["trainer", "epoch", "loss"], [*losses]),
        "cv": (["trainer", "fold", metric], [*scores]),
        "coefficients": (["trainer", "feature", "value", "low", "high"], [*weights]),
        **{name: (header, []) for name, header in HEADERS.items()},
    }


def of_regression(values: Values, y: Array) -> dict[str, PlotData]:
    """Predictions beside the actual values, and residuals, actual - predicted.

    Parameters
    ----------
    values : dict
        By name of the model: its predictions, shape (n_rows,).
    y : ndarray of shape (n_rows,)
    """
    rows = thinned(len(y), MOST_POINTS)
    points = [
        (name, *point)
        for name, value in values.items()
        for point in zip(y[rows].tolist(), value[rows].tolist(), strict=True)
    ]
    residuals = [(name, predicted, actual - predicted) for name, actual, predicted in points]
    return _under_headers(predictions=points, residuals=residuals)


def of_classes(
    values: Values, y: Array, classes: Sequence[str], thresholds: Mapping[str, float | None]
) -> dict[str, PlotData]:
    """Confusion: how many rows of each class were predicted to be of each.

    Parameters
    ----------
    values : dict
        By name of the model: the logit of label 1, shape (n_rows,), or those of several classes.
    y : ndarray of shape (n_rows,)
        Labels.
    classes : sequence of str
    thresholds : dict
        By name of the model: label 1 is predicted from this probability on.
    """
    return _under_headers(confusion=_confusion(values, y, classes, thresholds))


def of_two_classes(values: Values, y: Array, settings: Dataset, sure: float) -> dict[str, PlotData]:
    """ROC, precision-recall and calibration of the positive class.

    Several classes have none: a curve of each class and model would be too many to read.

    Parameters
    ----------
    values : dict
        By name of the model: the logit of label 1, shape (n_rows,).
    y : ndarray of shape (n_rows,)
        Labels 0 and 1; where all are alike there is no ROC and no precision-recall curve.
    settings : Dataset
    sure : float
        The confidence of the intervals of the calibration.
    """
    curved = {} if is_constant(y) else values
    return _under_headers(
        roc=_curve(roc_curve, 0, curved, y, settings),
        pr=_curve(precision_recall_curve, 1, curved, y, settings),
        calibration=_calibration(values, y, settings, sure),
    )


def _under_headers(**rows: Iterable[Row]) -> dict[str, PlotData]:
    return {name: (HEADERS[name], list(of_one)) for name, of_one in rows.items()}


def _confusion(
    values: Values, y: Array, classes: Sequence[str], thresholds: Mapping[str, float | None]
) -> Iterator[Row]:
    for trainer, z in values.items():
        label = predicted_labels(z, thresholds[trainer])
        for (actual, a), (predicted, b) in product(enumerate(classes), repeat=2):
            yield trainer, a, b, int(np.sum((y == actual) & (label == predicted)))


def _curve(
    of: Callable[..., tuple[Array, ...]], across: int, values: Values, y: Array, settings: Dataset
) -> Iterator[Row]:
    """The points of scikit-learn's curve of each trainer; `across`: which of its arrays is x."""
    positive = settings.evaluate.positive_label
    for trainer, z in values.items():
        found = of(y, z if positive else -z, pos_label=positive)
        for k in thinned(len(found[0]), MOST_POINTS):
            yield float(found[across][k]), float(found[1 - across][k]), trainer


def _calibration(values: Values, y: Array, settings: Dataset, sure: float) -> Iterator[Row]:
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
