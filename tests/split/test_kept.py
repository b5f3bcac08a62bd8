"""Rows of one group, or of one moment, on one side of every cut: of the split, and of each fold."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, TimeSeriesSplit

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import Evaluated, Scheme, read_evaluated
from pipeline.core.artifacts.splits import read_split
from pipeline.core.columns import of_numbers
from pipeline.core.errors import PipelineError
from pipeline.core.kept import Kept, kept_together
from pipeline.core.params import load_params
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.core.settings.split import SplitRows
from pipeline.core.tables import read_table
from pipeline.core.trainers import Task
from pipeline.evaluate.cross_validation import choose_threshold
from pipeline.evaluate.folds import folds
from pipeline.evaluate.intervals import resampled
from pipeline.evaluate.judge import _of_kept
from pipeline.evaluate.verdict import verdict
from pipeline.split.sides import sides
from tests.split.conftest import Run, Split, people
from tests.split.test_sides import features, parts

CUT = CrossValidation(folds=5, repeats=3, seed=0)
COLUMNS = {"id": "drop", "part": "drop", "day": "drop"}


def settings(split: dict[str, object]) -> Dataset:
    block = {"task": "regression", "target": "y", "split": split, "evaluate": {}}
    return Dataset.model_validate(block | {"ingest": {"source": "data/raw/a.csv"}})


def random_kept(draw: np.random.Generator, kind: str) -> Kept:
    n, of = int(draw.integers(30, 120)), int(draw.integers(7, 40))
    codes = np.unique(draw.integers(0, of, n), return_inverse=True)[1]
    return Kept("groups" if kind == "groups" else "moments", codes)


def test_of_1000_random_tables_no_group_is_on_both_sides() -> None:
    draw = np.random.default_rng(0)
    for seed in range(1000):
        codes = draw.integers(0, draw.integers(2, 30), draw.integers(20, 200))
        table, share = pa.table({"g": codes, "y": codes * 1.0}), float(draw.uniform(0.1, 0.5))
        one, used = settings({"group": "g", "test_size": share}), np.arange(len(codes))
        if len(np.unique(codes)) < 2:
            continue
        train, test = sides(table, used, codes * 1.0, one, seed, "datasets.a")
        assert not {*codes[train]} & {*codes[test]}
        assert sorted([*train, *test]) == used.tolist()
        assert len(np.unique(codes[test])) == np.ceil(share * len(np.unique(codes)))


def test_groups_are_those_of_scikit_learn(split: Split) -> None:
    assert split(people(), {"columns": COLUMNS, "group": "id"})[0] == 0
    ids = people()["id"].factorize()[0]
    drawn = GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=1234)
    train, test = next(drawn.split(ids, groups=ids))
    assert parts() == (train.tolist(), test.tolist())
    assert features() == ["x"]


def test_the_last_moments_test_and_none_is_parted(split: Split) -> None:
    table = people()
    kinds = {"id": "drop", "part": "drop"}
    assert split(table, {"columns": kinds, "time": "day", "test_size": 0.21})[0] == 0
    train, test = parts()
    assert table["day"][train].max() < table["day"][test].min()
    assert len(test) == 20  # 19 would part a day
    assert features() == ["x"]
    kinds |= {"day": "date"}
    assert split(table, {"columns": kinds, "time": "day", "test_size": 0.21})[0] == 0
    assert features() == ["x", "day"]
    assert split(table, {"columns": COLUMNS | {"x": "number"}, "time": "x"})[0] == 0
    train, test = parts()
    assert table["x"][train].max() < table["x"][test].min()


def test_moments_are_told_by_their_time_not_by_their_text() -> None:
    texts = ["2024-01-31T23:00:00", "2024-02-01T01:00:00+02:00", "2024-01-02", "2023-12-31"]
    table = pa.table({"t": texts})
    kept = kept_together(table, np.arange(4), SplitRows(time="t"), "datasets.a")
    assert kept is not None
    assert kept.codes.tolist() == [2, 2, 1, 0]


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_folds_part_no_group_and_hold_out_each_row_once_a_repeat(task: Task) -> None:
    draw = np.random.default_rng(1)
    for _ in range(40):
        kept = random_kept(draw, "groups")
        y = draw.integers(0, 2, len(kept.codes)).astype(float)
        cuts = folds(y, task, CUT, kept=kept)
        for train, out in cuts:
            assert not {*kept.codes[train]} & {*kept.codes[out]}
            assert len(train) + len(out) == len(y)
        held = np.bincount(np.concatenate([out for _, out in cuts]))
        assert held.tolist() == [3] * len(y)
        again = folds(y, task, CUT, kept=kept)
        assert [out.tolist() for _, out in again] == [out.tolist() for _, out in cuts]


def test_few_groups_and_few_rows_are_held_out_one_by_one() -> None:
    y = np.arange(60.0)
    cuts = folds(y, "regression", CUT, kept=Kept("groups", np.arange(60) % 4))
    assert [len(out) for _, out in cuts] == [15] * 4
    cuts = folds(y[:20], "regression", CUT, kept=Kept("groups", np.arange(20) // 2))
    assert sorted(tuple(out.tolist()) for _, out in cuts) == [(k, k + 1) for k in range(0, 20, 2)]


def test_folds_of_moments_go_forward() -> None:
    draw = np.random.default_rng(2)
    for _ in range(40):
        kept = random_kept(draw, "moments")
        cuts = folds(draw.normal(size=len(kept.codes)), "regression", CUT, kept=kept)
        assert 1 <= len(cuts) <= 5
        held = np.concatenate([out for _, out in cuts])
        assert len(np.unique(held)) == len(held)
        for train, out in cuts:
            assert kept.codes[train].max() + 1 == kept.codes[out].min()
            assert set(train.tolist()) == set(np.flatnonzero(kept.codes < kept.codes[out].min()))


def test_folds_of_rows_of_their_own_moments_are_those_of_scikit_learn() -> None:
    order: NDArray[np.intp] = np.random.default_rng(0).permutation(50)
    cuts = folds(np.zeros(50), "regression", CUT, kept=Kept("moments", np.argsort(order)))
    for (train, out), (theirs, of_them) in zip(cuts, TimeSeriesSplit(5).split(order), strict=True):
        assert sorted(order[theirs].tolist()) == train.tolist()
        assert sorted(order[of_them].tolist()) == out.tolist()


def test_a_fold_that_would_train_without_a_class() -> None:
    y = np.zeros(40)
    y[:4] = 1
    with pytest.raises(PipelineError, match="label 1, counted from 0, is in so few groups"):
        folds(y, "classification", CUT, kept=Kept("groups", np.arange(40) // 4))
    y = np.zeros(40)
    y[12::3] = 1  # none before the twelfth moment
    cuts = folds(y, "classification", CUT, kept=Kept("moments", np.arange(40)))
    assert [len(train) for train, _ in cuts] == [16, 22, 28, 34]
    with pytest.raises(PipelineError, match=r"the 40 rows are of 1 moment \(split\.time\)"):
        folds(y, "classification", CUT, kept=Kept("moments", np.zeros(40, dtype=int)))
    with pytest.raises(PipelineError, match="all 40 rows are of one group"):
        folds(y, "classification", CUT, kept=Kept("groups", np.zeros(40, dtype=int)))


def evaluated(run: Run) -> Evaluated:
    for stage in ("train people model", "evaluate people"):
        code, said = run(stage)
        assert code == 0, said
    return read_evaluated("people")


def test_what_is_known_of_a_group_helps_no_other(split: Split, run: Run) -> None:
    """The label is the person's: drawn rows have it from others of theirs, whole groups do not."""
    labels = np.random.default_rng(5).permutation(np.repeat([0, 1], 15))
    table = people().assign(y=[("often", "rare")[labels[k // 3]] for k in range(90)])
    block = {"columns": COLUMNS | {"id": "category"}, "rare": 1}
    assert split(table, block)[0] == 0
    drawn = evaluated(run)
    assert split(table, block | {"group": "id"})[0] == 0
    grouped = evaluated(run)
    assert (drawn.judged["model"].scores["cv_accuracy"] or 0) > 0.9
    assert (grouped.judged["model"].scores["cv_accuracy"] or 1) < 0.7
    assert (grouped.scheme.kept, grouped.scheme.folds, grouped.scheme.repeats) == ("groups", 5, 10)
    (audit,) = [one for one in grouped.audits if one.name == "kept_apart"]
    assert (audit.passed, audit.text) == (True, "0 of 30 groups have training and test rows")
    assert not [one for one in drawn.audits if one.name == "kept_apart"]


def test_rows_of_a_group_that_is_new_are_predicted(split: Split, run: Run) -> None:
    assert split(people(), {"columns": COLUMNS, "group": "id"})[0] == 0
    evaluated(run)
    Path("new.csv").write_text("id,x,part,day\nnew,0.5,,\n")
    code, said = run("predict people new.csv --model model -o out.csv")
    assert code == 0, said
    assert Path("out.csv").read_text().startswith("id,x,part,day,predicted_y,")


def test_a_group_that_was_put_on_both_sides_is_found(split: Split, run: Run) -> None:
    assert split(people(), {"columns": COLUMNS, "group": "id"})[0] == 0
    train, test = parts()
    path = layout.split_rows("people")
    path.write_text(json.dumps({"train": [*train[:-1], test[0]], "test": [train[-1], *test[1:]]}))
    code, said = run("train people model")
    assert code == 0
    code, said = run("evaluate people")
    assert code == 2
    assert "do not belong together" in said


def test_moments_are_judged_forward_without_intervals_of_weights(split: Split, run: Run) -> None:
    table = people().assign(y=lambda rows: rows["x"] + np.arange(90) / 9)
    block = {"columns": {"id": "drop", "part": "drop"}, "time": "day"}
    assert split(table, block, "regression")[0] == 0
    found = evaluated(run)
    assert (found.scheme.kept, found.scheme.folds, found.scheme.repeats) == ("moments", 5, 1)
    assert not found.scheme.by_rows
    one = found.judged["model"]
    assert len(one.folds["mse"]) == 5
    assert {c.low for c in one.coefficients} == {None}
    (audit,) = [each for each in found.audits if each.name == "kept_apart"]
    assert audit.passed
    assert "0 of 18 test rows are not later than all that train" in audit.text
    code, said = run("sweep people model lr=0.05,0.1")
    assert code == 0, said


def test_folds_count_for_what_they_hold_out() -> None:
    """Of rows that are all of their own moment fold j holds out 1/j of those that train."""
    found = _of_kept(
        folds(np.zeros(60), "regression", CUT, kept=Kept("moments", np.arange(60))),
        Kept("moments", np.arange(60)),
    )
    share = (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5
    assert found == {
        "repeats": 1, "folds": 5, "kept": "moments", "share": pytest.approx(share), "groups": None,
    }  # fmt: skip
    kept = Kept("groups", np.arange(60) // 6)
    found = _of_kept(folds(np.zeros(60), "regression", CUT, kept=kept), kept)
    assert found == {
        "repeats": 3, "folds": 5, "kept": "groups", "share": pytest.approx(1 / 4), "groups": 10,
    }  # fmt: skip
    scheme = Scheme(leave_one_out=False, seed=0, rows=60, **found)
    assert scheme.even_folds == pytest.approx(5)
    wide, narrow = (resampled([1, 2, 3, 5] * 9, 5, 0.95, most) for most in (10, np.inf))
    assert wide is not None
    assert narrow is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_groups_of_one_class_is_not_accepted(split: Split, run: Run, seed: int) -> None:
    """Held out alone, such a group makes its class the smaller of the others."""
    draw = np.random.default_rng(seed)
    labels = draw.permutation(np.repeat([0, 1], 5))
    table = people(30).assign(y=[("often", "rare")[labels[k // 3]] for k in range(30)])
    table["x"] = draw.normal(size=30)
    assert split(table.iloc[:28], {"columns": COLUMNS, "group": "id", "test_size": 0})[0] == 0
    found = evaluated(run)
    assert (found.judged["majority"].scores["cv_accuracy"] or 0) > 0.4
    assert verdict(found, 0.0, "").verdict != "accepted"


def test_more_groups_than_rows_of_a_class_are_cut_all_the_same() -> None:
    y, kept = np.arange(24) % 2 * 1.0, Kept("groups", np.arange(24))
    assert len(folds(y, "classification", CUT, kept=kept)) == 24
    y, kept = np.arange(60) % 20 * 1.0, Kept("groups", np.arange(60))
    assert len(folds(y, "classification", CUT, kept=kept)) == 3 * 3


def test_two_moments_are_one_fold(split: Split, run: Run) -> None:
    cuts = folds(np.zeros(30), "regression", CUT, kept=Kept("moments", np.arange(30) // 15))
    assert [(len(train), len(out)) for train, out in cuts] == [(15, 15)]


def test_no_threshold_can_be_chosen_without_a_row_of_its_class(split: Split, run: Run) -> None:
    y = np.zeros(60)
    y[[0, 1, 58, 59]] = 1
    raw = of_numbers(["x"], np.random.default_rng(0).normal(size=(60, 1)))
    kept, goal = Kept("moments", np.arange(60)), Goal(recall="rare", at_least=0.9)
    with pytest.raises(PipelineError, match="threshold: no row of rare can be held out"):
        first = np.arange(50)
        given = ("logistic_regression", {}, raw[first], y[first], ["often", "rare"])
        choose_threshold(goal, *given, kept.of(first))


def test_test_rows_of_whole_groups_have_no_intervals(split: Split, run: Run) -> None:
    assert split(people(), {"columns": COLUMNS, "group": "id"})[0] == 0
    scores = evaluated(run).judged["model"].scores
    assert scores["test_accuracy"] is not None
    assert {scores["test_accuracy_low"], scores["test_accuracy_high"]} == {None}


def test_an_area_needs_a_fold_of_two_classes(split: Split, run: Run) -> None:
    table = people(60).assign(id=[f"g{k // 12}" for k in range(60)])
    table["y"] = np.where(np.arange(60) // 12 % 2, "rare", "often")
    assert split(table, {"columns": COLUMNS, "group": "id"})[0] == 0
    scored = "threshold: 0.5\n      metric: roc_auc"
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("threshold: 0.5", scored))
    assert run("train people model")[0] == 0
    code, said = run("evaluate people")
    assert code == 2
    assert "people.evaluate.metric: no fold holds out rows of two classes" in said


def test_a_group_that_params_name_wrongly_since_the_split(split: Split, run: Run) -> None:
    assert split(people(), {"columns": COLUMNS, "group": "id"})[0] == 0
    assert run("train people model")[0] == 0
    layout.PARAMS.write_text(layout.PARAMS.read_text().replace("group: id", "group: idd"))
    code, said = run("evaluate people")
    assert code == 2
    assert "datasets.people.split.group: there is no column idd (did you mean id?)" in said


def test_moments_that_are_no_dates_and_those_that_stand_for_none(split: Split, run: Run) -> None:
    kept = kept_together(
        pa.table({"t": [2**60 + 1, 2**60]}), np.arange(2), SplitRows(time="t"), "datasets.a"
    )
    assert kept is not None
    assert kept.codes.tolist() == [1, 0]
    table = people()
    table["day"] = table["day"].astype(str).where(np.arange(90) % 5 > 0, "9999-12-31")
    split(table, {"columns": {"id": "drop", "part": "drop"}, "time": "day"})
    code, said = run("validate people")
    assert code == 0
    assert "column day: 18 of 90 dates are 9999-12-31" in said


def test_a_threshold_is_chosen_on_folds_of_whole_groups(split: Split, run: Run) -> None:
    table = people()
    table["y"] = np.where(table["x"] + np.sin(table.index) > 0, "rare", "often")
    assert split(table, {"columns": COLUMNS, "group": "id"})[0] == 0
    params = load_params()
    rows = read_split("people", params.dataset("people"), read_table(layout.ingested("people")))
    assert rows.kept is not None
    goal = Goal(recall="rare", at_least=0.9)
    given = ("bcpm", params.model_of("people", "model").params, rows.raw, rows.y)
    by_rows = choose_threshold(goal, *given, ["often", "rare"])
    by_groups = choose_threshold(goal, *given, ["often", "rare"], rows.kept)
    assert by_rows is not None
    assert by_groups is not None
    assert by_rows != by_groups
