from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.core.artifacts.evaluated import (
    Comparison,
    Evaluated,
    Judged,
    Scheme,
    Verdict,
    between,
)
from pipeline.core.params import load_params
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.evaluate import verdict as verdicts
from pipeline.evaluate.comparison import contrast
from pipeline.evaluate.cross_validation import OutOfFold, cross_validate
from pipeline.evaluate.folds import folds
from pipeline.evaluate.scores import compared_by
from tests.evaluate.sample import numbers

NOISE = np.random.default_rng(1).normal(size=50)
BASE = (100 + NOISE).tolist()
TEN_TIMES = Scheme(leave_one_out=False, folds=5, repeats=10, seed=0, rows=100)
Scores = Sequence[float]
NIGHTLY = pytest.mark.nightly
CASES = [(30, 2), (60, 8), (150, 3), (150, 25)]  # rows, features


def judged(role: str, trainer: str, metric: str, scores: Scores, **more: float) -> Judged:
    mean = float(np.mean(scores)) if len(scores) else None
    return Judged(
        role=role,
        trainer=trainer,
        params={},
        threshold=None,
        scores={f"cv_{metric}": mean, **more},
        folds={metric: [*scores]},
        coefficients=[],
    )


def evaluated(
    trainers: Mapping[str, Scores],
    trivial: Scores,
    champion: Scores | str | None = None,
    metric: str = "mse",
    **more: float,
) -> Evaluated:
    models = {n: judged("trainer", n, metric, s, **more) for n, s in trainers.items()}
    if not trainers:
        models["theirs"] = judged("reference", "theirs", metric, BASE)
    models["mean"] = judged("baseline", "mean", metric, trivial)
    name = champion if isinstance(champion, str) else None
    if champion is not None and name is None:
        models["champion"], name = judged("champion", "old", metric, champion), "champion"
    return of_models(models, name, metric)


def of_models(
    models: Mapping[str, Judged],
    champion: str | None = None,
    metric: str = "mse",
    scheme: Scheme = TEN_TIMES,
    **more: object,
) -> Evaluated:
    units = {name: np.array(one.folds[metric]) for name, one in models.items()}
    pairs = ({a: units[a], b: units[b]} for a, b in combinations(models, 2))
    return Evaluated(
        task="regression",
        target="y",
        classes=None,
        positive=None,
        metric=metric,
        confidence=0.95,
        scheme=scheme,
        train_rows=80,
        test_rows=20,
        columns={},
        judged=models,
        champion=champion,
        comparisons=[contrast(pair, metric, scheme, 0.95) for pair in pairs if len(units["mean"])],
        audits=[],
        warnings=[],
        **{"threshold": None} | more,
    )


def compare(found: Evaluated, a: str, b: str) -> Comparison:
    one = between(found.comparisons, a, b)
    assert one is not None
    return one


def verdict(found: Evaluated, tolerance: float) -> Verdict:
    return verdicts.verdict(found, tolerance, "")


def shifted(by: float, noise: float = 0.1) -> list[float]:
    other = np.random.default_rng(2).normal(size=50)
    return (np.array(BASE) + by + noise * other).tolist()


@pytest.mark.parametrize(
    ("ours", "trivial", "champion", "word", "words"),
    [
        (BASE, shifted(50), None, "accepted", "there is no champion yet"),
        (BASE, shifted(50), "ours", "accepted", "it is the champion"),
        (BASE, shifted(50), shifted(0), "accepted", "not worse than the champion"),
        (BASE, shifted(50), shifted(5), "accepted", "not worse than the champion"),
        (BASE, shifted(50), shifted(-5), "rejected", "worse than the champion"),
        (BASE, shifted(0), None, "undecided", "not distinguishable from the trivial model"),
        (BASE, shifted(-5), None, "rejected", "worse than the trivial model"),
        (BASE, shifted(0), shifted(-5), "rejected", "worse than the champion"),
        ([], [], None, "undecided", "100 rows are too few to judge by"),
    ],
)
def test_the_verdict_follows_from_the_paired_differences(
    ours: Scores, trivial: Scores, champion: Scores | str | None, word: str, words: str
) -> None:
    found = verdict(evaluated({"ours": ours}, trivial, champion), tolerance=0)
    assert (found.best, found.verdict) == ("ours", word)
    assert words in found.reason


@pytest.mark.parametrize(
    ("tolerance", "word", "words"),
    [
        (0, "rejected", "worse than the champion;"),
        (0.04, "rejected", "worse than the champion;"),
        (0.06, "accepted", "and worse than the champion within the tolerance of 6 %"),
    ],
)
def test_the_champion_may_be_missed_by_the_tolerance(
    tolerance: float, word: str, words: str
) -> None:
    """Five of 95 is 5.3 %."""
    found = verdict(evaluated({"ours": BASE}, shifted(50), shifted(-5)), tolerance)
    assert found.verdict == word
    assert words in found.reason


@pytest.mark.parametrize(("folds", "words"), [(4, "not distinguishable"), (6, "better")])
def test_folds_that_all_agree_decide_when_they_are_more_than_a_few(folds: int, words: str) -> None:
    """As in the sign test: 2 / 2^4 is more than 0.05, 2 / 2^6 less."""
    one_by_one = Scheme(leave_one_out=True, folds=folds, repeats=1, seed=0, rows=folds)
    pair = {"a": np.ones(folds), "b": np.zeros(folds)}
    found = contrast(pair, "accuracy", one_by_one, 0.95)
    assert found.words == words
    assert found.low < found.high


def test_more_is_better_for_accuracy() -> None:
    scores = {"low": [0.7] * 50, "high": (0.8 + 0.001 * NOISE).tolist()}
    found = verdict(evaluated(scores, [0.6] * 50, metric="accuracy"), tolerance=0)
    assert (found.best, found.verdict) == ("high", "accepted")
    assert compare(evaluated(scores, [0.6] * 50, metric="accuracy"), "low", "high").words == "worse"
    beaten = evaluated({"low": scores["low"]}, [0.6] * 50, scores["high"], metric="accuracy")
    assert verdict(beaten, tolerance=0).verdict == "rejected"
    assert verdict(beaten, tolerance=0.2).verdict == "accepted"


def test_pairs_are_compared_on_the_same_folds() -> None:
    """Folds differ by far more than the trainers do: only in pairs is that seen."""
    wide = (100 + 30 * NOISE).tolist()
    near = (np.array(wide) + 1 + 0.1 * np.random.default_rng(3).normal(size=50)).tolist()
    both = evaluated({"a": wide, "b": near}, shifted(500))
    assert compare(both, "a", "b").words == "better"
    assert compare(both, "b", "a").words == "worse"
    assert verdict(both, 0).best == "a"


def test_a_difference_of_rounding_is_none() -> None:
    same = evaluated({"a": BASE, "b": (np.array(BASE) - 1e-7).tolist()}, shifted(50))
    assert compare(same, "b", "a").words == "not distinguishable"
    assert verdict(same, 0).best == "a"  # the first of equals


@pytest.mark.parametrize(
    ("theirs", "trivial", "words"),
    [
        (3e-28, 1, "not distinguishable"),  # of a target without noise: R2 1 - 1e-28
        (3e-11, 1, "better"),
        (3e-11, 1e4, "not distinguishable"),
    ],
)
def test_what_rounding_leaves_of_the_trivial_score_is_no_difference(
    theirs: float, trivial: float, words: str
) -> None:
    wide = 1 + NOISE / 100
    scores = {"theirs": (theirs * wide).tolist(), "ours": (theirs / 3 * wide).tolist()}
    found = verdict(evaluated(scores, (trivial * wide).tolist()), 0)
    assert found.best == ("ours" if words == "better" else "theirs")  # of equals the first
    between_them = between(found.comparisons, "ours", "theirs")
    assert (found.verdict, between_them and between_them.words) == ("accepted", words)


def test_trainers_that_are_equally_good_are_seldom_told_apart() -> None:
    """Of folds whose differences are noise, at most one in twenty pairs is called different."""
    called = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        pair = evaluated({"a": BASE, "b": (np.array(BASE) + rng.normal(size=50)).tolist()}, BASE)
        called += compare(pair, "a", "b").words != "not distinguishable"
    assert called <= 15


def false_alarms(n: int, p: int, repeats: int, data_sets: int) -> float:
    """How often two models are told apart that see one half of what the target is made of each."""
    told = 0
    scheme = Scheme(leave_one_out=False, folds=5, repeats=repeats, seed=0, rows=n)
    cut = CrossValidation(folds=5, repeats=repeats, seed=0)
    for seed in range(data_sets):
        rng = np.random.default_rng(seed)
        halves = rng.normal(size=(2, n, p))
        y = halves[0, :, 0] + halves[1, :, 0] + rng.normal(size=n)
        cuts, units = folds(y, "regression", cut), {}
        for name, X in zip("ab", halves, strict=True):
            held = cross_validate("closed_form", {}, numbers(X), y, cuts)
            losses = [(fold.z - y[fold.rows]) ** 2 for fold in held]
            units[name] = np.concatenate(losses) if repeats == 1 else np.mean(losses, axis=1)
        told += contrast(units, "mse", scheme, 0.95).words != "not distinguishable"
    return told / data_sets


@pytest.mark.parametrize(
    ("n", "p", "data_sets", "most"),
    [(60, 2, 60, 0.12), *(pytest.param(*case, 300, 0.08, marks=NIGHTLY) for case in CASES)],
)
def test_equally_good_models_are_seldom_told_apart_row_by_row(
    n: int, p: int, data_sets: int, most: float
) -> None:
    assert false_alarms(n, p, 1, data_sets) <= most


@pytest.mark.parametrize(
    ("n", "ones", "data_sets", "most"),
    [
        (100, 10, 60, 0.1),
        *(pytest.param(*case, 300, 0.08, marks=NIGHTLY) for case in [(100, 20), (1000, 10)]),
    ],
)
def test_equally_good_models_are_seldom_told_apart_by_area(
    n: int, ones: int, data_sets: int, most: float, workspace: object
) -> None:
    """Few rows of a class in each fold: what they vary about is the class, not their fold."""
    content = yaml.safe_load(Path("params.yaml").read_text())
    judged_by = content["datasets"]["breast_cancer"]["evaluate"] | {"metric": "roc_auc"}
    content["datasets"]["breast_cancer"]["evaluate"] = judged_by
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    settings = load_params().dataset("breast_cancer")
    scheme = Scheme(leave_one_out=False, folds=5, repeats=1, seed=0, rows=n)
    y, told = (np.arange(n) < ones).astype(float), 0
    cuts = folds(y, "classification", CrossValidation(folds=5, repeats=1, seed=0))
    for seed in range(data_sets):
        z = y + np.random.default_rng(seed).normal(size=(2, n))
        held = [[OutOfFold(out, one[out], np.empty(0), 0.5) for _, out in cuts] for one in z]
        units = {
            name: compared_by({}, of_one, y, scheme, settings)
            for name, of_one in zip("ab", held, strict=True)
        }
        told += contrast(units, "roc_auc", scheme, 0.95).words != "not distinguishable"
    assert told <= most * data_sets


def draw(test: float) -> list[str]:
    more = {"test_mse": test, "cv_mse_low": 99.0, "cv_mse_high": 100.2}
    return verdict(evaluated({"ours": BASE}, shifted(50), **more), 0).notes


def test_an_unlucky_and_a_lucky_draw_are_called_so() -> None:
    assert draw(100) == draw(100.5) == []  # within the interval; beyond it, but not rare
    (bad,) = draw(140)
    assert bad.startswith("The one test split of 20 rows gives ours mse 140: an unlucky draw.")
    assert "Of 50 held-out folds of about 20 rows 0 were as bad" in bad
    (good,) = draw(50)
    assert "a lucky draw" in good


def test_of_trainers_that_differ_by_rounding_the_first_is_best() -> None:
    close = (np.array(BASE) * (1 - 5e-7)).tolist()
    assert verdict(evaluated({"a": BASE, "b": close}, shifted(50)), 0).best == "a"
    clear = (np.array(BASE) * (1 - 5e-5)).tolist()
    assert verdict(evaluated({"a": BASE, "b": clear}, shifted(50)), 0).best == "b"


def test_a_trainer_worse_than_the_trivial_model_is_named() -> None:
    grown = (np.array(BASE) * 10.0 ** np.arange(50)).tolist()  # too wild for an interval
    (note,) = verdict(evaluated({"ours": BASE, "grown": grown}, shifted(50)), 0).notes
    assert note.startswith("grown does worse than the trivial model")


def test_a_lopsided_dataset_is_called_so() -> None:
    accuracies = (0.93 + 0.005 * NOISE).tolist()
    (note,) = verdict(evaluated({"ours": accuracies}, [0.9] * 50, metric="accuracy"), 0).notes
    assert "right in 90% of rows" in note


@pytest.mark.parametrize(
    ("threshold", "area", "why"),
    [
        (Goal(recall="ill", at_least=0.98), 0.83, "chosen for the recall of ill"),
        (0.1, 0.83, "0.1"),
        (0.1, 0.49, None),
        (0.5, 0.83, None),
    ],
)
def test_a_threshold_that_costs_accuracy_is_the_reason(
    threshold: Goal | float, area: float, why: str | None
) -> None:
    """The trivial model takes the larger class, whatever recall is wanted."""
    low = (0.7 + 0.01 * NOISE).tolist()
    found = evaluated({"ours": low}, [0.9] * 50, metric="accuracy", cv_roc_auc=area)
    ours = found.judged["ours"].model_copy(update={"threshold": 0.1})
    models = found.judged | {"ours": ours}
    notes = verdict(of_models(models, metric="accuracy", threshold=threshold), 0).notes
    reason = "what it learns of the features does not hold for other rows"
    if why:
        reason = (
            f"its threshold is {why}, which costs accuracy; its roc_auc, which has no threshold, "
            "is 0.83"
        )
    worse = "ours does worse than the trivial model (accuracy 0.6996, mean 0.9)"
    assert notes[0] == f"{worse}: {reason}."
    wanted = "" if isinstance(threshold, Goal) else ", or a threshold for a recall,"
    assert notes[1].endswith(f"accuracy tells little here; metric: roc_auc{wanted} tells more.")


@pytest.mark.parametrize(("reached", "word"), [(0.97, "missed"), (0.985, "reached")])
def test_a_goal_is_held_against_rows_that_had_no_part_in_it(reached: float, word: str) -> None:
    found = evaluated({"ours": BASE}, shifted(50), cv_recall_ill=reached, cv_recall_ill_low=0.9)
    ours = found.judged["ours"].model_copy(update={"threshold": 0.7})
    goal = Goal(recall="ill", at_least=0.98)
    wanted = of_models(found.judged | {"ours": ours}, threshold=goal)
    (note,) = verdict(wanted, 0).notes
    assert note.startswith("Recall of ill of at least 0.98, at the threshold 0.7: " + word)


def test_the_reference_stands_beside_the_best() -> None:
    found = evaluated({"ours": BASE}, shifted(50))
    theirs = judged("reference", "theirs", "mse", shifted(5))
    (note,) = verdict(of_models(found.judged | {"theirs": theirs}), 0).notes
    assert note.startswith("ours is better than scikit-learn's theirs: mse -")


def test_a_dataset_without_a_model_of_its_own_is_undecided() -> None:
    """The reference model and the baseline alone are no reason to accept anything."""
    given = verdict(evaluated({}, shifted(50)), 0)
    assert (given.best, given.verdict, given.notes) == ("theirs", "undecided", [])
    assert given.reason == "params.yaml: models has no model of this dataset yet"
