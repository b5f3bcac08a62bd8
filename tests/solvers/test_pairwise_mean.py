from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.solvers import pairwise_mean
from pipeline.solvers.rows import ArrayRows

AREA = np.array([[80.0], [95], [104], [112], [125], [135]])
PRICE = np.array([200.0, 230, 245, 247, 259, 262])


def test_pairwise_mean_gives_the_chapters_line() -> None:
    theta, _, _ = pairwise_mean.fit(ArrayRows(AREA, PRICE))
    np.testing.assert_allclose(theta, [1.0370514514185623, 133.19792941461947], rtol=1e-13)


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=8, unique=True))
def test_pairwise_mean_is_the_mean_over_all_pairs(xs: list[int]) -> None:
    x, y = np.array(xs, float), np.array(xs, float) ** 2
    lines = [np.polyfit(x[[i, j]], y[[i, j]], 1) for i, j in combinations(range(len(x)), 2)]
    theta, _, _ = pairwise_mean.fit(ArrayRows(x[:, None], y))
    np.testing.assert_allclose(theta, np.mean(lines, axis=0), rtol=1e-6, atol=1e-6)


def test_pairwise_mean_leaves_out_pairs_without_a_line() -> None:
    rows = ArrayRows(np.array([[1.0], [1.0], [2.0]]), np.array([0.0, 2.0, 3.0]))
    theta, _, _ = pairwise_mean.fit(rows)
    np.testing.assert_allclose(theta, [2.0, -1.0])


@pytest.mark.parametrize(
    ("X", "message"),
    [(np.ones((3, 2)), "takes one feature, got 2"), (np.ones((3, 1)), "two rows that differ")],
)
def test_pairwise_mean_says_what_it_needs(X: np.ndarray, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        pairwise_mean.fit(ArrayRows(X, np.arange(3.0)))


def test_pairwise_mean_refuses_more_pairs_than_memory_holds() -> None:
    rows = ArrayRows(np.arange(3001.0)[:, None], np.arange(3001.0))
    with pytest.raises(PipelineError, match="at most 3000 rows, got 3001"):
        pairwise_mean.fit(rows)


def test_pairwise_mean_refuses_what_overflows() -> None:
    rows = ArrayRows(np.array([[1.0], [1 + 2e-16], [2.0]]), np.array([0.0, 1e308, 1.0]))
    with pytest.raises(PipelineError, match="too large; rescale"):
        pairwise_mean.fit(rows)
