"""Which rows test: drawn by class, by what they hold, or as a column says; through the stage."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.model_selection import train_test_split

from pipeline.core import layout
from pipeline.core.settings import dataset
from pipeline.split.sides import by_hash
from tests.split.conftest import Split, people

OTHERS = {"id": "drop", "day": "drop"}
KINDS = {"id": "drop", "part": "drop", "day": "drop"}


def parts() -> tuple[list[int], list[int]]:
    rows = json.loads(layout.split_rows("people").read_text())
    return rows["train"], rows["test"]


def features() -> list[str]:
    return [*json.loads(layout.scaler("people").read_text())]


def test_classes_are_on_both_sides_in_their_shares_unless_it_says_random(split: Split) -> None:
    table = people()
    labels = (table["y"] == "rare").astype(float)
    assert split(table, {"columns": KINDS})[0] == 0
    theirs = train_test_split(np.arange(90), test_size=0.2, random_state=1234, stratify=labels)
    assert parts() == (theirs[0].tolist(), theirs[1].tolist())
    assert labels[parts()[1]].sum() == 2
    assert split(table, {"columns": KINDS, "by": "random"})[0] == 0
    theirs = train_test_split(np.arange(90), test_size=0.2, random_state=1234)
    assert parts() == (theirs[0].tolist(), theirs[1].tolist())


@pytest.mark.parametrize("key", [None, "id"])
def test_rows_that_come_later_move_none(split: Split, key: str | None) -> None:
    table = people()
    block: dict[str, object] = {"columns": KINDS, "by": "hash", "test_size": 0.3}
    block |= {} if key is None else {"key": key}
    assert split(table.iloc[:60], block)[0] == 0
    before = parts()
    more = table.iloc[60:].assign(id=lambda rows: "later " + rows["id"])
    assert split(pd.concat([more.iloc[:15], table.iloc[:60], more.iloc[15:]]), block)[0] == 0
    now = parts()
    assert [k - 15 for k in now[0] if 15 <= k < 75] == before[0]
    assert [k - 15 for k in now[1] if 15 <= k < 75] == before[1]
    if key is not None:
        people_of = [{k // 3 for k in rows} for rows in before]
        assert not people_of[0] & people_of[1]


def test_the_order_of_columns_and_a_point_behind_a_number_move_no_row(split: Split) -> None:
    table = people().assign(x=np.arange(90))
    block = {"columns": KINDS, "by": "hash"}
    assert split(table, block)[0] == 0
    before = parts()
    other = table[["x", "y", "day", "id", "part"]].assign(x=table["x"].astype(float))
    assert split(other, block)[0] == 0
    assert parts() == before


@given(st.sets(st.text(max_size=9), max_size=40), st.text(max_size=9), st.integers(0, 2**32 - 1))
def test_a_row_stays_whatever_comes_beside_it(keys: set[str], key: str, seed: int) -> None:
    alone = by_hash([key], 0.4, seed)[1]
    test = by_hash([*keys, key], 0.4, seed)[1]
    assert (len(keys) in test) == (len(alone) == 1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_the_share_is_that_asked_for_but_for_chance(share: float, seed: int) -> None:
    train, test = by_hash([str(k) for k in range(20_000)], share, seed)
    assert binomtest(len(test), 20_000, share).pvalue > 1e-4
    assert sorted([*train, *test]) == [*range(20_000)]
    assert not len(by_hash(["a"], 0.0, seed)[1])


def test_seeds_part_rows_otherwise() -> None:
    keys = [str(k) for k in range(1000)]
    both = {*by_hash(keys, 0.2, 1)[1]} & {*by_hash(keys, 0.2, 2)[1]}
    assert 20 < len(both) < 60  # by chance 40


def test_a_column_says_it_and_is_no_feature(split: Split) -> None:
    table = people()
    assert split(table, {"columns": OTHERS, "column": "part"})[0] == 0
    expected = table["part"] == "test"
    assert parts() == ([*np.flatnonzero(~expected)], [*np.flatnonzero(expected)])
    assert features() == ["x"]


def test_a_key_is_no_feature_unless_it_is_declared_as_one(split: Split) -> None:
    block: dict[str, object] = {
        "by": "hash",
        "key": "id",
        "columns": {"part": "drop", "day": "drop"},
    }
    assert split(people(), block)[0] == 0
    assert features() == ["x"]
    kinds = {"part": "drop", "day": "drop", "id": "category"}
    assert split(people(), block | {"columns": kinds, "rare": 2})[0] == 0
    assert "id=p11" in features()


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"by": "hash", "key": "idd"}, "split.key: there is no column idd (did you mean id?)"),
        ({"column": "y"}, "split.column: there is no column y (it is the target)"),
        ({"column": "id"}, "split.column: id says 'p0', 'p1', 'p2'"),
        ({"key": "id"}, "key: goes with by: hash only"),
        ({"column": "part", "test_size": 0.2}, "column and test_size: each says which rows test"),
        ({"column": "part", "by": "hash"}, "by and column: each says which rows test"),
        ({"group": "id", "time": "day"}, "group and time: each says which rows test"),
        ({"group": "idd"}, "split.group: there is no column idd (did you mean id?)"),
        ({"time": "part"}, "split.time: part is 'train' in some rows, expected numbers, or dates"),
        ({"group": "id", "test_size": 0.99}, "test_size: 0.99 of 30 groups by id leaves none"),
        (
            {"time": "day", "test_size": 0.99},
            "test_size: 0.99 of the rows are those of all",
        ),
        ({"by": "group"}, "split.by: expected 'random', 'stratified' or 'hash', got"),
        ({"test_size": 0.01}, "split.test_size: 0.01 of 90 rows leaves 89 to train and 1 to test"),
    ],
)
def test_what_parts_no_rows_is_refused(split: Split, block: dict[str, object], said: str) -> None:
    code, message = split(people(), {"columns": KINDS} | block)
    assert code == 2
    assert said in message
    assert not layout.split("people").exists()


def test_gaps_in_what_parts_the_rows_are_refused(split: Split) -> None:
    table = people()
    table["day"] = table["day"].astype(str)
    table.loc[7, ["id", "part", "day"]] = None
    code, message = split(table, {"columns": KINDS, "by": "hash", "key": "id"})
    assert (code, "split.key: id is missing in 1 rows" in message) == (2, True)
    code, message = split(table, {"columns": KINDS, "column": "part"})
    assert (code, "split.column: part says nothing in some rows" in message) == (2, True)
    for key, name in (("group", "id"), ("time", "day")):
        code, message = split(table, {"columns": KINDS, key: name})
        assert code == 2
        assert f"split.{key}: {name} is missing in 1 of 90 rows" in message


def test_of_more_rows_than_are_drawn_each_is_parted_by_what_it_holds(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = people()
    assert split(table, {"columns": KINDS, "by": "hash"})[0] == 0
    told = parts()
    assert "[hashed]" not in layout.split_warnings("people").read_text()
    for declared in ({}, {"by": "random"}, {"by": "stratified"}):
        monkeypatch.setattr(dataset, "DRAWN", 90)
        assert split(table, {"columns": KINDS, **declared})[0] == 0
        assert parts() != told
        monkeypatch.setattr(dataset, "DRAWN", 89)
        assert split(table, {"columns": KINDS, **declared})[0] == 0
        assert parts() == told
        assert "say by: hash" in layout.split_warnings("people").read_text()
    for other in ({"group": "id"}, {"time": "day"}, {"test_size": 0}):
        assert split(table, {"columns": OTHERS | {"part": "drop"}, **other})[0] == 0
        assert "[hashed]" not in layout.split_warnings("people").read_text()


def test_sides_without_rows(split: Split) -> None:
    table = people().assign(part="test")
    code, message = split(table, {"columns": OTHERS, "column": "part"})
    assert (code, "split.column: part says train in no row" in message) == (2, True)
    assert split(table.assign(part="train"), {"columns": OTHERS, "column": "part"})[0] == 0
    assert parts() == ([*range(90)], [])


def test_a_class_of_one_row_cannot_be_on_both_sides(split: Split) -> None:
    table = people().assign(y=lambda rows: np.where(rows.index == 40, "rare", "often"))
    code, message = split(table, {"columns": KINDS})
    assert code == 2
    assert "datasets.people.split: class 'rare' has 1 row, and is to be among" in message
    assert "say by: random" in message


def test_numbers_have_no_classes(split: Split) -> None:
    table = people().assign(y=np.arange(90.0))
    code, message = split(table, {"columns": KINDS, "by": "stratified"}, "regression")
    assert (code, "split.by: stratified goes with task: classification only" in message) == (
        2,
        True,
    )
    assert split(table, {"columns": KINDS}, "regression")[0] == 0
    theirs = train_test_split(np.arange(90), test_size=0.2, random_state=1234)
    assert parts() == (theirs[0].tolist(), theirs[1].tolist())
