from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.core.errors import PipelineError
from pipeline.core.tables import (
    ROW_GROUP,
    as_arrays,
    number_column,
    number_table,
    read_group,
    read_table,
    row_groups,
    write_table,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(arrays(np.float64, st.integers(0, 20), elements=FLOATS))
def test_floats_cross_over_unchanged(values: np.ndarray) -> None:
    assert number_column(values).to_pylist() == values.tolist()


@given(arrays(np.int64, st.integers(0, 20)))
def test_integers_cross_over_unchanged(values: np.ndarray) -> None:
    assert number_column(values).to_pylist() == values.tolist()


def test_rows_beyond_one_row_group_come_back(tmp_path: Path) -> None:
    x, y = np.arange(ROW_GROUP + 5.0), np.arange(ROW_GROUP + 5)
    write_table(tmp_path / "a.parquet", number_table(["x", "y"], [x, y]))
    X, target = as_arrays(read_table(tmp_path / "a.parquet"))
    np.testing.assert_array_equal(X, x[:, None])
    np.testing.assert_array_equal(target, y)


def test_no_rows_come_back_as_no_rows(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", number_table(["x", "y"], [np.empty(0), np.empty(0)]))
    X, y = as_arrays(read_table(tmp_path / "a.parquet"))
    assert X.shape == (0, 1)
    assert y.shape == (0,)


def test_same_table_same_bytes(tmp_path: Path) -> None:
    table = number_table(["x"], [np.linspace(0, 1, 1000)])
    for name in ("a", "b"):
        write_table(tmp_path / name, table)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_text_survives(tmp_path: Path) -> None:
    write_table(tmp_path / "a.parquet", pa.table({"id": ["007", "ñ"]}))
    assert read_table(tmp_path / "a.parquet")["id"].to_pylist() == ["007", "ñ"]


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(PipelineError, match=r"a\.parquet: damaged"):
        read_table(path)


def test_row_groups_are_read_one_by_one(tmp_path: Path) -> None:
    X = np.random.default_rng(1).normal(size=(ROW_GROUP + 5, 3))
    write_table(tmp_path / "x.parquet", number_table(["a", "b", "y"], [*X.T]))
    names, ends = row_groups(tmp_path / "x.parquet")
    assert (names, ends) == (["a", "b", "y"], [ROW_GROUP, ROW_GROUP + 5])
    features, target = as_arrays(read_group(tmp_path / "x.parquet", 1))
    np.testing.assert_array_equal(features, X[ROW_GROUP:, :2])
    np.testing.assert_array_equal(target, X[ROW_GROUP:, 2])
    whole, _ = as_arrays(read_table(tmp_path / "x.parquet"))
    np.testing.assert_array_equal(whole, X[:, :2])


@pytest.mark.slow
def test_a_flipped_bit_anywhere_changes_no_value(tmp_path: Path) -> None:
    """It is found by the checksum of its page; in the names of columns, by who asks for these."""
    table = number_table(["x", "y"], [np.linspace(-1, 1, 9), np.arange(9)])
    write_table(tmp_path / "a.parquet", table)
    content, refused = (tmp_path / "a.parquet").read_bytes(), 0
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "b.parquet").write_bytes(changed)
        try:
            found = read_table(tmp_path / "b.parquet")
        except PipelineError as error:
            assert "b.parquet: damaged: " in str(error)  # noqa: PT017
            refused += 1
        else:
            assert found.columns == table.columns
            assert found.schema.types == table.schema.types
    assert refused > 8 * len(table) * 2 * 8  # every bit of the values, at least
