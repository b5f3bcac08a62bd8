"""Values that stand for none are found, and honest columns have none."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets

from pipeline.validate.sentinels import sentinels

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
