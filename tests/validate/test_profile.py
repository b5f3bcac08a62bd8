"""The profile of a table, against numpy over all of it at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.tables import ROW_GROUP, number_table, write_table
from pipeline.validate.profile import Profile


@pytest.mark.parametrize("size", [1.0, 1e300, 1e-300])
def test_moments_are_those_of_all_rows(tmp_path: Path, size: float) -> None:
    draw = np.random.default_rng(0)
    n = 2 * ROW_GROUP + 17
    x, y = draw.normal(3, 2, size=n), draw.normal(size=n)
    x, y = np.sort(x), y + x  # the parts differ
    write_table(tmp_path / "a.parquet", number_table(["x", "y"], [x * size, y]))
    profile = Profile(tmp_path / "a.parquet", "y")
    found = profile.numbers["x"]
    assert (found.low, found.high) == (x[0] * size, x[-1] * size)
    assert found.mean / size == pytest.approx(x.mean(), rel=1e-12)
    assert found.sd / size == pytest.approx(x.std(), rel=1e-12)
    r = found.correlation(profile.numbers["y"])
    assert r == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)
    assert not found.rising  # floats


@pytest.mark.parametrize("values", [7, 100])
def test_repeated_rows_are_those_that_a_set_finds(tmp_path: Path, values: int) -> None:
    table = np.random.default_rng(0).integers(0, values, size=(3, ROW_GROUP + 50))
    write_table(tmp_path / "a.parquet", number_table(["a", "b", "c"], [*table]))
    first: dict[tuple[int, ...], int] = {}
    expected = []
    for row, cells in enumerate(zip(*table.tolist(), strict=True)):
        if cells in first:
            expected.append((row, first[cells]))
        first.setdefault(cells, row)
    count, found = Profile(tmp_path / "a.parquet", "c").repeated(len(expected))
    assert (count, found) == (len(expected), expected)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["no", "yes", None], ["no", "yes"]),
        ([-1, 1, 2], ["-1", "1", "2"]),
        ([0.5, 2.0], ["0.5", "2"]),
    ],
)
def test_labels_of_any_kind_are_counted_as_the_file_has_them(
    tmp_path: Path, values: list[object], names: list[str]
) -> None:
    places = np.random.default_rng(0).integers(0, len(values), ROW_GROUP + 50)
    column = pa.array(values).take(pa.array(places))
    write_table(tmp_path / "a.parquet", pa.table({"x": np.arange(len(places)), "y": column}))
    counts = dict(zip(names, np.bincount(places).tolist(), strict=False))
    assert Profile(tmp_path / "a.parquet", "y", labels=True).labels == counts
    assert not Profile(tmp_path / "a.parquet", "y").labels
