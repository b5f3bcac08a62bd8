"""How far the weights are determined."""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from pipeline.core.artifacts.evaluated import Coefficient
from pipeline.core.artifacts.models import Model
from pipeline.core.tables import Array
from pipeline.evaluate.cross_validation import OutOfFold
from pipeline.evaluate.scores import rounded


def coefficients(
    model: Model,
    features: Sequence[str],
    scale: Array,
    held: Sequence[OutOfFold],
    n_train: int,
    confidence: float,
) -> list[Coefficient]:
    """The model's weights on standardized features, each with its interval.

    The models of the folds serve as a delete-d jackknife: with r rows training and d held out, the
    variance of a weight is r / d times its variance over the folds (Shao and Wu, A general theory
    for jackknife variance estimation, Annals of Statistics 17, 1989). The interval is Student's,
    with one degree of freedom less than there are rows, or folds; it holds for any trainer, early
    stops and penalties included, and is about what this trainer would learn from other rows.

    Parameters
    ----------
    model : Model
    features : sequence of str
        The names of its features.
    scale : ndarray of shape (n_features,)
        Of the training rows: the folds' weights are on features in their own units.
    held : sequence of OutOfFold
        The models of the folds; below two of them no weight has an interval.
    n_train : int
        Rows the model was trained on; its weights vary more than those of all rows.
    confidence : float
        Share of all cases in which an interval should hold the weight.

    Returns
    -------
    list of Coefficient
        One a feature, in the order of `features`, to 10 digits.
    """
    half = np.full(len(features), np.nan)
    if len(held) > 1:
        n = len(np.unique(np.concatenate([fold.rows for fold in held])))
        out = float(np.mean([len(fold.rows) for fold in held]))
        weights = np.array([fold.coef for fold in held]) * scale
        variance = (n - out) / out * weights.var(axis=0) * n / n_train
        half = stdtrit(min(n, len(held)) - 1, (1 + confidence) / 2) * np.sqrt(variance)
    known = np.isfinite(half)
    return [
        Coefficient(
            feature=name,
            value=rounded(float(value)) or 0.0,
            low=rounded(float(value - reach)) if known[k] else None,
            high=rounded(float(value + reach)) if known[k] else None,
        )
        for k, (name, value, reach) in enumerate(zip(features, model.coef, half, strict=True))
    ]
