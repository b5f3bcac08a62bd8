"""How far a score may be from the truth: intervals that hold it in a stated share of cases."""

from collections.abc import Callable, Sequence
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from pipeline.core.tables import Array

Interval = tuple[float, float]
FEW = 10  # below this many rows a resample shows too little of what there may be
MANY = 2000  # from here on the mean is as good as normal, and resampling would only take time
AT_ONCE = 2**22  # resampled values held at a time


def resampled(
    scores: Sequence[float], folds: float, confidence: float, independent: float = inf
) -> Interval | None:
    """Interval of the mean score of (repeated) cross-validation, or of a mean difference.

    mean +- t s sqrt(1/J + 1/(folds - 1)) over J scores with J - 1 degrees of freedom: folds share
    training rows, and the second term, test over training rows, stands for that (Nadeau and
    Bengio, Inference for the generalization error, Machine Learning 52, 2003).

    Parameters
    ----------
    scores : sequence of float
        Of every fold of every repeat.
    folds : float
        In one repeat.
    confidence : float
    independent : float, optional
        No more of the scores, or of the groups that they are of, count for the degrees of freedom.

    Returns
    -------
    tuple of float, or None
        Low and high; None below two scores.
    """
    count = len(scores)
    if count < 2:
        return None
    freedom = min(count, independent) - 1
    half = stdtrit(freedom, (1 + confidence) / 2) * np.std(scores, ddof=1)
    half *= np.sqrt(1 / count + 1 / (folds - 1))
    mean = float(np.mean(scores))
    return mean - float(half), mean + float(half)


def mean_of_rows(values: Array, folds: float, confidence: float) -> Interval | None:
    """Interval of the mean of what rows add to a score, each held out once; or of a difference.

    mean +- t s / sqrt(n_train), with n_train = n (folds - 1) / folds. That s / sqrt(n) is the error
    of one cross-validation is a central limit theorem (Bayle, Bayle, Janson and Mackey,
    Cross-validation confidence intervals for test error, NeurIPS 2020). It leaves out what other
    training rows would change. With the rows that train for n, the interval is that of `resampled`
    for endless repeats: the variance of a fold's mean, s^2 / n_test, times n_test / n_train.

    Parameters
    ----------
    values : ndarray of shape (n_rows,)
    folds : float
        inf where the rows were never trained on: their number then stands for itself.
    confidence : float

    Returns
    -------
    tuple of float, or None
        Low and high; None below two rows.
    """
    n = len(values)
    if n < 2:
        return None
    half = stdtrit(n - 1, (1 + confidence) / 2) * float(values.std(ddof=1))
    half /= np.sqrt(n * (folds - 1) / folds if folds < inf else n)
    mean = float(values.mean())
    return mean - float(half), mean + float(half)


def wilson(hits: int, n: int, confidence: float) -> Interval | None:
    """Interval of a share of `n` rows (Wilson 1927).

    With z the quantile of the normal distribution and s = hits / n:
    (s + z^2 / 2n +- z sqrt(s (1 - s) / n + z^2 / 4n^2)) / (1 + z^2 / n).
    A resampled share of 1 is always 1, and would claim certainty; this one does not.

    Parameters
    ----------
    hits, n : int
        Rows that count, of how many.
    confidence : float

    Returns
    -------
    tuple of float, or None
        Low and high, within 0 and 1; None without rows.
    """
    if n == 0:
        return None
    z = float(ndtri((1 + confidence) / 2))
    share = hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    return centre - half if hits else 0.0, centre + half if hits < n else 1.0


def studentized(
    losses: Array,
    confidence: float,
    resamples: int,
    generator: np.random.Generator,
    most: float = inf,
) -> Interval | None:
    """Interval of the mean of skewed losses of rows by the studentized bootstrap.

    The quantiles of (mean* - mean) / se* take the place of Student's t (Efron 1982, ch. 10): with
    20 squared errors it holds the truth in 94 to 95 % of cases, where percentiles hold it in 90.

    Parameters
    ----------
    losses : ndarray of shape (n_rows,)
        From 0 to `most`.
    confidence : float
    resamples : int
        How many bootstrap samples to draw; none from 2,000 rows on, where Student's t serves.
    generator : numpy Generator
        Which draws them.
    most : float, optional
        The largest loss possible, which the interval does not exceed.

    Returns
    -------
    tuple of float, or None
        None below ten rows, and where resamples of equal rows are so many that they are among the
        quantiles: the losses then do not show how far the mean may be off.
    """
    n = len(losses)
    if n < FEW:
        return None
    mean, deviation = losses.mean(), losses.std(ddof=1)
    if n >= MANY:
        half = stdtrit(n - 1, (1 + confidence) / 2) * deviation / np.sqrt(n)
        return max(float(mean - half), 0.0), min(float(mean + half), most)
    parts = []
    for count in _portions(resamples, n):
        drawn = losses[generator.integers(0, n, (count, n))]
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append((drawn.mean(axis=1) - mean) / drawn.std(axis=1, ddof=1))
    t = np.concatenate(parts)  # infinite where all rows drawn are equal
    sides = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(t, sides, method="inverted_cdf")
    if not np.isfinite([low, high]).all():
        return None
    return max(float(mean - high * deviation), 0.0), min(float(mean - low * deviation), most)


def by_influence(value: float, influence: Array, confidence: float) -> Interval:
    """Interval of a smooth statistic of many rows: value +- t s / sqrt(n).

    s is the standard deviation of the influence of the rows, the slopes of the statistic in their
    weights (the infinitesimal jackknife, Efron 1982, ch. 6): what the bootstrap tends to.

    Parameters
    ----------
    value : float
    influence : ndarray of shape (n_rows,)
    confidence : float
    """
    n = len(influence)
    half = stdtrit(n - 1, (1 + confidence) / 2) * float(influence.std(ddof=1)) / np.sqrt(n)
    return value - float(half), value + float(half)


def percentile(
    statistic: Callable[[Array], Array],
    strata: Sequence[NDArray[np.intp]],
    confidence: float,
    resamples: int,
    generator: np.random.Generator,
    times: NDArray[np.intp] | None = None,
) -> Interval | None:
    """Interval between the quantiles of a statistic over resamples; None where all are equal.

    Parameters
    ----------
    statistic : callable
        Of counts, shape (n_resamples, n_rows): how often each row was drawn.
    strata : list of ndarray of int
        Row numbers; each stratum keeps its number of rows.
    confidence : float
    resamples : int
    generator : numpy Generator
    times : ndarray of int, of shape (n_rows,), optional
        Rows that are alike may be given once: how often each is there. Then a draw takes no longer
        for more rows.

    Returns
    -------
    tuple of float, or None
        None also below ten rows, and with fewer than two in a stratum.
    """
    given = sum(len(rows) for rows in strata)
    times = np.ones(given, np.intp) if times is None else times
    sizes = [int(times[rows].sum()) for rows in strata]
    if sum(sizes) < FEW or min(sizes) < 2:
        return None
    values = []
    for count in _portions(resamples, given):
        counts = np.zeros((count, given))
        for rows, size in zip(strata, sizes, strict=True):
            counts[:, rows] = generator.multinomial(size, times[rows] / size, count)
        values.append(statistic(counts))
    sides = [(1 - confidence) / 2, (1 + confidence) / 2]
    low, high = np.quantile(np.concatenate(values), sides, method="inverted_cdf")
    return (float(low), float(high)) if -inf < low < high else None


def area(y: Array, z: Array, confidence: float) -> Interval | None:
    """Interval of the area under the ROC curve of labels 0 and 1; None with one row of a class.

    By the variance of DeLong, DeLong and Clarke-Pearson (1988) on the scale of log(A / (1 - A)).
    Where every pair is in order that variance is 0. Then the lower end is the least A that orders
    as many disjoint pairs rightly, all of them, with probability A^n >= (1 - confidence) / 2.

    Parameters
    ----------
    y, z : ndarray of shape (n_rows,)
        Labels 0 and 1, and any score that grows with the probability of label 1.
    confidence : float

    Returns
    -------
    tuple of float, or None
        Low and high, within 0 and 1.
    """
    ones, zeros = z[y == 1], z[y == 0]
    fewer = min(len(ones), len(zeros))
    if fewer < 2:
        return None
    above, below = placements(ones, zeros), 1 - placements(zeros, ones)
    a, tail = float(above.mean()), (1 - confidence) / 2
    if a == 1:
        return float(tail ** (1 / fewer)), 1.0
    if a == 0:
        return 0.0, 1 - float(tail ** (1 / fewer))
    error = np.sqrt(above.var(ddof=1) / len(ones) + below.var(ddof=1) / len(zeros))
    half = ndtri(1 - tail) * error / (a * (1 - a))
    return float(expit(logit(a) - half)), float(expit(logit(a) + half))


def placements(values: Array, others: Array) -> Array:
    """The share of `others` that each value exceeds; equals count half.

    Parameters
    ----------
    values : ndarray of shape (n,)
    others : ndarray of shape (m,)

    Returns
    -------
    ndarray of shape (n,)
    """
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    share: Array = below / (2 * len(others))
    return share


def _portions(resamples: int, n: int) -> list[int]:
    portion = max(1, AT_ONCE // n)
    full, rest = divmod(resamples, portion)
    return [portion] * full + [rest] * (rest > 0)
