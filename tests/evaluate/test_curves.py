import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.core.artifacts.evaluated import Judged
from pipeline.core.params import load_params
from pipeline.core.settings.dataset import Dataset
from pipeline.evaluate.curves import (
    MOST_POINTS,
    PlotData,
    Values,
    against_rest,
    of_all,
    of_classes,
    of_each_class,
    of_regression,
)


def of_classification(
    z: Values, y: np.ndarray, settings: Dataset, thresholds: dict[str, float], sure: float
) -> dict[str, PlotData]:
    confusion = of_classes(z, y, settings.evaluate.classes, thresholds)
    return confusion | of_each_class(z, y, settings, sure)


def test_confusion_and_roc_carry_the_class_names(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    z, y = {"bcpm": np.array([-5.0, 5, 10])}, np.array([0.0, 0, 1])
    data = of_classification(z, y, settings, {"bcpm": 0.5}, 0.95)
    assert data["confusion"][1] == [
        ("bcpm", "malignant", "malignant", 1),
        ("bcpm", "malignant", "benign", 1),
        ("bcpm", "benign", "malignant", 0),
        ("bcpm", "benign", "benign", 1),
    ]
    _, points = data["roc"]
    assert points[-1] == (1.0, 1.0, "malignant", "bcpm")
    # the tumour at -5 is the most malignant by far, and it is: the curve first goes up
    assert points[1][:2] == (0.0, 0.5)
    assert data["pr"][1][-1] == (0.0, 1.0, "malignant", "bcpm")


def test_the_threshold_decides_the_confusion(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    z, y = {"bcpm": np.array([0.0, 1, 2])}, np.array([0.0, 0, 1])
    data = of_classification(z, y, settings, {"bcpm": 0.8}, 0.95)
    assert [row[3] for row in data["confusion"][1]] == [2, 0, 0, 1]


def test_roc_of_one_class_has_no_points(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    data = of_classification({"bcpm": np.ones(2)}, np.ones(2), settings, {"bcpm": 0.5}, 0.95)
    assert data["roc"][1] == data["pr"][1] == []


def test_calibration_is_that_of_scikit_learn(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    rng = np.random.default_rng(1)
    z = rng.normal(size=300) * 3
    y = (rng.random(300) < 1 / (1 + np.exp(-z))).astype(float)
    bins = of_classification({"bcpm": z}, y, settings, {"bcpm": 0.5}, 0.95)["calibration"][1]
    observed, predicted = calibration_curve(1 - y, 1 / (1 + np.exp(z)), n_bins=10)
    np.testing.assert_allclose([row[0] for row in bins], predicted)
    np.testing.assert_allclose([row[1] for row in bins], observed)
    assert sum(row[4] for row in bins) == 300


def test_residuals_are_actual_less_predicted() -> None:
    data = of_regression({"a": np.array([1.0, 2])}, np.array([5.0, 1]))
    assert data["residuals"][1] == [("a", 1.0, 4.0), ("a", 2.0, -1.0)]
    assert data["predictions"] == (
        ["trainer", "actual", "predicted"],
        [("a", 5.0, 1.0), ("a", 1.0, 2.0)],
    )


def test_a_plot_holds_no_more_points_than_can_be_seen() -> None:
    data = of_regression({"a": np.arange(5000.0)}, np.zeros(5000))
    assert len(data["predictions"][1]) == len(data["residuals"][1]) == MOST_POINTS


def test_a_loss_is_shown_by_epoch_and_trainer() -> None:
    histories = {"gd": np.array([[0.0, 4.0], [1.0, 2.5]])}
    one = Judged(
        role="trainer", trainer="manual_gd", params={}, threshold=None, scores={}, folds={},
        coefficients=[],
    )  # fmt: skip
    data = of_all({"gd": one}, histories, "mse")
    assert data["loss"] == (["trainer", "epoch", "loss"], [("gd", 0, 4.0), ("gd", 1, 2.5)])


def test_every_plot_has_a_header_whatever_the_task(workspace: object) -> None:
    """One graph serves datasets of both tasks: DVC wants the file of every plot of a stage."""
    settings = load_params().dataset("breast_cancer")
    headers = {name: header for name, (header, _) in of_all({}, {}, "mse").items()}
    one = of_regression({"a": np.zeros(2)}, np.ones(2))
    other = of_classification({"a": np.zeros(2)}, np.ones(2), settings, {"a": 0.5}, 0.95)
    filled = {name: header for name, (header, _) in (one | other).items()}
    assert filled.items() < headers.items()
    assert len(headers) == 9


def test_of_several_classes_each_has_the_curves_of_scikit_learn(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    classes = ["a", "b", "c"]
    several = {"classes": classes, "positive": None, "threshold": None}
    settings = settings.model_copy(
        update={"evaluate": settings.evaluate.model_copy(update=several)}
    )
    rng = np.random.default_rng(2)
    z = rng.normal(size=(200, 3)) * 2
    y = np.array([rng.choice(3, p=p) for p in softmax(z, axis=1)], dtype=float)
    data = of_each_class({"softmax": z}, y, settings, 0.95)
    for k, name in enumerate(classes):
        p, hit = softmax(z, axis=1)[:, k], y == k
        rows = {plot: [row for row in of[1] if row[-2] == name] for plot, of in data.items()}
        false_positive, true_positive, _ = roc_curve(hit, p)
        np.testing.assert_allclose([row[0] for row in rows["roc"]], false_positive)
        np.testing.assert_allclose([row[1] for row in rows["roc"]], true_positive)
        precision, recall, _ = precision_recall_curve(hit, p)
        np.testing.assert_allclose([row[0] for row in rows["pr"]], recall)
        np.testing.assert_allclose([row[1] for row in rows["pr"]], precision)
        observed, predicted = calibration_curve(hit, p, n_bins=10)
        np.testing.assert_allclose([row[0] for row in rows["calibration"]], predicted)
        np.testing.assert_allclose([row[1] for row in rows["calibration"]], observed)
    without = of_each_class({"softmax": z[y < 2]}, y[y < 2], settings, 0.95)
    assert {row[-2] for row in without["roc"][1]} == {"a", "b"}  # of c there is no row


@given(st.lists(st.lists(st.floats(-700, 700), min_size=4, max_size=4), min_size=1, max_size=9))
def test_the_logit_against_the_rest_is_that_of_the_probability(z: list[list[float]]) -> None:
    logits = np.array(z)
    for k in range(4):
        np.testing.assert_allclose(
            expit(against_rest(logits, k)), softmax(logits, axis=1)[:, k], rtol=1e-9, atol=1e-300
        )
