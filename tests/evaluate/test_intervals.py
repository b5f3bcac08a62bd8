"""Intervals hold the truth as often as they say: on data whose truth is known."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binomtest, bootstrap

from pipeline.core.artifacts.evaluated import Scheme
from pipeline.core.settings.evaluate import CrossValidation
from pipeline.evaluate.cross_validation import cross_validate
from pipeline.evaluate.folds import folds
from pipeline.evaluate.intervals import (
    MANY,
    Interval,
    area,
    percentile,
    resampled,
    studentized,
    wilson,
)
from pipeline.evaluate.metrics import auc
from pipeline.evaluate.scores import interval_of_mean, r2_of_many
from pipeline.solvers.fit import fit
from pipeline.solvers.losses import bce_with_logits
from pipeline.solvers.rows import ArrayRows
from tests.evaluate.sample import numbers

DATA_SETS = 300
# Of 60 data sets 57 are expected to be held, and fewer than 53 once in twenty times; all of them
# tells nothing. What takes seconds for each hundred runs with 300 of them in `make test-all`.
FEW_OR_MANY = pytest.mark.parametrize(
    ("data_sets", "least", "most"),
    [(60, 0.88, 1), pytest.param(DATA_SETS, 0.92, 0.98, marks=pytest.mark.nightly)],
)


def coverage(
    cases: Callable[[np.random.Generator], tuple[Interval | None, float]],
    data_sets: int = DATA_SETS,
) -> float:
    """The share of simulated data sets whose interval holds the truth."""
    held = 0
    for seed in range(data_sets):
        interval, truth = cases(np.random.default_rng(seed))
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    return held / data_sets


def test_the_test_mse_of_20_rows_is_covered() -> None:
    def case(rng: np.random.Generator) -> tuple[Interval | None, float]:
        X = rng.normal(size=(100, 2))
        y = X @ [3, -1] + 20 * rng.normal(size=100)
        model, _ = fit("closed_form", {}, ArrayRows(X[20:], y[20:]))
        losses = (model.predict(X[:20]) - y[:20]) ** 2
        gap = model.form.coef - [3, -1]
        truth = 400 + gap @ gap + model.form.intercept**2  # of standard normal features
        return studentized(losses, 0.95, 1000, rng), truth

    assert 0.92 <= coverage(case) <= 0.98


@pytest.mark.parametrize("repeats", [1, 4])
@FEW_OR_MANY
def test_the_cross_validated_mse_is_covered(
    data_sets: int, least: float, most: float, repeats: int
) -> None:
    n, p = 80, 2  # the rows that train in a fold of 100
    scheme = Scheme(leave_one_out=False, folds=5, repeats=repeats, seed=0, rows=100)

    def case(rng: np.random.Generator) -> tuple[Interval | None, float]:
        X = rng.normal(size=(100, p))
        y = X @ [3, -1] + 20 * rng.normal(size=100)
        cut = CrossValidation(folds=5, repeats=repeats, seed=int(rng.integers(1000)))
        held = cross_validate("closed_form", {}, numbers(X), y, folds(y, "regression", cut))
        losses = [(fold.z - y[fold.rows]) ** 2 for fold in held]
        values = np.concatenate(losses) if scheme.by_rows else np.mean(losses, axis=1)
        # least squares on normal features: noise, and what n rows leave open (Breiman 1983)
        truth = 400 * (n + 1) * (n - 2) / (n * (n - p - 2))
        return interval_of_mean(values, scheme, 0.95), truth

    assert least <= coverage(case, data_sets) <= most


def classified(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels and logits of a calibrated classifier, and its true accuracy."""
    z = rng.normal(0.5, 3, n)
    return (rng.random(n) < expit(z)).astype(float), z, 0.5 * (1 + np.mean(np.abs(np.tanh(z / 2))))


TRUTH = classified(np.random.default_rng(0), 2_000_000)


def test_the_test_accuracy_is_covered() -> None:
    def case(rng: np.random.Generator) -> tuple[Interval | None, float]:
        y, z, _ = classified(rng, 114)
        return wilson(int(np.sum((z >= 0) == y)), 114, 0.95), TRUTH[2]

    assert 0.92 <= coverage(case) <= 0.98


@pytest.mark.parametrize("spread", [1, 3, 8])  # AUC 0.69, 0.90 and 0.99
def test_the_test_auc_is_covered(spread: float) -> None:
    def labelled(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        z = spread * rng.normal(size=n)
        return (rng.random(n) < expit(z)).astype(float), z

    truth = auc(*labelled(np.random.default_rng(1), 2_000_000))
    assert truth is not None

    def case(rng: np.random.Generator) -> tuple[Interval | None, float]:
        return area(*labelled(rng, 114), 0.95), float(truth)

    assert 0.92 <= coverage(case) <= 0.98


@pytest.mark.parametrize("loss", ["log_loss", "brier"])
def test_the_test_losses_of_a_classifier_are_covered(loss: str) -> None:
    def losses(rng: np.random.Generator, n: int) -> np.ndarray:
        y, z, _ = classified(rng, n)
        return bce_with_logits(z, y) if loss == "log_loss" else (expit(z) - y) ** 2

    truth = float(losses(np.random.default_rng(1), 2_000_000).mean())

    def case(rng: np.random.Generator) -> tuple[Interval | None, float]:
        return studentized(losses(rng, 114), 0.95, 1000, rng), truth

    assert 0.92 <= coverage(case) <= 0.98


@FEW_OR_MANY
def test_the_cross_validated_accuracy_is_covered(data_sets: int, least: float, most: float) -> None:
    fresh = np.random.default_rng(-1 % 2**32).normal(size=(20_000, 2))
    accuracies: list[float] = []
    intervals: list[Interval | None] = []
    for seed in range(data_sets):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(100, 2))
        y = (rng.random(100) < expit(X @ [2, -1])).astype(float)
        cut = CrossValidation(folds=5, repeats=3, seed=seed)
        raw, cuts = numbers(X), folds(y, "classification", cut)
        held = cross_validate("logistic_regression", {}, raw, y, cuts, features=[*raw.columns])
        scores = [float(np.mean((fold.z >= 0) == y[fold.rows])) for fold in held]
        intervals.append(resampled(scores, 5, 0.95))
        # a line through the origin, nearly: what one model of 80 rows gets right of fresh rows
        p = expit(fresh @ [2, -1])
        said = fresh @ held[0].coef >= 0
        accuracies.append(float(np.mean(np.where(said, p, 1 - p))))
    truth = float(np.mean(accuracies))
    covered = np.mean([i is not None and i[0] <= truth <= i[1] for i in intervals])
    assert least <= covered <= most


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (90, 114), (114, 114), (1, 1)])
def test_wilson_is_that_of_scipy(hits: int, n: int) -> None:
    theirs = binomtest(hits, n).proportion_ci(0.9, method="wilson")
    assert wilson(hits, n, 0.9) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_percentiles_are_those_of_scipy() -> None:
    sample = np.random.default_rng(1).exponential(size=50)
    ours = percentile(
        lambda n: n @ sample / 50, [np.arange(50)], 0.9, 20_000, np.random.default_rng(2)
    )
    theirs = bootstrap(
        (sample,), np.mean, confidence_level=0.9, method="percentile", n_resamples=20_000, rng=3
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=0.01)


def test_resampled_is_wider_than_students_for_the_rows_that_folds_share() -> None:
    scores = [1.0, 2, 3, 4, 5]
    interval = resampled(scores, 5, 0.95)
    assert interval is not None
    # t(0.975, 4) = 2.776; variance 2.5; 1/5 + 1/4
    assert interval[1] - 3 == pytest.approx(2.7764451 * (2.5 * 0.45) ** 0.5)
    assert resampled([1.0], 5, 0.95) is None


def test_many_rows_need_no_resampling() -> None:
    losses = np.random.default_rng(1).exponential(size=MANY)
    exact = studentized(losses, 0.95, 1000, np.random.default_rng(1))
    drawn = studentized(losses[:-1], 0.95, 4000, np.random.default_rng(1))
    # ends 0.04 from the mean of 1: what their skew and the 4000 draws leave is a tenth of that
    assert exact == pytest.approx(drawn, abs=4e-3)


@pytest.mark.parametrize("square", [False, True])
def test_the_mean_of_many_skewed_losses_is_covered(square: bool) -> None:
    held = 0
    for seed in range(DATA_SETS):
        rng = np.random.default_rng(seed)
        losses = rng.exponential(size=MANY) ** (1 + square)
        low, high = studentized(losses, 0.95, 0, rng) or (0, 0)
        held += low <= 1 + square <= high
    assert 0.92 <= held / DATA_SETS <= 0.98


def test_too_few_rows_have_no_interval() -> None:
    rng = np.random.default_rng(1)
    assert studentized(np.arange(9.0), 0.95, 100, rng) is None
    assert percentile(lambda n: n[:, 0], [np.arange(9)], 0.95, 100, rng) is None
    assert percentile(lambda n: n[:, 0], [np.arange(9), np.arange(9, 10)], 0.9, 99, rng) is None
    assert wilson(0, 0, 0.95) is None


def test_a_statistic_that_does_not_vary_has_no_percentiles() -> None:
    rng = np.random.default_rng(1)
    assert percentile(lambda n: np.ones(len(n)), [np.arange(19)], 0.95, 100, rng) is None


def test_where_every_pair_is_in_order_the_area_is_as_likely_as_it_says() -> None:
    y, z = np.array([0.0] * 30 + [1] * 10), np.arange(40.0)
    interval = area(y, z, 0.95)
    assert interval is not None
    assert interval[0] ** 10 == pytest.approx(0.025)
    assert interval[1] == 1
    assert area(1 - y, z, 0.95) == pytest.approx((0, 1 - interval[0]))
    assert area(y[:31], z[:31], 0.95) is None  # one row of a class


def test_losses_that_are_mostly_equal_do_not_show_their_mean() -> None:
    rng = np.random.default_rng(1)
    assert studentized(np.append(np.zeros(19), 1.0), 0.95, 1000, rng) is None
    assert studentized(np.ones(20), 0.95, 1000, rng) is None


def test_an_interval_stays_within_what_is_possible() -> None:
    skewed = np.append(np.full(8, 0.01) * np.arange(1, 9), [0.9, 0.95])
    interval = studentized(skewed, 0.95, 1000, np.random.default_rng(1), most=1.0)
    assert interval is not None
    assert interval[1] == 1


def test_rows_that_are_alike_may_be_drawn_together() -> None:
    """Draws of kinds of rows are those of the rows: the same quantiles, but for chance."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 400)
    told = np.where(rng.random(400) < 0.8, y, 1 - y)

    def f1(is_: np.ndarray, told: np.ndarray, n: np.ndarray) -> np.ndarray:
        return 2 * (n @ (is_ * told)) / (n @ is_ + n @ told)

    strata = [np.flatnonzero(y == k) for k in (0, 1)]
    by_rows = percentile(lambda n: f1(y, told, n), strata, 0.9, 20_000, rng)
    kinds, times = np.unique(2 * y + told, return_counts=True)
    of, label = kinds // 2, kinds % 2
    strata = [np.flatnonzero(of == k) for k in (0, 1)]
    by_kinds = percentile(lambda n: f1(of, label, n), strata, 0.9, 20_000, rng, times)
    assert by_kinds == pytest.approx(by_rows, abs=0.002)


def test_r2_of_many_rows_has_the_interval_of_the_bootstrap() -> None:
    rng = np.random.default_rng(2)
    y = rng.exponential(size=2000)
    z = y + rng.normal(size=2000) * (0.2 + y / 3)
    theirs = bootstrap(
        (y, z),
        lambda y, z, axis: 1 - ((z - y) ** 2).mean(axis) / y.var(axis),
        paired=True,
        confidence_level=0.9,
        method="percentile",
        n_resamples=4000,
        rng=3,
    ).confidence_interval
    low, high = r2_of_many(z, y, 0.9) or (0, 0)
    width = theirs.high - theirs.low
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.1 * width)
    assert high - low == pytest.approx(width, rel=0.1)
    assert r2_of_many(z, np.ones(2000), 0.9) is None
