"""Columns that are others times a constant."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.validate.multiples import multiples


def columns(n: int = 200) -> np.ndarray:
    return np.random.default_rng(0).normal(50, 10, size=(4, n))


@pytest.mark.parametrize("factor", [1.0, -2.5, 1e-150, 1e200])
@pytest.mark.parametrize("n", [12, 4096])
def test_a_multiple_is_found_with_its_factor(factor: float, n: int) -> None:
    X = columns(n)
    X[2] = factor * X[0]
    ((earlier, later, found),) = multiples(X)
    assert (earlier, later) == (0, 2)
    assert found == pytest.approx(factor)


def test_a_unit_that_was_rounded_is_found() -> None:
    X = columns().round(1)
    X[3] = (X[1] * 10.7639).round()
    ((earlier, later, found),) = multiples(X)
    assert (earlier, later) == (1, 3)
    assert found == pytest.approx(10.7639, rel=1e-3)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: x + 1,
        lambda x: 100 - x,
        lambda x: x**1.1,
        lambda x: x + np.random.default_rng(1).normal(scale=0.1, size=len(x)),
        lambda x: np.where(np.arange(len(x)) == 7, np.nan, x),
    ],
)
@pytest.mark.parametrize("shift", [0, 1e6])
def test_what_is_no_multiple_is_not_found(
    other: Callable[[np.ndarray], np.ndarray], shift: float
) -> None:
    X = columns() + shift
    X[2] = other(X[0])
    assert list(multiples(X)) == []


def test_flags_and_few_values_are_not_told_apart_from_chance() -> None:
    flag = np.zeros(300)
    flag[[5, 80]] = 1
    assert list(multiples(np.array([flag, flag, 3 * flag]))) == []


def test_many_columns_are_searched_in_blocks() -> None:
    X = np.random.default_rng(0).normal(size=(1200, 50))
    X[1100], X[700] = 3 * X[20], -X[600]
    assert [(a, b) for a, b, _ in multiples(X)] == [(600, 700), (20, 1100)]
