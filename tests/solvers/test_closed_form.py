import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hilbert
from sklearn.linear_model import LinearRegression

from pipeline.core.errors import PipelineWarning
from pipeline.core.tables import number_table, write_table
from pipeline.solvers import blocks, closed_form
from pipeline.solvers.closed_form import LeastSquares
from pipeline.solvers.rows import ArrayRows, ParquetRows
from tests.conftest import ROOT

NIST = ROOT / "tests/nist"
CERTIFIED: dict[str, dict[str, Any]] = json.loads((NIST / "certified.json").read_text())
SEEDS = st.integers(0, 2**32 - 1)


def least_squares(
    X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, fit_intercept: bool = True
) -> LeastSquares:
    return closed_form.least_squares(ArrayRows(X, y, weights), fit_intercept)


def table(name: str) -> np.ndarray:
    rows = np.genfromtxt(NIST / f"{name}.csv", delimiter=",", names=True)
    return np.column_stack([rows[column] for column in CERTIFIED[name]["columns"]])


def nist(name: str) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """X, y and what is certified, coefficients in the order of theta."""
    if name in ("Wampler3", "Wampler5"):
        X, exact, certified = nist("Wampler1")
        noise = (nist("Wampler4")[1] - exact) / 100
        return X, exact + noise * (1 if name == "Wampler3" else 10_000), {"coef": certified["coef"]}
    certified = dict(CERTIFIED[name])
    rows = table(name)
    y, X = rows[:, 0], rows[:, 1:]
    if (certified["poly_degree"] or 1) > 1:
        X = np.column_stack([X[:, 0] ** k for k in range(1, certified["poly_degree"] + 1)])
    for key in ("coef", "stderr"):
        values = [float(value) for value in certified[key]]
        certified[key] = values[1:] + values[:1] if certified["intercept"] else values
    return X, y, certified


def digits(estimate: np.ndarray, certified: list[float]) -> float:
    """LRE: the digits that agree, the fewest over the coefficients, at most 15."""
    error = np.max(np.abs(estimate - np.array(certified)) / np.abs(certified))
    return float(min(15, -np.log10(max(error, 1e-16))))


def peers(X: np.ndarray, y: np.ndarray, intercept: bool) -> list[np.ndarray]:
    A = np.column_stack([X, np.ones(len(y))]) if intercept else X
    Q, R = np.linalg.qr(A)
    theirs = [np.linalg.lstsq(A, y, rcond=None)[0], np.linalg.solve(R, Q.T @ y)]
    for tol in (1e-6, 0.0):
        model = LinearRegression(fit_intercept=intercept, tol=tol).fit(X, y)
        theirs.append(np.append(model.coef_, [model.intercept_] if intercept else []))
    return theirs


@pytest.mark.parametrize("name", [*CERTIFIED, "Wampler3", "Wampler5"])
def test_certified_coefficients_to_the_digits_of_the_best_peer(name: str) -> None:
    X, y, certified = nist(name)
    intercept = certified.get("intercept", True)
    theta = least_squares(X, y, fit_intercept=intercept).theta
    ours = digits(theta if intercept else theta[:-1], certified["coef"])
    best = max(digits(theirs, certified["coef"]) for theirs in peers(X, y, intercept))
    assert ours >= best - 0.5


@pytest.mark.parametrize("name", [n for n, c in CERTIFIED.items() if float(c["resid_sd"])])
def test_certified_standard_errors_and_r2(name: str) -> None:
    X, y, certified = nist(name)
    solution = least_squares(X, y, fit_intercept=certified["intercept"])
    errors = solution.standard_errors
    if not certified["intercept"]:
        errors = errors[:-1]
    exact = 7 if name == "Filip" else 12  # condition number 4e9
    assert digits(errors, certified["stderr"]) > exact
    assert solution.r2 == pytest.approx(float(certified["r2"]), rel=10.0 ** -(exact + 2))


def problem(seed: int, n_rows: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4)) * [1, 100, 1e-3, 5] + [0, 1e4, 0, -3]
    return X, X @ rng.normal(size=4) + rng.normal(size=n_rows), rng.integers(0, 4, n_rows) * 1.0


@given(SEEDS)
def test_coefficients_are_those_of_scikit_learn(seed: int) -> None:
    X, y, weights = problem(seed)
    for fit_intercept in (True, False):
        theirs = LinearRegression(fit_intercept=fit_intercept, tol=0).fit(X, y, weights)
        ours = least_squares(X, y, weights, fit_intercept)
        predicted = X @ ours.theta[:-1] + ours.theta[-1]
        np.testing.assert_allclose(predicted, theirs.predict(X), rtol=1e-8, atol=1e-6)


@given(SEEDS)
def test_integer_weights_are_repeated_rows(seed: int) -> None:
    X, y, weights = problem(seed)
    times = weights.astype(int)
    repeated = least_squares(np.repeat(X, times, axis=0), np.repeat(y, times))
    ours = least_squares(X, y, weights)
    np.testing.assert_allclose(ours.theta, repeated.theta, rtol=1e-9)
    np.testing.assert_allclose(ours.standard_errors, repeated.standard_errors, rtol=1e-8)
    assert ours.r2 == pytest.approx(repeated.r2)
    assert ours.condition == pytest.approx(repeated.condition)


@given(seed=SEEDS, factor=st.floats(1e-6, 1e6))
def test_rescaling_a_feature_rescales_its_coefficient(seed: int, factor: float) -> None:
    X, y, _ = problem(seed)
    by = np.array([1, factor, 1, 1])
    ours, scaled = least_squares(X, y), least_squares(X * by, y)
    np.testing.assert_allclose(scaled.theta * [*by, 1], ours.theta, rtol=1e-8)
    assert scaled.condition == pytest.approx(ours.condition)


@settings(max_examples=3)
@given(SEEDS)
def test_blocks_and_threads_change_nothing_that_matters(seed: int) -> None:
    X, y, _ = problem(seed, 3 * blocks.ROWS + 17)
    first, again = least_squares(X, y), least_squares(X, y)
    assert first.theta.tobytes() == again.theta.tobytes()
    np.testing.assert_allclose(first.theta[:-1], LinearRegression(tol=0).fit(X, y).coef_, rtol=1e-7)


def test_dependent_columns_are_counted_and_predict_well() -> None:
    X, y, _ = problem(3)
    X = np.column_stack([X, X[:, 0] + 1e-3 * X[:, 1]])
    with pytest.warns(PipelineWarning, match=r"rank 4 of 5: features 0, 1, 4 "):
        solution = least_squares(X, y)
    assert (solution.rank, solution.condition) == (4, np.inf)
    # the errors of what is not determined are unknown, not small; columns 2 and 3 are
    assert np.isnan(solution.standard_errors).tolist() == [True, True, False, False, True, True]
    reference = least_squares(X[:, :4], y)
    np.testing.assert_allclose(
        X @ solution.theta[:-1] + solution.theta[-1],
        X[:, :4] @ reference.theta[:-1] + reference.theta[-1],
        rtol=1e-8, atol=1e-6,
    )  # fmt: skip


def test_dependent_columns_of_a_table_are_named(tmp_path: Path) -> None:
    X, y, _ = problem(3)
    table = number_table([*"abcdy"], [*X[:, :3].T, X[:, 0] * 2, y])
    write_table(tmp_path / "train.parquet", table)
    with pytest.warns(PipelineWarning, match=r"rank 3 of 4: features a, d are constant or depend"):
        closed_form.least_squares(ParquetRows(tmp_path / "train.parquet"))


def test_fewer_rows_than_columns_fit_exactly() -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(4, 9)), rng.normal(size=4)
    with pytest.warns(PipelineWarning, match="rank 3 of 9"):
        solution = least_squares(X, y)
    np.testing.assert_allclose(X @ solution.theta[:-1] + solution.theta[-1], y)
    assert np.isnan(solution.standard_errors).all()


def test_a_constant_column_and_a_constant_target_are_no_nan() -> None:
    X = np.column_stack([np.full(9, 0.1), np.arange(9.0)])
    with pytest.warns(PipelineWarning, match="rank 1 of 2"):
        solution = least_squares(X, np.full(9, 7.0))
    np.testing.assert_allclose(solution.theta, [0, 0, 7], atol=1e-12)
    assert np.isnan(solution.r2)
    assert np.isnan(solution.standard_errors).tolist() == [True, False, True]


@given(SEEDS)
def test_a_constant_target_has_no_r2_whatever_the_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(500, 2)), rng.random(500)
    assert np.isnan(least_squares(X, np.full(500, 123.456), weights).r2)


def test_without_intercept_r2_is_about_zero() -> None:
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 7.0])
    solution = least_squares(X, y, fit_intercept=False)
    rss = np.sum((y - X[:, 0] * solution.theta[0]) ** 2)
    assert solution.r2 == pytest.approx(1 - rss / np.sum(y**2))


def test_the_worst_conditioned_matrix_still_gives_digits() -> None:
    X = hilbert(12)[:, :8]  # condition 1e10
    theta = least_squares(X, X.sum(axis=1), fit_intercept=False).theta
    np.testing.assert_allclose(theta[:-1], 1, atol=1e-6)


def test_fit_gives_the_chapters_least_squares() -> None:
    area, price = (
        np.array([[80.0], [95], [104], [112], [125], [135]]),
        [200.0, 230, 245, 247, 259, 262],
    )
    theta, history, facts = closed_form.fit(ArrayRows(area, np.array(price)))
    np.testing.assert_allclose(theta, [1.08593555, 122.67599301], atol=5e-9)
    assert len(history) == 0
    assert facts == {"rank": 1, "condition": 1.0}
