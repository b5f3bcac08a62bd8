"""Two models against each other, on the same held-out rows."""

from collections.abc import Mapping

import numpy as np

from pipeline.core.artifacts.evaluated import LOWER_IS_BETTER, NOTHING, Comparison, Scheme, Words
from pipeline.core.preprocessing import is_constant
from pipeline.core.settings.evaluate import Metric
from pipeline.core.tables import Array
from pipeline.evaluate.scores import interval_of_mean


def contrast(
    units: Mapping[str, Array], metric: Metric, scheme: Scheme, confidence: float
) -> Comparison:
    """The mean difference of two models that predict the same held-out rows, with its interval.

    By rows where each is held out once, else by folds, corrected for the rows that these share.
    `words` say what the first is; several comparisons at once are not corrected for.

    Parameters
    ----------
    units : dict
        By name of the first and of the second model, what `Judge` compares it by.
    metric : str
        Which says whether less is better.
    scheme : Scheme
        How the rows were cut.
    confidence : float

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
    if not low <= 0 <= high and abs(mean) > NOTHING * size:
        words = "better" if (mean < 0) == (metric in LOWER_IS_BETTER) else "worse"
    mean, low, high = (float(f"{value:.6g}") for value in (mean, low, high))
    return Comparison(a=a, b=b, difference=mean, low=low, high=high, words=words)
