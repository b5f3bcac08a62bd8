"""Split, a part of the table at a time: the bytes and the values of all of it in memory."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from ruamel.yaml import YAML

import pipeline.core.passes
import pipeline.split.look
from pipeline.core import layout
from pipeline.core.artifacts.split_columns import read_columns
from pipeline.core.artifacts.splits import read_parts, read_split, write_parts
from pipeline.core.columns import encode, learn, read_raw
from pipeline.core.errors import PipelineError
from pipeline.core.files import as_json, md5, read_json, write_json
from pipeline.core.params import load_params
from pipeline.core.preprocessing import fit_scaler, split_rows
from pipeline.core.tables import as_arrays, number_table, read_table, writer
from pipeline.split.shuffled import Shuffled
from pipeline.split.stage import _kinds, split
from tests.conftest import ROOT, keep_datasets

N = 700
COLUMNS = {
    "city": "category", "zip": "category", "size": {"order": ["S", "M", "L"]},
    "day": {"date": ["month", "weekday"]}, "id": "drop",
}  # fmt: skip


def table() -> pa.Table:
    """Columns of all kinds, with gaps; the last rows have a category and a gap of their own."""
    rng = np.random.default_rng(1)
    days = (np.datetime64("2024-01-01") + rng.integers(0, 300, N)).astype(str).tolist()
    city = rng.choice(["Berlin", "Paris", "Rome", None], N, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    x = [
        None if gap else value
        for gap, value in zip(rng.random(N) < 0.1, rng.normal(size=N) * 7 + 3, strict=True)
    ]
    whole = rng.normal(size=N)
    city[-2:], days[-1] = ["Lima", "Lima"], None
    return pa.table({
        "id": pa.array([f"k{k // 3}" for k in range(N)]),
        "x": pa.array(x, pa.float64()), "whole": whole, "count": rng.integers(0, 9, N),
        "city": pa.array(city, pa.string()), "zip": rng.choice([100, 20, 3], N),
        "size": pa.array(rng.choice(["S", "M", "L"], N).tolist()), "day": pa.array(days),
        "y": [None if k % 97 == 5 else float(v) for k, v in enumerate(whole * rng.normal(2, 1, N))],
    })  # fmt: skip


@pytest.fixture
def made(workspace: Path) -> dict[str, Any]:
    """A dataset that has passed validate; its block `split` may be changed before `run_split`."""
    keep_datasets(workspace / "params.yaml", "house")
    return {"columns": COLUMNS, "test_size": 0.25}


def write_dataset(values: pa.Table, block: dict[str, Any], size: int) -> None:
    """Ingested row groups of so many rows, and what validate says of them."""
    yaml = YAML()
    content = yaml.load(Path("params.yaml").read_text())
    content["datasets"]["parts"] = {
        "task": "regression", "target": "y", "ingest": {"source": "data/raw/house.csv"},
        "split": block, "evaluate": {},
    }  # fmt: skip
    content["models"]["direct"]["parts-closed_form"] = {
        "dataset": "parts",
        "trainer": "closed_form",
    }
    yaml.dump(content, Path("params.yaml"))
    path = layout.ingested("parts")
    path.parent.mkdir(parents=True, exist_ok=True)
    with writer(path, values.schema) as file:
        file.write_table(values, row_group_size=size)
    write_json(layout.validated("parts"), {
        "dataset": "parts", "data_md5": md5(path), "rows": len(values), "repeated_rows": 0,
        "warnings": [], "classes": {}, "checks": {}, "columns": {},
    })  # fmt: skip


def outputs() -> dict[str, str]:
    return {
        path.name: hashlib.md5(path.read_bytes()).hexdigest()
        for path in sorted(layout.split("parts").iterdir())
    }


def in_memory(block: dict[str, Any]) -> dict[str, Any]:
    """All of the table at once, by numpy, scikit-learn and the functions that encode rows."""
    values, settings = read_table(layout.ingested("parts")), load_params().dataset("parts")
    kinds = _kinds(values.schema, settings, 1234, "here")
    raw = read_raw(values, kinds, "here")
    y = np.array([np.nan if v is None else v for v in values["y"].to_pylist()])
    known = ~np.isnan(y)
    if block.get("gaps") == "leave_out":
        known &= ~np.isnan(raw.values).any(axis=1)
    used = np.flatnonzero(known)
    raw, y = raw.alone(used), y[used]
    train, test = read_parts("parts")
    if "by" not in block and "group" not in block:
        ours = split_rows(len(used), 0.25, 1234)
        assert [used[rows].tolist() for rows in ours] == [train.tolist(), test.tolist()]
    train, test = np.searchsorted(used, train), np.searchsorted(used, test)
    encoding = learn(raw[train])
    X = encode(raw, encoding)
    mean, scale = fit_scaler(X[train])
    Z = (X - mean) / scale
    return {"encoding": encoding, "mean": mean, "scale": scale,
            "train": (Z[train], y[train]), "test": (Z[test], y[test])}  # fmt: skip


WAYS: list[dict[str, Any]] = [
    {},
    {"gaps": "leave_out"},
    {"by": "hash"},
    {"columns": COLUMNS | {"id": "drop"}, "group": "id"},
    {"features": {"random": 3}},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_values_are_those_of_the_whole_table_in_memory(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch, way: dict[str, Any]
) -> None:
    block = made | way
    write_dataset(table(), block, 64)
    monkeypatch.setattr("pipeline.split.stage.group_rows", lambda _: 50)
    with pytest.warns() if block.get("gaps") else pytest.warns(match="missing"):
        split("parts")
    expected = in_memory(block)
    assert {
        n: one.model_dump(exclude_defaults=True) for n, one in expected["encoding"].items()
    } == (read_json(layout.columns("parts")))
    scaler = read_json(layout.scaler("parts"))
    assert [one["mean"] for one in scaler.values()] == expected["mean"].tolist()
    assert [one["scale"] for one in scaler.values()] == expected["scale"].tolist()
    for part in ("train", "test"):
        for ours, theirs in zip(
            as_arrays(read_table(layout.split_part("parts", part))), expected[part], strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
def test_the_bytes_are_those_of_any_number_of_workers_and_size_of_row_groups(
    made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = list[dict[str, str]]()
    plain = made | {"columns": dict.fromkeys(("day", "id"), "drop") | {
        n: COLUMNS[n] for n in ("city", "zip", "size")}}  # fmt: skip
    monkeypatch.setattr("pipeline.split.stage.group_rows", lambda _: 50)
    for workers, size in ((1, 64), (2, 64), (4, 64), (2, 13), (1, N)):
        monkeypatch.setattr(pipeline.core.passes, "WORKERS", workers)
        monkeypatch.setattr(pipeline.split.look, "WORKERS", workers)
        write_dataset(table(), plain, size)
        split("parts")
        found.append(outputs())
    assert all(one == found[0] for one in found)


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
def test_what_is_read_a_column_at_a_time_is_the_split(made: dict[str, Any]) -> None:
    write_dataset(table(), made, 64)
    split("parts")
    settings = load_params().dataset("parts")
    whole = read_split("parts", settings, read_table(layout.ingested("parts")))
    columns = read_columns("parts", settings)
    for name in ("used", "y", "train", "test", "mean", "scale"):
        np.testing.assert_array_equal(getattr(columns, name), getattr(whole, name))
    np.testing.assert_array_equal(np.column_stack([x for _, x in columns.columns()]), whole.X)
    assert [name for name, _ in columns.columns()] == [*columns.features] == [*whole.features]
    np.testing.assert_array_equal(columns.rows(whole.train[3:9]), whole.X[whole.train[3:9]])
    assert columns.ranges() == whole.ranges()
    shown = read_table(layout.ingested("parts"), [*whole.encoding]).take(
        whole.used[whole.train[:5]]
    )
    assert columns.examples(whole.train[:5]).to_pylist() == shown.to_pylist()
    for part, rows in (("train", whole.train), ("test", whole.test)):
        Z = np.concatenate([*columns.standardized(part)])
        np.testing.assert_array_equal(Z, whole.part(rows)[0])


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
@pytest.mark.parametrize("column", ["whole", "y"])
def test_a_split_of_another_table_is_refused_by_one_changed_value(
    made: dict[str, Any], column: str
) -> None:
    write_dataset(table(), made, 64)
    split("parts")
    values = table()
    changed = np.array([0.0 if v is None else v for v in values[column].to_pylist()])
    row = int(read_parts("parts")[0][17])
    changed[row] += 1e-9
    mask = pa.array(np.array([v is None for v in values[column].to_pylist()]))
    place = values.column_names.index(column)
    other = pa.array(changed, mask=np.asarray(mask))
    write_dataset(values.set_column(place, column, other), made, 64)
    with pytest.raises(PipelineError, match="of different runs"):
        read_columns("parts", load_params().dataset("parts"))


@pytest.mark.parametrize("sizes", [(0, 3), (5, 0), (70_000, 2), (1, 1)])
def test_rows_json_is_written_and_read_as_any_json(workspace: Path, sizes: tuple[int, int]) -> None:
    draw = np.random.default_rng(0)
    train, test = (draw.integers(0, 2**40, size) for size in sizes)
    write_parts("parts", train, test)
    text = layout.split_rows("parts").read_text()
    assert text == as_json({"train": train.tolist(), "test": test.tolist()})
    for ours, theirs in zip(read_parts("parts"), (train, test), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == np.int64


@pytest.mark.parametrize(
    "text", ['{"train": [1], "test": [true]}', '{"train": [1]', '{"test": []}']
)
def test_a_damaged_rows_json_is_named(workspace: Path, text: str) -> None:
    layout.split("parts").mkdir(parents=True)
    layout.split_rows("parts").write_text(text)
    with pytest.raises(PipelineError, match=r"rows\.json: damaged"):
        read_parts("parts")


def test_blocks_come_back_in_their_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    values = draw.normal(size=(1000, 3))
    order = draw.permutation(1000)
    train, test = order[:700], order[700:950]  # the others are in none
    with Shuffled(tmp_path, (train, test), 1000, 3, 64) as shuffled:
        for start in range(0, 1000, 77):
            shuffled.take(start, values[start : start + 77])
        for rows, blocks in zip((train, test), shuffled.blocks, strict=True):
            found = np.concatenate([shuffled.read(block) for block in blocks])
            np.testing.assert_array_equal(found, values[rows])
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_ends_the_split_with_a_message(tmp_path: Path) -> None:
    with (
        Shuffled(tmp_path, (np.arange(10), np.arange(0)), 10, 1, 5) as shuffled,
        Path("/dev/full").open("r+b", buffering=0) as full,
    ):
        os.dup2(full.fileno(), shuffled._file.fileno())
        with pytest.raises(PipelineError, match="cannot be written: No space left"):
            shuffled.take(0, np.zeros((10, 1)))


PEAK = """
import resource, sys
from pipeline.core.artifacts.split_columns import read_columns
from pipeline.core.params import load_params
from pipeline.split.stage import split
split("parts") if sys.argv[1] == "split" else read_columns("parts", load_params().dataset("parts"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_hardly_grows_with_the_rows(workspace: Path) -> None:
    keep_datasets(workspace / "params.yaml", "house")
    peaks = dict[str, list[int]]()
    for rows in (300_000, 900_000):
        X = np.random.default_rng(0).normal(size=(12, rows))
        names = [*(f"x{k}" for k in range(11)), "y"]
        write_dataset(number_table(names, [*X]), {"test_size": 0.2}, 65_536)
        del X
        for what in ("split", "columns"):
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", PEAK, what],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=True,
            )
            peaks.setdefault(what, []).append(int(done.stdout))
    grown = {what: large - small for what, (small, large) in peaks.items()}
    table_mb = 600_000 * 12 * 8 / 2**20  # that the larger table has more: 55 MB
    assert grown["split"] < 1.3 * table_mb, peaks  # in memory: 5 of it
    assert grown["columns"] < 1.3 * table_mb, peaks


def test_a_frame_of_text_is_no_number(workspace: Path) -> None:
    """The message of a column of text that params.yaml does not declare is what it was."""
    keep_datasets(workspace / "params.yaml", "house")
    values = pa.table({"a": ["x", "y", "z"], "y": [1.0, 2.0, 3.0]})
    write_dataset(values, {"test_size": 0}, 2)
    with pytest.raises(PipelineError, match="column a is text: say what it is"):
        split("parts")
