import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, softmax
from sklearn import metrics

from pipeline.core.settings.evaluate import METRICS, Metric
from pipeline.evaluate.intervals import placements
from pipeline.evaluate.metrics import (
    auc,
    classification_scores,
    of_area,
    of_rows,
    ordered,
    regression_scores,
    scores_of_several,
)
from pipeline.solvers.losses import sigmoid

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


LABELS = arrays(np.int8, 9, elements=st.integers(0, 1)).map(lambda y: y.astype(float))
LOGITS = arrays(np.float64, 9, elements=st.integers(-30, 30).map(lambda k: k / 10))


@given(y=LABELS, z=LOGITS, threshold=st.sampled_from([0.2, 0.5, 0.9]), positive=st.integers(0, 1))
def test_classification_scores_are_those_of_scikit_learn(
    y: np.ndarray, z: np.ndarray, threshold: float, positive: int
) -> None:
    ours = classification_scores(y, z, threshold, positive, ("ill", "well"))
    p = expit(z)
    label = (p >= threshold).astype(float)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        y, label, labels=[positive], average="macro", zero_division=0
    )
    assert ours["precision"] == pytest.approx(precision)
    if (y == positive).any():
        assert ours[f"recall_{('ill', 'well')[positive]}"] == pytest.approx(recall)
    assert ours["f1"] == pytest.approx(f1)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(y, label))
    assert ours["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=[0, 1]))
    assert ours["brier"] == pytest.approx(metrics.brier_score_loss(y, p, labels=[0, 1]))
    if np.ptp(y) == 0:
        assert ours["roc_auc"] is None
    else:
        assert ours["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, z))
    for k, name in enumerate(("ill", "well")):
        if (y == k).any():
            theirs = metrics.recall_score(y, label, labels=[k], average="macro", zero_division=0)
            assert ours[f"recall_{name}"] == pytest.approx(theirs)
        else:
            assert ours[f"recall_{name}"] is None


CLASSES = ("low", "mid", "high")
THREE = arrays(np.int8, 12, elements=st.integers(0, 2)).map(lambda y: y.astype(float))
LOGITS_OF_THREE = arrays(np.float64, (12, 3), elements=st.integers(-30, 30).map(lambda k: k / 10))


@given(y=THREE, z=LOGITS_OF_THREE)
def test_scores_of_several_classes_are_those_of_scikit_learn(y: np.ndarray, z: np.ndarray) -> None:
    ours, p = scores_of_several(y, z, CLASSES), softmax(z, axis=1)
    label = z.argmax(axis=1)
    assert ours["accuracy"] == pytest.approx(metrics.accuracy_score(y, label))
    assert ours["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=[0, 1, 2]))
    of = {"labels": [0, 1, 2], "zero_division": 0}
    for k, recall in enumerate(metrics.recall_score(y, label, average=None, **of)):
        expected = pytest.approx(recall) if (y == k).any() else None
        assert ours[f"recall_{CLASSES[k]}"] == expected
    macro = {key: value for key, value in ours.items() if key.startswith(("macro", "roc"))}
    if len(np.unique(y)) < 3:
        assert set(macro.values()) == {None}
        return
    assert macro == {
        "roc_auc": pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr")),
        "macro_precision": pytest.approx(metrics.precision_score(y, label, average="macro", **of)),
        "macro_recall": pytest.approx(metrics.recall_score(y, label, average="macro", **of)),
        "macro_f1": pytest.approx(metrics.f1_score(y, label, average="macro", **of)),
    }


@given(arrays(np.float64, 5, elements=st.floats(-1e300, 1e300)))
def test_sigmoid_is_that_of_scipy(z: np.ndarray) -> None:
    np.testing.assert_allclose(sigmoid(z), expit(z), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "brier"])
@given(y=LABELS, z=LOGITS, threshold=st.sampled_from([0.2, 0.5, 0.9]))
def test_the_mean_of_what_rows_add_is_the_score(
    metric: Metric, y: np.ndarray, z: np.ndarray, threshold: float
) -> None:
    score = classification_scores(y, z, threshold, 1, ("ill", "well"))[metric]
    assert of_rows(metric, y, z, threshold).mean() == pytest.approx(score)


@given(y=LABELS.filter(lambda y: 0 < y.sum() < len(y)), z=LOGITS)
def test_the_mean_of_what_rows_add_to_an_area_is_the_area(y: np.ndarray, z: np.ndarray) -> None:
    assert of_area(y == 1, ordered(y == 1, z)).mean() == pytest.approx(auc(y, z))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_mean_of_what_rows_of_several_classes_add_is_the_score(metric: Metric) -> None:
    rng = np.random.default_rng(0)
    y, z = np.arange(40.0) % 3, rng.normal(size=(40, 3))
    score = scores_of_several(y, z, ("a", "b", "c"))[metric]
    assert of_rows(metric, y, z, None).mean() == pytest.approx(score)


@pytest.mark.parametrize("metric", METRICS["regression"])
def test_the_mean_of_what_rows_add_is_the_error(metric: Metric) -> None:
    y, z = np.random.default_rng(0).normal(size=(2, 20))
    assert of_rows(metric, y, z, None).mean() == pytest.approx(regression_scores(y, z)[metric])


def test_what_rows_add_to_an_area_varies_as_delong_has_it() -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(60) % 3 == 0).astype(float)
    z = y + rng.normal(size=60)
    ones, zeros = z[y == 1], z[y == 0]
    theirs = placements(ones, zeros).var() / 20 + placements(zeros, ones).var() / 40
    assert of_area(y == 1, ordered(y == 1, z)).var() / 60 == pytest.approx(theirs)
