from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from pipeline.core import layout
from pipeline.core.artifacts.champions import Champion
from pipeline.core.artifacts.evaluated import Judged
from pipeline.core.errors import PipelineError
from pipeline.core.params import load_params
from pipeline.core.settings.descent import params_of
from pipeline.evaluate.comparison import contrast
from pipeline.evaluate.judge import Judge
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from tests.conftest import descent
from tests.evaluate.sample import numbers, split_of

GOAL = "threshold: {recall: malignant, at_least: 0.95}"


def judge_of(X: np.ndarray, y: np.ndarray) -> Judge:
    every = np.arange(len(y))
    return Judge(split_of(X, y, every, every[:0]), "breast_cancer", load_params())


def judged(judge: Judge, name: str) -> tuple[Judged, np.ndarray]:
    model, _ = fit(name, {}, ArrayRows(*judge.rows.part(judge.rows.train)))
    return judge.model(model)


def words_of(judge: Judge, trainer: str = "logistic_regression") -> str:
    units = {name: judged(judge, name)[1] for name in (trainer, "majority")}
    return contrast(units, "accuracy", judge.scheme, 0.95).words


@pytest.mark.slow
def test_noise_held_out_row_by_row_does_not_beat_the_larger_class(workspace: object) -> None:
    """Of 14 and 14 rows the larger class of the others is always the wrong one."""
    better = 0
    for seed in range(60):
        X = np.random.default_rng(seed).normal(size=(28, 2))
        better += words_of(judge_of(X, np.arange(28) % 2.0)) == "better"
    assert better <= 3


def test_what_is_there_is_found_in_a_few_rows(workspace: object) -> None:
    X = np.random.default_rng(1).normal(size=(28, 2))
    assert words_of(judge_of(X, (X[:, 0] > 0).astype(float))) == "better"


def test_the_trivial_model_takes_the_larger_class_whatever_the_goal(workspace: Path) -> None:
    path = workspace / "params.yaml"
    path.write_text(path.read_text().replace("threshold: 0.5", GOAL))
    X = np.random.default_rng(1).normal(size=(80, 2))
    y = (X[:, 0] > -0.7).astype(float)
    judge = judge_of(X, y)
    trivial, _ = judged(judge, "majority")
    assert trivial.threshold == 0.5
    assert trivial.scores["cv_accuracy"] == pytest.approx(y.mean(), abs=0.01)
    assert judged(judge, "logistic_regression")[0].threshold != 0.5


def test_the_champion_is_judged_with_its_own_threshold(workspace: Path) -> None:
    X = np.random.default_rng(1).normal(size=(80, 2))
    y = (X[:, 0] + np.random.default_rng(2).normal(size=80) > 0).astype(float)
    usual = {
        "trainer": "bcpm",
        "params": params_of("bcpm", descent(epochs=10)),
        "features": ["x0", "x1"],
    }
    careful = usual | {"threshold": {"recall": "malignant", "at_least": 0.99}}
    scores = [
        judge_of(X, y).champion(Champion.model_validate(entry), numbers(X))[0].scores
        for entry in (usual | {"threshold": 0.5}, careful)
    ]
    assert scores[0]["cv_recall_malignant"] < scores[1]["cv_recall_malignant"]
    assert scores[0]["cv_log_loss"] == scores[1]["cv_log_loss"]


@pytest.mark.parametrize(("ones", "metric"), [(1, "accuracy"), (10, "roc_auc")])
def test_a_few_rows_that_cannot_be_judged_are_refused(
    workspace: Path, ones: int, metric: str
) -> None:
    path = workspace / "params.yaml"
    path.write_text(path.read_text().replace("metric: accuracy", f"metric: {metric}"))
    X = np.random.default_rng(1).normal(size=(20, 2))
    y = np.array([1.0] * ones + [0] * (20 - ones))
    with pytest.raises(PipelineError, match=r"params\.yaml: "):
        judge_of(X, y)


def test_a_dataset_may_be_cut_more_or_less_often_than_the_others(workspace: Path) -> None:
    text = layout.PARAMS.read_text()
    layout.PARAMS.write_text(
        text.replace("metric: accuracy\n", "metric: accuracy\n      repeats: 1\n")
    )
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2.0
    once = judge_of(X, y)
    assert (once.scheme.repeats, len(once.cuts)) == (1, 5)
    cut = StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)
    for (_, ours), (_, theirs) in zip(once.cuts, cut, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    layout.PARAMS.write_text(text)
    assert (judge_of(X, y).scheme.repeats, len(judge_of(X, y).cuts)) == (10, 50)
