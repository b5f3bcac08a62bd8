"""Drift of whole columns against the rows that the champion was trained on.

Four tests, of each column those that apply; how unlikely a finding is by chance is corrected for
their number (S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal
of Statistics 6, 1979), and what is certain but small is not told.

    numbers     D = max |F_now(d) - F_then(d)| over the deciles d, at least 0.1. The two-sample
                Kolmogorov-Smirnov bound P <= 2 exp(-2 D^2 nm / (n + m)) holds at fewer points, too
    categories  half the sum of |share now - share then|, at least 0.1; chi-square, rare ones pooled
    unseen      the share of unseen categories follows Beta(s + 1, n - s), s of the n rows having
                one of their own (I. J. Good, The population frequencies of species, Biometrika 40,
                1953): their number is beta-binomial
    gaps        |share now - share then|, at least 0.05; P <= 2 exp(-m KL(now, both)), the bound of
                the hypergeometric distribution (V. Chvatal, The tail of the hypergeometric
                distribution, Discrete Mathematics 25, 1979), or with n and then
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from math import erfc, exp, lgamma, log, sqrt
from typing import NamedTuple

import numpy as np

from pipeline.core import layout
from pipeline.core.artifacts.trained_on import Sketch, TrainedOn
from pipeline.core.oddities import Oddity
from pipeline.core.tables import Array
from pipeline.validate.profile import Profile
from pipeline.validate.words import Words

BY_CHANCE = 1e-3  # that any of a table's columns is warned of without drift
DISTANCE = 0.1  # between distributions that is worth a word
GAPS = 0.05  # the same between shares of missing values
EXPECTED = 5  # rows of a category that chi-square needs


class Finding(NamedTuple):
    """What a test says: the column, the probability of it by chance, and whether it is large."""

    column: str
    chance: float
    large: bool
    text: str


def moved(profile: Profile, told: Collection[str] = ()) -> Iterator[Oddity]:
    """A warning for each column that is distributed otherwise, but for those told already."""
    before = profile.trained_on
    if before is None:
        return
    texts = defaultdict[str, list[str]](list)
    for one in significant([*_findings(profile, before)], BY_CHANCE):
        if one.large and one.column not in told:
            texts[one.column].append(one.text)
    for name, found in texts.items():
        yield Oddity(
            "drift",
            f"column {name}: {'; '.join(found)} (against the {before.rows} rows that the champion "
            f"was trained on, {layout.CHAMPION}): look for another source; once a champion is "
            "trained on these data, `promote` it",
        )


def significant(findings: Sequence[Finding], level: float) -> list[Finding]:
    """Those that are no chance, of all that were tested: Holm's procedure."""
    ordered, kept = sorted(findings, key=lambda one: one.chance), list[Finding]()
    for k, one in enumerate(ordered):
        if one.chance > level / (len(ordered) - k):
            break
        kept.append(one)
    return kept


def _findings(profile: Profile, before: TrainedOn) -> Iterator[Finding]:
    for name, sketch in before.sketches.items():
        if name in profile.numbers and len(values := profile.known(name)):
            of = "" if len(profile.sample.T) == profile.rows else " looked at"
            yield of_numbers(name, sketch, values, of)
    for name, words in profile.words.items():
        if counts := before.counts.get(name):
            then = dict(zip(before.categories[name], counts, strict=True))
            yield of_categories(name, then, words)
            yield of_unseen(name, then, words)
    if before.missing is not None:
        for name, now in _gaps(profile, before):
            yield of_gaps(name, before.missing.get(name, 0.0), before.of, now, profile.rows)


def _gaps(profile: Profile, before: TrainedOn) -> Iterator[tuple[str, int]]:
    """How many values are missing now, of each column but the target."""
    for name in (*before.columns, *before.categories):
        if name in profile.words:
            yield name, profile.words[name].missing
        elif name in profile.numbers and name != profile.target:
            yield name, profile.numbers[name].missing


def of_numbers(name: str, then: Sketch, values: Array, of: str = "") -> Finding:
    """The distance between distributions, at the deciles of then."""
    n, m = then.rows, len(values)
    shares = np.searchsorted(np.sort(values), then.at, side="right") / m
    before = np.array(then.upto) / n
    k = int(np.argmax(np.abs(shares - before)))
    distance = abs(float(shares[k] - before[k]))
    chance = min(1.0, 2 * exp(-2 * distance**2 * n * m / (n + m)))
    most, share, was = f"{then.at[k]:.6g}", f"{shares[k]:.1%}", f"{before[k]:.1%}"
    text = f"{share} of {m} values{of} are at most {most}, which {was} were"
    return Finding(name, chance, distance >= DISTANCE, text)


def of_categories(name: str, then: dict[str, int], now: Words) -> Finding:
    """Chi-square of the counts of known categories, with all that are rare or unseen in one."""
    a, b = (np.array([counts[word] for word in then], float) for counts in (then, now.counts))
    n, m = a.sum(), b.sum() + now.unseen
    if not (n and m):
        return Finding(name, 1.0, False, "")
    change = b / m - a / n
    k = int(np.argmax(np.abs(change)))
    text = f"{b[k] / m:.1%} of {m:.0f} values are {[*then][k]!r}, which {a[k] / n:.1%} were"
    large = float(np.abs(change).sum() + now.unseen / m) / 2 >= DISTANCE
    rare = (a + b) * min(n, m) / (n + m) < EXPECTED
    a, b = np.append(a[~rare], a[rare].sum()), np.append(b[~rare], b[rare].sum() + now.unseen)
    a, b = a[a + b > 0], b[a + b > 0]
    square = float(((a * sqrt(m / n) - b * sqrt(n / m)) ** 2 / (a + b)).sum())
    return Finding(name, chi_square(square, len(a) - 1), large, text)


def chi_square(value: float, freedom: int) -> float:
    """The probability of a value, or a larger one, by the cube root of Wilson and Hilferty."""
    if freedom < 1:
        return 1.0
    spread = 2 / (9 * freedom)
    return erfc(((value / freedom) ** (1 / 3) - 1 + spread) / sqrt(2 * spread)) / 2


def of_unseen(name: str, then: dict[str, int], now: Words) -> Finding:
    """How many rows have categories that no row had then."""
    n, alone = sum(then.values()), sum(count == 1 for count in then.values())
    m = sum(now.counts.values()) + now.unseen
    if not (n and now.unseen):
        return Finding(name, 1.0, False, "")
    named = ", ".join(map(repr, now.first))
    text = f"{now.unseen} of {m} values ({now.unseen / m:.1%}) are none of its categories: {named}"
    return Finding(name, chance(now.unseen, m, n, alone + 1), True, text)


def of_gaps(name: str, then: float, n: int, missing: int, m: int) -> Finding:
    """How far the share of missing values has gone."""
    now = missing / m if m else then
    both = (then * n + now * m) / (n + m)
    bound = max(m * divergence(now, both), n * divergence(then, both))
    text = f"{now:.1%} of {m} values are missing, where {then:.1%} were"
    return Finding(name, min(1.0, 2 * exp(-bound)), abs(now - then) >= GAPS, text)


def divergence(p: float, q: float) -> float:
    """Kullback and Leibler's, between two shares.

    >>> divergence(0.5, 0.5), divergence(0.0, 0.5) == log(2)
    (0.0, True)
    """
    pairs = ((p, q), (1 - p, 1 - q))
    return sum(x * log(x / y) for x, y in pairs if x > 0 and y > 0)


def chance(outside: int, rows: int, trained: int, ends: int = 2) -> float:
    """The probability of so many values, or more, outside of what earlier ones cover.

    Without drift the rows to come have a share outside the extremes of `trained` continuous values
    that follows Beta(2, trained - 1), whatever their distribution (S. S. Wilks, Determination of
    sample sizes for setting tolerance limits, Annals of Mathematical Statistics 12, 1941); their
    number is then beta-binomial.

    Parameters
    ----------
    outside : int
        Of the `rows` new values, from 0 to `rows`.
    trained : int
        At least `ends`; of fewer values nothing is known, and the probability is 1.
    ends : int
        The share follows Beta(ends, trained + 1 - ends).
    """
    if trained < ends:
        return 1.0
    b, k = trained + 1 - ends, np.arange(rows, dtype=float)
    none = lgamma(b + rows) - lgamma(b) + lgamma(trained + 1) - lgamma(trained + 1 + rows)
    ratios = (rows - k) / (k + 1) * ((k + ends) / (rows - k + b - 1))
    logs = np.cumsum(np.append(none, np.log(ratios)))
    return float(min(1.0, np.exp(logs[outside:]).sum()))
