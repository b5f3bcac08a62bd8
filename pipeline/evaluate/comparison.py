"""Two models against each other, on the same held-out rows."""

from collections.abc import Mapping

import numpy as np

from pipeline.core.artifacts.evaluated import (
    LOWER_IS_BETTER,
    NOTHING,
    ROUNDING,
    ByOrders,
    Comparison,
    Scheme,
    Words,
)
from pipeline.core.preprocessing import is_constant
from pipeline.core.settings.evaluate import Metric
from pipeline.core.tables import Array
from pipeline.evaluate.scores import interval_of_mean


def contrast(
    units: Mapping[str, Array],
    metric: Metric,
    scheme: Scheme,
    confidence: float,
    by_orders: ByOrders | None = None,
) -> Comparison:
    """The mean difference of two models that predict the same held-out rows, with its interval.

    By rows where each is held out once, else by folds, corrected for the rows that these share.
    `words` say what the first is. By the interval several comparisons at once are not corrected
    for; whether the first is better than the trivial model is told by the orders of the target,
    where these are known: few rows do not show how far a difference may be off.

    Parameters
    ----------
    units : dict
        By name of the first and of the second model, what `Judge` compares it by.
    metric : str
        Which says whether less is better.
    scheme : Scheme
        How the rows were cut.
    confidence : float
    by_orders : ByOrders, optional
        Of the first, where the second is the trivial model.

    Returns
    -------
    Comparison
        Of the first against the second, to 6 digits.
    """
    words: Words = "not distinguishable"
    (a, b), (of_a, of_b) = units, units.values()
    differences = of_a - of_b
    differences = differences[~np.isnan(differences)]
    if is_constant(differences):
        # Equal in all folds they have no variance, which says nothing of the next fold: one fold
        # more is taken in which a and b are alike. So four rows decide nothing, and six may.
        differences = np.append(differences, 0.0)
    mean = float(differences.mean())
    low, high = interval_of_mean(differences, scheme, confidence) or (mean, mean)
    size = max(abs(float(np.nanmean(of_a))), abs(float(np.nanmean(of_b))))
    better, told = (mean < 0) == (metric in LOWER_IS_BETTER), not low <= 0 <= high
    if better and by_orders is not None:
        told = by_orders.holm <= 1 - confidence + ROUNDING
    if told and abs(mean) > NOTHING * size:
        words = "better" if better else "worse"
    mean, low, high = (float(f"{value:.6g}") for value in (mean, low, high))
    return Comparison(
        a=a, b=b, difference=mean, low=low, high=high, words=words, by_orders=by_orders
    )
