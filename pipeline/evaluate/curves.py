"""The data behind the plots: rows of text and numbers under a header."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from scipy.special import logsumexp
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.core.artifacts.evaluated import Judged
from pipeline.core.preprocessing import is_constant, thinned
from pipeline.core.settings.dataset import Dataset
from pipeline.core.tables import Array
from pipeline.core.trainers import scale_of
from pipeline.evaluate.intervals import wilson
from pipeline.evaluate.metrics import predicted_labels
from pipeline.solvers.losses import sigmoid

Row = tuple[object, ...]
PlotData = tuple[list[str], list[Row]]
Values = Mapping[str, Array]
# Of a model and a class: its logits, 1 where a row is of it and 0 elsewhere, and both names.
Each = Sequence[tuple[Array, Array, tuple[str, str]]]
MOST_POINTS = 2000
MOST_FEATURES = 100
BINS = 10
HEADERS = {
    "predictions": ["trainer", "actual", "predicted"],
    "residuals": ["trainer", "predicted", "residual"],
    "confusion": ["trainer", "actual", "predicted", "rows"],
    "roc": ["false_positive_rate", "true_positive_rate", "class", "trainer"],
    "pr": ["recall", "precision", "class", "trainer"],
    "calibration": ["predicted", "observed", "low", "high", "rows", "class", "trainer"],
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


def of_each_class(values: Values, y: Array, settings: Dataset, sure: float) -> dict[str, PlotData]:
    """ROC, precision-recall and calibration of a class against all others.

    Of two classes that is the positive one, of several each in turn.

    Parameters
    ----------
    values : dict
        By name of the model: the logit of label 1, shape (n_rows,), or those of several classes,
        (n_rows, n_classes).
    y : ndarray of shape (n_rows,)
        Labels; where all rows or none are of a class it has no ROC and no precision-recall curve.
    settings : Dataset
    sure : float
        The confidence of the intervals of the calibration.
    """
    classes = settings.evaluate.classes or []
    shown = range(len(classes)) if settings.evaluate.several else [settings.evaluate.positive_label]
    each = [
        (against_rest(z, k), (y == k).astype(float), (classes[k], trainer))
        for trainer, z in values.items()
        for k in shown
    ]
    curved = [one for one in each if not is_constant(one[1])]
    return _under_headers(
        roc=_curve(roc_curve, 0, curved),
        pr=_curve(precision_recall_curve, 1, curved),
        calibration=_calibration(each, sure),
    )


def against_rest(z: Array, label: int) -> Array:
    """The logit of one class against all others, log p / (1 - p), of shape (n_rows,).

    Parameters
    ----------
    z : ndarray of shape (n_rows,) or (n_rows, n_classes)
        The logit of label 1 of two, or those of several classes.
    """
    if z.ndim == 1:
        return z if label else -z
    rest: Array = logsumexp(np.delete(z, label, axis=1), axis=1)
    return z[:, label] - rest


def _under_headers(**rows: Iterable[Row]) -> dict[str, PlotData]:
    return {name: (HEADERS[name], list(of_one)) for name, of_one in rows.items()}


def _confusion(
    values: Values, y: Array, classes: Sequence[str], thresholds: Mapping[str, float | None]
) -> Iterator[Row]:
    for trainer, z in values.items():
        label = predicted_labels(z, thresholds[trainer])
        for (actual, a), (predicted, b) in product(enumerate(classes), repeat=2):
            yield trainer, a, b, int(np.sum((y == actual) & (label == predicted)))


def _curve(of: Callable[..., tuple[Array, ...]], across: int, each: Each) -> Iterator[Row]:
    """The points of scikit-learn's curve of each; `across`: which of its arrays is x."""
    for z, hit, named in each:
        found = of(hit, z)
        for k in thinned(len(found[0]), MOST_POINTS):
            yield float(found[across][k]), float(found[1 - across][k]), *named


def _calibration(each: Each, sure: float) -> Iterator[Row]:
    """Ten bins of the predicted probability: its mean, and the share that was of the class."""
    for z, hit, named in each:
        p = sigmoid(z)
        bins = np.minimum((p * BINS).astype(int), BINS - 1)
        for k in np.unique(bins):
            of_bin = bins == k
            n, hits = int(of_bin.sum()), int(hit[of_bin].sum())
            low, high = wilson(hits, n, sure) or (0.0, 1.0)
            yield float(p[of_bin].mean()), hits / n, low, high, n, *named
