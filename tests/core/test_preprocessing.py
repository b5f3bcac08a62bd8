import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from pipeline.core.preprocessing import fit_scaler, gives_away_together, split_rows, thinned


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


def together(X: np.ndarray, y: np.ndarray) -> tuple[list[int], float, float] | None:
    mean, scale = fit_scaler(X)
    return gives_away_together((X - mean) / scale, y)


@pytest.mark.parametrize("rounded", [1, 8])
def test_columns_of_which_the_target_is_the_mean_are_named(rounded: int) -> None:
    X = np.random.default_rng(0).normal(70, 15, size=(30, 5)).round(1)
    y = X[:, [1, 3]].mean(axis=1).round(rounded)
    columns, r2, alone = together(X, y) or ([], 0, 0)
    assert columns == [1, 3]
    assert r2 >= 0.999
    assert 0.3 < alone < 0.7


def test_a_sum_of_very_different_columns_and_dependent_ones() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 6)) * [1, 1e3, 1e-3, 1, 1e150, 1]
    X[:, 5] = 1  # constant
    X[:, 3] = X[:, 0] * 2
    columns, _, _ = together(X, X[:, 1] * 1e-3 + X[:, 2] * 1e3) or ([], 0, 0)
    assert columns == [1, 2]


@pytest.mark.parametrize("features", [2, 10, 29, 60])
@pytest.mark.parametrize("n", [5, 30, 45, 300])
def test_noise_and_honest_models_give_nothing_away_together(features: int, n: int) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, features))
        signal = X @ rng.normal(size=features)
        assert together(X, rng.normal(size=n)) is None
        assert together(X, signal + 0.1 * np.sqrt(features) * rng.normal(size=n)) is None


def test_a_single_column_is_the_giveaway_audits() -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    assert together(X, 2 * X[:, 1]) is None
