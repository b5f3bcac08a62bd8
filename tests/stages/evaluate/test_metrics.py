import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from sklearn import metrics

from pipeline.solvers.losses import sigmoid
from pipeline.stages.evaluate.metrics import classification_scores, regression_scores

VALUES = arrays(np.float64, 9, elements=st.floats(-1e3, 1e3))


@given(y=VALUES, predicted=VALUES)
def test_regression_scores_are_those_of_scikit_learn(y: np.ndarray, predicted: np.ndarray) -> None:
    ours = regression_scores(y, predicted)
    assert ours["mse"] == pytest.approx(metrics.mean_squared_error(y, predicted))
    assert ours["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, predicted))
    assert ours["mae"] == pytest.approx(metrics.mean_absolute_error(y, predicted))
    if np.ptp(y) > 1e-3:
        assert ours["r2"] == pytest.approx(metrics.r2_score(y, predicted), rel=1e-6, abs=1e-6)


def test_r2_of_a_constant_target_is_none() -> None:
    assert regression_scores(np.ones(3), np.arange(3.0))["r2"] is None


def test_scores_are_of_the_positive_class() -> None:
    y = np.array([0, 0, 0, 1, 1, 1, 1])
    probability = np.array([0.1, 0.2, 0.9, 0.8, 0.4, 0.7, 0.6])
    scores = classification_scores(y, probability, positive=0)
    assert scores["recall"] == pytest.approx(2 / 3)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert classification_scores(y, probability, positive=1)["recall"] == pytest.approx(3 / 4)


def test_roc_auc_of_one_class_is_none() -> None:
    assert classification_scores(np.ones(3), np.full(3, 0.7), 1)["roc_auc"] is None


@given(arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)))
def test_sigmoid_is_that_of_scipy(z: np.ndarray) -> None:
    np.testing.assert_allclose(sigmoid(z), expit(z), rtol=1e-12, atol=1e-300)
