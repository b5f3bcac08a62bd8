"""Values that stand for none are found, and honest columns have none."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets

from pipeline.validate.sentinels import day_of, sentinel_dates, sentinels

Draw = Callable[[np.random.Generator, int], np.ndarray]


def zero_or(share: float, draw: Draw) -> Draw:
    return lambda rng, n: np.where(rng.uniform(size=n) < share, 0, draw(rng, n))


CLEAN: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "far from zero": lambda rng, n: rng.normal(1000, 3, n),
    "uniform": lambda rng, n: rng.uniform(-5, 5, n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "very skewed": lambda rng, n: rng.lognormal(sigma=2, size=n),
    "t with 2 degrees": lambda rng, n: rng.standard_t(2, n),
    "cauchy": lambda rng, n: rng.standard_cauchy(n),
    "pareto": lambda rng, n: rng.pareto(1, n),
    "few counts": lambda rng, n: rng.poisson(0.3, n),
    "counts": lambda rng, n: rng.poisson(5, n),
    "many counts": lambda rng, n: rng.poisson(100, n),
    "overdispersed counts": lambda rng, n: rng.negative_binomial(1, 0.05, n),
    "zipf": lambda rng, n: np.minimum(rng.zipf(1.5, n), 10**9),
    "geometric": lambda rng, n: rng.geometric(0.2, n),
    "rare flag": lambda rng, n: rng.uniform(size=n) < 0.03,
    "five levels": lambda rng, n: rng.integers(1, 6, n),
    "powers of ten": lambda rng, n: 10.0 ** rng.integers(0, 6, n),
    "percents": lambda rng, n: rng.integers(0, 100, n),
    "ages up to 99": lambda rng, n: np.clip(rng.normal(50, 22, n).round(), 0, 99),
    "zeros and lognormal": zero_or(0.4, lambda rng, n: rng.lognormal(3, 1, n)),
    "few zeros and lognormal": zero_or(0.05, lambda rng, n: rng.lognormal(3, 1, n)),
    "zeros and far from them": zero_or(0.5, lambda rng, n: rng.normal(100, 5, n)),
    "zeros and counts": zero_or(0.5, lambda rng, n: rng.poisson(8, n)),
    "mostly zeros": zero_or(0.92, lambda rng, n: rng.lognormal(8, 1, n).round()),
    "tens": lambda rng, n: rng.normal(50, 10, n).round(-1),
    "fifties": lambda rng, n: (rng.normal(0, 30, n) / 50).round() * 50,
    "incomes in thousands": lambda rng, n: rng.lognormal(10, 1, n).round(-3),
    "prices that end in .99": lambda rng, n: np.floor(rng.lognormal(2, 1, n)) + 0.99,
    "capped": lambda rng, n: np.minimum(rng.lognormal(size=n), 2),
    "below detection": lambda rng, n: np.maximum(rng.normal(size=n), -1),
    "years": lambda rng, n: rng.integers(1950, 2024, n),
    "two modes": lambda rng, n: rng.normal(size=n) + 100 * (rng.uniform(size=n) < 0.3),
    "degrees below zero": lambda rng, n: rng.normal(-80, 15, n).round(),
    "shares near 0 and 1": lambda rng, n: rng.beta(0.2, 0.2, n).round(2),
}


@pytest.mark.parametrize("n", [12, 40, 300, 4096])
@pytest.mark.parametrize("draw", CLEAN)
def test_honest_columns_have_none(draw: str, n: int) -> None:
    for seed in range(20):
        values = CLEAN[draw](np.random.default_rng(seed), n).astype(float)
        assert sentinels(values) == [], seed


@pytest.mark.parametrize(
    "name", ["iris", "wine", "breast_cancer", "diabetes", "digits", "linnerud"]
)
def test_scikit_learns_data_have_none(name: str) -> None:
    bunch = getattr(datasets, f"load_{name}")()
    for column in np.column_stack([bunch.data, bunch.target]).T:
        assert sentinels(column) == []


@pytest.mark.parametrize("value", [-200, -999, 9999, 99999, -1e6, 1e20])
@pytest.mark.parametrize("draw", ["normal", "uniform", "counts", "few zeros and lognormal"])
def test_a_value_far_outside_is_found(value: float, draw: str) -> None:
    values = CLEAN[draw](np.random.default_rng(0), 40).astype(float)
    values[[3, 17, 30]] = value
    rest = np.delete(values, [3, 17, 30])
    assert sentinels(values) == [(value, 3, rest.min(), rest.max())]


def test_zero_is_found_where_it_cannot_be() -> None:
    area = np.random.default_rng(0).uniform(60, 110, 40)
    area[[3, 17, 30]] = 0
    assert [one.value for one in sentinels(area)] == [0]


@pytest.mark.parametrize("value", [-99, -999, -9999])
def test_negative_nines_are_found_in_skewed_columns(value: float) -> None:
    income = np.random.default_rng(0).lognormal(10, 2, 400).round()
    income[[5, 70]] = value
    assert [(one.value, one.times) for one in sentinels(income)] == [(value, 2)]


def test_a_single_value_far_outside_is_an_outlier() -> None:
    values = np.random.default_rng(0).normal(size=40)
    assert sentinels(np.append(values, -200)) == []


def days(first: str, last: str, step: str = "D") -> np.ndarray:
    """Dates from the first on, before the last."""
    steps = np.arange(first, last, dtype=f"datetime64[{step}]")
    return steps.astype("datetime64[D]").astype(float)


HONEST: dict[str, np.ndarray] = {
    "days from 1900 on": days("1900-01-01", "1900-03-01"),
    "months from 1970 on": np.tile(days("1970-01", "1975-01", "M"), 3),
    "years from 1900 on": np.tile(days("1900", "2000", "Y"), 10),
    "six years": np.repeat(days("1960", "1966", "Y"), 7),
    "years to 2100": np.tile(days("1990", "2101", "Y"), 2),
    "births": np.append(days("1900-01-01", "1990-01-01")[::97], [days("1900", "1901", "Y")] * 2),
    "one of 1970": np.append(days("2000-01-01", "2010-01-01")[::97], days("1970", "1971", "Y")),
    "mostly one day": np.repeat(days("1970", "1980", "Y"), [40, *range(1, 10)]),
}


@pytest.mark.parametrize("dates", HONEST)
def test_honest_dates_have_none(dates: str) -> None:
    assert sentinel_dates(HONEST[dates]) == []


@pytest.mark.parametrize("date", ["0001-01-01", "1900-01-01", "1970-01-01", "9999-12-31"])
@pytest.mark.parametrize("every", [5, 50])
def test_dates_that_programs_write_for_none_are_found(date: str, every: int) -> None:
    drawn = np.random.default_rng(0).choice(days("2001-01-01", "2019-12-31"), 200) + 0.5
    none = np.arange(200) % every == 0
    [found] = sentinel_dates(np.where(none, np.datetime64(date).astype(float), drawn))
    rest = drawn[~none]
    assert (day_of(found.value), found.times) == (date, none.sum())
    assert (found.low, found.high) == (np.floor(rest.min()), np.floor(rest.max()))


def test_a_date_among_others_is_found_where_it_is_too_frequent() -> None:
    births = np.append(days("1930-01-01", "2005-01-01")[::97], [0.0] * 50)
    assert [(day_of(one.value), one.times) for one in sentinel_dates(births)] == [
        ("1970-01-01", 50)
    ]


def test_both_ends_are_found() -> None:
    ends = [np.datetime64(one).astype(float) for one in ("1900-01-01", "9999-12-31")]
    found = sentinel_dates(np.append(days("2001-01-01", "2001-03-01"), ends * 3))
    assert [(day_of(one.value), day_of(one.low), day_of(one.high)) for one in found] == [
        ("1900-01-01", "2001-01-01", "2001-02-28"),
        ("9999-12-31", "2001-01-01", "2001-02-28"),
    ]
