"""What a table is warned of: each kind where it is so, and none where it is not."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.artifacts.trained_on import TrainedOn
from pipeline.core.tables import ROW_GROUP, write_table
from pipeline.validate.data_warnings import data_warnings
from pipeline.validate.profile import Profile
from pipeline.validate.values import Source
from tests.faults.small import REGRESSION, rows, write_small


def warned(
    folder: Path,
    columns: Mapping[str, object],
    before: Mapping[str, np.ndarray] | None = None,
    dropped: Sequence[str] = (),
) -> dict[str, str]:
    """The warnings about a table with target y, by kind; of `before` the champion was trained."""
    write_table(path := folder / "a.parquet", pa.table(columns))
    trained_on = None
    if before is not None:
        ranges = {n: {"min": float(x.min()), "max": float(x.max())} for n, x in before.items()}
        entry = {"rows": 400, "of": 400, "columns": ranges}
        trained_on = TrainedOn.model_validate(entry)
    profile = Profile(path, "y", trained_on=trained_on, dropped=dropped)
    found = data_warnings(profile, Source(path, "line", range(2, profile.rows + 2)))
    assert len({kind for kind, _ in found}) == len(found)
    return {str(kind): text for kind, text in found}


def noise(n: int = 40, columns: str = "aby") -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=n) for name in columns}


def with_gaps(values: np.ndarray) -> pa.Array:
    return pa.array([None if k % 7 == 3 else x for k, x in enumerate(values.tolist())])


def test_noise_is_warned_of_nothing(tmp_path: Path) -> None:
    table = noise()
    words = [f"r{k}" for k in range(40)]
    assert warned(tmp_path, table) == {}
    assert warned(tmp_path, {"t": words, **table, "a": with_gaps(table["a"])}) == {}


def test_rare_classes_are_named(tmp_path: Path) -> None:
    words = np.repeat(["a", "b", "c", "d"], [96, 2, 100, 2])
    write_table(tmp_path / "a.parquet", pa.table({"x": np.arange(200.0), "y": words}))
    profile = Profile(tmp_path / "a.parquet", "y", labels=True)
    found = dict(data_warnings(profile, Source(tmp_path, "line", range(2, 202))))
    assert "of 200 rows few have y b (2), d (2): accuracy hardly counts" in found["rare_class"]
    write_table(tmp_path / "a.parquet", pa.table({"x": np.arange(192.0), "y": words[4:196]}))
    profile = Profile(tmp_path / "a.parquet", "y", labels=True)
    assert "rare_class" in dict(data_warnings(profile, Source(tmp_path, "line", range(2, 194))))


def test_of_columns_that_are_dropped_nothing_is_said(tmp_path: Path) -> None:
    table = noise()
    odd = table["b"].copy()
    odd[[3, 8, 20]] = -200
    columns = table | {
        "n": np.arange(40), "twice": 2 * table["a"], "same": table["y"], "odd": odd,
        "far": 1e14 + table["b"],
    }  # fmt: skip
    every = {"row_numbers", "multiple", "giveaway", "sentinel", "lost_digits"}
    before = {"twice": table["a"] * 1e-6}
    assert {*warned(tmp_path, columns)} ^ every == set()
    assert {*warned(tmp_path, columns, before)} == {*every, "drift"}
    assert warned(tmp_path, columns, before, [*columns.keys() - table.keys()]) == {}


def test_sentinels_are_named_with_what_to_declare(tmp_path: Path) -> None:
    table = noise()
    table["a"][[3, 8, 20]] = -200
    found = warned(tmp_path, {"t": ["x", *"r" * 39], **table, "b": with_gaps(table["b"])})
    assert [*found] == ["sentinel"]
    assert "column a: 3 of 40 values are -200, all others lie in" in found["sentinel"]
    assert 'missing: ["-200"]' in found["sentinel"]


def test_sentinels_are_found_in_gaps_and_in_many_rows(tmp_path: Path) -> None:
    table = noise(ROW_GROUP + 50)
    table["a"][::50] = -999
    assert "values looked at are -999" in warned(tmp_path, table)["sentinel"]
    values = np.append(noise()["a"], [-999] * 7)
    found = warned(tmp_path, {"a": with_gaps(values), "y": np.append(noise()["y"], np.arange(7.0))})
    assert "6 of 40 values are -999" in found["sentinel"]


def test_a_multiple_names_both_columns_and_the_factor(tmp_path: Path) -> None:
    table = noise()
    found = warned(tmp_path, {"a": table["a"], "b": 2.54 * table["a"], "y": table["y"]})
    assert "column b is column a times 2.54, but for rounding, in all 40" in found["multiple"]
    assert "multiple" not in warned(tmp_path, {"a": table["a"], "y": 2 * table["a"]})  # giveaway


@pytest.mark.parametrize("n", [31, ROW_GROUP + 9])
@pytest.mark.parametrize(("sign", "never"), [(1, "falls"), (-1, "rises")])
def test_a_file_sorted_by_its_target(tmp_path: Path, n: int, sign: int, never: str) -> None:
    table = noise(n)
    target = sign * np.sort(table["y"])
    found = warned(tmp_path, {**table, "y": target})
    assert f"in all {n} it never {never}, over {n} values" in found["sorted"]
    target[[n - 2, n - 1]] = target[[n - 1, n - 2]]
    assert warned(tmp_path, {**table, "y": target}) == {}


def test_few_rows_or_values_in_order_are_chance(tmp_path: Path) -> None:
    table = noise(30)
    assert warned(tmp_path, {**table, "y": np.sort(table["y"])}) == {}
    table = noise()
    assert warned(tmp_path, {**table, "y": np.arange(40) // 15.0}) == {}


def totalled(values: np.ndarray) -> np.ndarray:
    return np.append(values, values.sum())


def test_a_last_row_that_is_the_sum_of_the_others(tmp_path: Path) -> None:
    table = {name: totalled(np.exp(x)) for name, x in noise().items()}
    found = warned(tmp_path, table)
    assert "line 42 is the sum of the 40 rows above it in 3 of 3 columns of" in found["total"]
    table["b"][-1] = 1  # half of the columns are enough, a third is not
    assert "in 2 of 3 columns" in warned(tmp_path, table)["total"]
    table["a"][-1] = 1
    assert "total" not in warned(tmp_path, table)


def test_a_row_that_is_named_a_total(tmp_path: Path) -> None:
    label = [*"abcdefgh", "合计", *"ijkl"]
    x = np.random.default_rng(0).uniform(1, 2, size=12)
    y = np.random.default_rng(1).uniform(1, 2, size=13)
    summed = np.concatenate([x[:8], [x[:8].sum()], x[8:]])
    found = warned(tmp_path, {"t": label, "x": summed, "y": y})
    assert "line 10 (合计) is the sum of the 8 rows above it in 1 of 2 columns" in found["total"]
    assert "total" not in warned(tmp_path, {"t": label, "x": y[::-1], "y": y})
    assert "total" not in warned(tmp_path, {"t": ["r"] * 13, "x": summed, "y": y})


@pytest.mark.parametrize(
    ("power", "words"),
    [(1, "10 times too large"), (3, "1000 times too large"), (-2, "100 times too small")],
)
def test_another_power_of_ten_than_the_champion_knows(
    tmp_path: Path, power: int, words: str
) -> None:
    before = {name: x + 5 for name, x in noise(400).items()}
    now = {name: x[:200] for name, x in before.items()}
    found = warned(tmp_path, {**now, "a": now["a"] * 10.0**power}, before)
    assert [*found] == ["unit"]
    assert f"nearly all are {words}" in found["unit"]


@pytest.mark.parametrize("change", [lambda x: 3 * x, lambda x: x + 20])
def test_what_has_moved_otherwise_is_a_drift(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    before = {name: x + 5 for name, x in noise(400).items()}
    assert [*warned(tmp_path, {**before, "a": change(before["a"])}, before)] == ["drift"]


def test_ids_that_a_float_made_equal(tmp_path: Path) -> None:
    ids = np.array([float(12345678901234567890 + 100 * k) for k in range(40)])
    found = warned(tmp_path, {**noise(), "a": ids})
    assert [*found] == ["equal_ids"]
    assert "40 numbers beyond 2^53, so near each other that floats tell" in found["equal_ids"]
    assert len(np.unique(ids)) <= 3
    for measured in (1e18 * np.exp(noise()["a"]), ids % 2**50, 6e23 + noise()["a"] * 1e20):
        assert "equal_ids" not in warned(tmp_path, {**noise(), "a": measured})


def test_what_is_muted_is_counted_by_validate_and_split(
    run: Callable[[str], tuple[int, str]], workspace: Path
) -> None:
    rng = np.random.default_rng(0)
    read, math = rng.integers(40, 90, size=(2, 30)).astype(float)
    read[[3, 9, 12]] = -999
    csv = rows("read,math,score", read, math, (read + math) / 2)
    csv = csv.replace("score", "y")
    source = "source: data/raw/small.csv"
    columns = dict.fromkeys(["read", "math", "y"], "dtype: float64")
    write_small(workspace, csv, columns, REGRESSION)
    assert run("ingest small")[0] == 0
    code, said = run("validate small")
    assert (code, said.count("[sentinel]")) == (0, said.count("\n"))
    several = said.count("\n")
    assert run("split small")[1].count("[together]") == 1
    block = REGRESSION.replace(source, f"{source}, mute: [sentinel, together]")
    write_small(workspace, csv, columns, block)
    assert run("ingest small")[0] == 0
    assert run("validate small") == run("split small") == (0, "")
    report = json.loads((workspace / "data/2_validated/small/report.json").read_text())
    s = "" if several == 1 else "s"
    where = "(params.yaml: datasets.small.ingest.mute)"
    assert report["warnings"] == [f"{several} warning{s} muted: {several} sentinel {where}"]
    kept = json.loads((workspace / "data/4_models/small/warnings.json").read_text())
    assert kept == [f"1 warning muted: 1 together {where}"]


def test_a_kind_that_is_not_there_is_refused(
    run: Callable[[str], tuple[int, str]], workspace: Path
) -> None:
    block = REGRESSION.replace("small.csv}", "small.csv, mute: [sentinels]}")
    write_small(workspace, "a,y\n1,2\n", {}, block)
    code, said = run("validate small")
    assert code == 2
    assert "datasets.small.ingest.mute.0: expected 'drift', 'unit'" in said
