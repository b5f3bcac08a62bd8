from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.artifacts.evaluated import Scheme
from pipeline.core.artifacts.models import Model
from pipeline.core.errors import PipelineError
from pipeline.core.forms import Linear
from pipeline.core.params import load_params
from pipeline.core.settings.evaluate import Intervals
from pipeline.evaluate.cross_validation import OutOfFold
from pipeline.evaluate.intervals import wilson
from pipeline.evaluate.scores import cross_validated, fold_scores, judged_scores

NO_ROWS = (np.empty((0, 1)), np.empty(0))
INTERVALS = Intervals(confidence=0.95, bootstrap=200)
ONE_BY_ONE = Scheme(leave_one_out=True, folds=4, repeats=1, seed=0, rows=4)


def rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 1))
    return X, 3 * X[:, 0] + rng.normal(size=count)


def held(z: list[float], threshold: float | None = None) -> list[OutOfFold]:
    """One row a fold."""
    return [
        OutOfFold(np.array([k]), np.array([value]), np.zeros(1), threshold)
        for k, value in enumerate(z)
    ]


def test_keys_say_which_rows_a_score_comes_from(workspace: object) -> None:
    house = load_params().dataset("house")
    model = Model("closed_form", {}, {}, Linear(np.array([3.0]), 0.0))
    alone = judged_scores(model, house, rows(1, 9), NO_ROWS, None, INTERVALS)
    assert list(alone) == ["train_mse", "train_rmse", "train_mae", "train_r2"]
    judged = judged_scores(model, house, rows(1, 9), rows(2, 15), None, INTERVALS)
    assert {key.split("_")[0] for key in judged} == {"train", "test"}
    assert "train_r2" not in judged


def test_an_interval_holds_its_score(workspace: object) -> None:
    params = load_params()
    model = Model("closed_form", {}, {}, Linear(np.array([2.5]), 0.1))
    X, y = rows(3, 40)
    for dataset, target in (("house", y), ("breast_cancer", (y > 0).astype(float))):
        settings = params.dataset(dataset)
        scores = judged_scores(model, settings, (X, target), (X, target), 0.5, INTERVALS)
        names = [key for key in scores if f"{key}_low" in scores]
        assert len(names) == {"house": 4, "breast_cancer": 8}[dataset]
        for name in names:
            low, high = scores[f"{name}_low"], scores[f"{name}_high"]
            assert low is not None
            assert low <= scores[name] <= high
            assert low < high


def test_a_perfect_score_claims_no_certainty(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    X, _ = rows(3, 40)
    model = Model("bcpm", {}, {}, Linear(np.array([100.0]), 0.0))
    truth = (X[:, 0] > 0).astype(float)
    scores = judged_scores(model, settings, (X, truth), (X, truth), 0.5, INTERVALS)
    for name in ("accuracy", "roc_auc", "precision", "recall_malignant", "recall_benign"):
        assert scores[f"test_{name}"] == 1
        low = scores[f"test_{name}_low"]
        assert low is not None
        assert 0.7 < low < 0.95, name


def test_a_few_rows_have_scores_but_no_bootstrap_interval(workspace: object) -> None:
    settings = load_params().dataset("house")
    model = Model("closed_form", {}, {}, Linear(np.array([3.0]), 0.0))
    scores = judged_scores(model, settings, rows(1, 9), rows(2, 3), None, INTERVALS)
    assert scores["test_mse"] is not None
    assert scores["test_mse_low"] is scores["test_r2_high"] is None


def test_leave_one_out_takes_what_one_row_has_not_over_all_rows(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    y = np.array([0.0, 0, 1, 1])
    folds = held([-2, 1, 0.5, 3], threshold=0.5)
    scores = cross_validated(fold_scores(folds, y, settings), folds, y, ONE_BY_ONE, settings, 0.95)
    assert scores["loo_roc_auc"] == 0.75
    assert scores["loo_precision"] == 1  # of malignant: one found, rightly
    assert scores["loo_recall_malignant"] == 0.5
    assert scores["loo_recall_benign"] == 1
    assert scores["loo_accuracy"] == 0.75
    assert scores["loo_recall_benign_low"] == pytest.approx(wilson(2, 2, 0.95)[0])


def test_every_held_out_row_is_judged_at_the_threshold_of_its_fold(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    y = np.array([0.0, 0, 1, 1])
    folds = held([1, 1, 1, 1])
    folds = [replace(f, threshold=t) for f, t in zip(folds, (0.9, 0.5, 0.9, 0.5), strict=True)]
    scores = cross_validated(fold_scores(folds, y, settings), folds, y, ONE_BY_ONE, settings, 0.95)
    assert scores["loo_precision"] == 0.5  # two called malignant, one of them is
    assert scores["loo_f1"] == 0.5


def test_folds_that_are_all_alike_claim_no_certainty(workspace: object) -> None:
    settings = load_params().dataset("breast_cancer")
    y = np.array([0.0] * 30 + [1] * 270)
    scheme = Scheme(leave_one_out=False, folds=5, repeats=1, seed=0, rows=300)
    by_fold: dict[str, list[float | None]] = {
        "recall_malignant": [1.0] * 5,
        "roc_auc": [1.0] * 5,
        "log_loss": [0.1] * 5,
    }
    scores = cross_validated(by_fold, held([0.0]), y, scheme, settings, 0.95)
    assert scores["cv_recall_malignant_low"] == pytest.approx(wilson(30, 30, 0.95)[0])
    assert scores["cv_roc_auc_low"] is scores["cv_log_loss_high"] is None


def test_names_of_classes_and_of_statistics_do_not_meet(workspace: Path) -> None:
    path = workspace / "params.yaml"
    text = path.read_text().replace("- malignant", "- low").replace("- benign", "- high")
    path.write_text(text.replace("positive: malignant", "positive: low"))
    settings = load_params().dataset("breast_cancer")
    X, y = rows(3, 40)
    model = Model("bcpm", {}, {}, Linear(np.array([1.0]), 0.1))
    part = (X, (y > 0).astype(float))
    scores = judged_scores(model, settings, part, part, 0.5, INTERVALS)
    low, high = scores["test_recall_low"], scores["test_recall_high"]
    assert scores["test_recall_low_low"] < low < scores["test_recall_low_high"]
    assert scores["test_recall_high_low"] < high < scores["test_recall_high_high"]


def test_r2_does_not_mind_where_zero_is(workspace: object) -> None:
    settings = load_params().dataset("house")
    X, y = rows(3, 40)
    near = Model("closed_form", {}, {}, Linear(np.array([2.5]), 0.0))
    far = Model("closed_form", {}, {}, Linear(np.array([2.5]), 1e8))
    a = judged_scores(near, settings, (X, y), (X, y), None, INTERVALS)
    b = judged_scores(far, settings, (X, y + 1e8), (X, y + 1e8), None, INTERVALS)
    assert a["test_r2_low"] == pytest.approx(b["test_r2_low"], rel=1e-5)


def test_scores_that_overflow_are_refused(workspace: object) -> None:
    settings = load_params().dataset("house")
    X, y = rows(3, 40)
    model = Model("closed_form", {}, {}, Linear(np.array([0.0]), 0.0))
    ignored = np.errstate(over="ignore", invalid="ignore")
    with pytest.raises(PipelineError, match="rescale them"), ignored:
        judged_scores(model, settings, (X, y), (X, 1e200 * y), None, INTERVALS)


def test_the_mean_and_spread_are_those_of_the_folds(workspace: object) -> None:
    settings = load_params().dataset("house")
    folds = held([1, 2, 3, 5])
    scores = cross_validated(
        fold_scores(folds, np.zeros(4), settings), folds, np.zeros(4), ONE_BY_ONE, settings, 0.95
    )
    assert scores["loo_mse"] == pytest.approx(39 / 4)
    assert scores["loo_mse_sd"] == pytest.approx(np.std([1, 4, 9, 25], ddof=1))
    assert (scores["loo_mse_min"], scores["loo_mse_max"]) == (1, 25)
    assert scores["loo_mse_low"] == 0  # an error is not negative
