import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.core.params import load_params
from pipeline.models import Model, fit
from pipeline.solvers.rows import ArrayRows
from pipeline.stages.evaluate.scores import confusion, evaluate_model, leave_one_out_mse, roc

NO_ROWS = (np.empty((0, 1)), np.empty(0))


def rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 1))
    return X, 3 * X[:, 0] + rng.normal(size=count)


def test_leave_one_out_is_that_of_scikit_learn() -> None:
    X, y = rows(1, 15)
    model, _ = fit("closed_form", {}, ArrayRows(X, y))
    theirs = cross_val_score(
        make_pipeline(StandardScaler(), LinearRegression()),
        *(X, y),
        cv=LeaveOneOut(),
        scoring="neg_mean_squared_error",
    )
    assert leave_one_out_mse(model, X, y) == pytest.approx(-theirs.mean())


def test_keys_say_which_rows_a_score_comes_from(workspace: object) -> None:
    house = load_params().dataset("house")
    model = Model("closed_form", {}, {}, np.array([3.0]), 0.0)
    alone = evaluate_model(model, house, rows(1, 9), NO_ROWS)
    assert list(alone) == ["train_mse", "train_rmse", "train_mae", "train_r2", "loo_mse"]
    judged = evaluate_model(model, house, rows(1, 9), rows(2, 5))
    assert list(judged) == ["train_mse", "test_mse", "test_rmse", "test_mae", "test_r2"]


def test_confusion_and_roc_carry_the_class_names(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    models = {"bcpm": Model("bcpm", {}, {}, np.array([5.0]), 0.0)}
    judged = np.array([[-1.0], [1.0], [2.0]]), np.array([0.0, 0.0, 1.0])
    assert confusion(models, judged, settings)[1] == [
        ("bcpm", "malignant", "malignant"),
        ("bcpm", "malignant", "benign"),
        ("bcpm", "benign", "benign"),
    ]
    _, points = roc(models, judged, settings)
    assert points[-1] == (1.0, 1.0, "bcpm")
    # the tumour at -1 is the most malignant by far, and it is: the curve first goes up
    assert points[1][:2] == (0.0, 0.5)


def test_roc_of_one_class_has_no_points(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    models = {"bcpm": Model("bcpm", {}, {}, np.array([5.0]), 0.0)}
    assert roc(models, (np.ones((2, 1)), np.ones(2)), settings)[1] == []
