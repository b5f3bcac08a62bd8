import numpy as np
import pytest

from pipeline.core.preprocessing import fit_scaler
from pipeline.core.settings.evaluate import CrossValidation
from pipeline.evaluate.cross_validation import cross_validate
from pipeline.evaluate.folds import folds
from pipeline.evaluate.judge import coefficients
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from tests.evaluate.sample import numbers

WEIGHTS = np.array([1.0, 0, -2])


def interval_and_truth(seed: int, rows: int) -> tuple[float, float, float, float]:
    """Low and high of the first weight, its truth, and the standard error of least squares."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3))
    y = X @ WEIGHTS + 2 * rng.normal(size=rows)
    cut = CrossValidation(folds=5, repeats=10, seed=0)
    raw, cuts = numbers(X), folds(y, "regression", cut)
    held = cross_validate("closed_form", {}, raw, y, cuts, features=[*raw.columns])
    mean, scale = fit_scaler(X)
    standardized = ArrayRows((X - mean) / scale, y)
    model, _ = fit("closed_form", {}, standardized)
    first = coefficients(model, ["a", "b", "c"], scale, held, rows, 0.95)[0]
    assert first.low is not None
    assert first.high is not None
    error = float(least_squares(standardized).standard_errors[0])
    return first.low, first.high, float(WEIGHTS[0] * scale[0]), error


@pytest.mark.parametrize("rows", [20, 100])  # held out one by one, and in folds
@pytest.mark.parametrize(
    ("data_sets", "least", "most"),
    [(40, 0.85, 1), pytest.param(150, 0.89, 0.99, marks=pytest.mark.nightly)],
)
def test_the_jackknife_covers_the_weights_and_agrees_with_least_squares(
    rows: int, data_sets: int, least: float, most: float
) -> None:
    found = [interval_and_truth(seed, rows) for seed in range(data_sets)]
    covered = np.mean([low <= truth <= high for low, high, truth, _ in found])
    assert least <= covered <= most
    ratio = np.median([(high - low) / (4 * error) for low, high, _, error in found])
    assert 0.8 <= ratio <= 1.25


def test_without_folds_there_is_no_interval() -> None:
    model, _ = fit("closed_form", {}, ArrayRows(np.array([[0.0], [1]]), np.array([0.0, 1])))
    only = coefficients(model, ["a"], np.ones(1), [], 2, 0.95)[0]
    assert (only.value, only.low, only.high) == (1, None, None)
