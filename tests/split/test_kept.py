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
from pipeline.core.errors import PipelineError
from pipeline.core.kept import Kept, kept_together
from pipeline.core.params import load_params
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.evaluate import CrossValidation, Goal
from pipeline.core.settings.split import SplitRows
from pipeline.core.tables import read_table
from pipeline.core.trainers import Task
from pipeline.evaluate.cross_validation import choose_threshold, folds
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
    with pytest.raises(PipelineError, match="all rows of class 1"):
        folds(y, "classification", CUT, kept=Kept("groups", np.arange(40) // 4))
    y = np.zeros(40)
    y[12::3] = 1  # none before the twelfth moment
    cuts = folds(y, "classification", CUT, kept=Kept("moments", np.arange(40)))
    assert [len(train) for train, _ in cuts] == [16, 22, 28, 34]
    with pytest.raises(PipelineError, match=r"split\.time: the 40 rows are of 1 moment"):
        folds(y, "classification", CUT, kept=Kept("moments", np.zeros(40, dtype=int)))
    with pytest.raises(PipelineError, match=r"split\.group: all 40 rows are of one group"):
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


def test_folds_forward_count_for_what_they_hold_out() -> None:
    """Of k folds forward fold j holds out as much as 1/j of the rows that train."""
    scheme = Scheme(leave_one_out=False, kept="moments", folds=4, repeats=1, seed=0, rows=50)
    share = (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4
    assert scheme.even_folds == pytest.approx(1 + 1 / share)
    assert scheme.model_copy(update={"kept": "groups"}).even_folds == 4


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
