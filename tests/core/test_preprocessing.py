import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from pipeline.core.preprocessing import fit_scaler, split_rows, thinned


@given(
    n_rows=st.integers(5, 500),
    test_size=st.floats(0.01, 0.7),
    seed=st.integers(0, 2**32 - 1),
)
def test_rows_are_those_of_scikit_learn(n_rows: int, test_size: float, seed: int) -> None:
    train, test = split_rows(n_rows, test_size, seed)
    theirs = train_test_split(np.arange(n_rows), test_size=test_size, random_state=seed)
    np.testing.assert_array_equal(train, theirs[0])
    np.testing.assert_array_equal(test, theirs[1])


def test_without_test_size_every_row_trains_in_order() -> None:
    train, test = split_rows(6, 0, 1234)
    assert train.tolist() == [0, 1, 2, 3, 4, 5]
    assert test.tolist() == []


@given(arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6)))
def test_scaler_is_that_of_scikit_learn(X: np.ndarray) -> None:
    mean, scale = fit_scaler(X)
    theirs = StandardScaler().fit(X)
    np.testing.assert_allclose(mean, theirs.mean_, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(scale, theirs.scale_, rtol=1e-6, atol=1e-9)


def test_a_constant_column_gets_scale_1() -> None:
    X = np.column_stack([np.full(100_000, 0.1), np.arange(100_000.0)])
    np.testing.assert_allclose(fit_scaler(X)[1], StandardScaler().fit(X).scale_, rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 999, 1000, 1001, 5000, 1_000_003])
def test_first_and_last_are_kept_and_no_more_than_asked_for(count: int) -> None:
    kept = thinned(count, 1000)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert len(kept) == min(count, 1000)
    assert len(thinned(0, 1000)) == 0
