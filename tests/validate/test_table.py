"""A file checked group by group has the problems of the whole table."""

import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.validate.profile import Profile
from pipeline.validate.schema import load_schema
from pipeline.validate.table import check_table
from pipeline.validate.values import Source, check_values

RULES = {
    "x": "dtype: float64, in_range: {min_value: 0, max_value: 3}",
    "n": "dtype: int64, greater_than: 1",
    "label": "dtype: int64, isin: [0, 1]",
    "text": "dtype: str, str_length: {max_value: 2}",
}
SCHEMA = "".join(f"  {name}: {{{rules}}}\n" for name, rules in RULES.items())
ROWS = st.tuples(
    st.floats(-0.5, 4.5) | st.just(float("nan")),
    st.integers(0, 9),
    st.integers(-1, 2),
    st.text("ab", max_size=3),
)


@pytest.mark.slow
@given(st.lists(ROWS, min_size=1, max_size=12), st.integers(1, 5))
def test_row_groups_change_nothing(rows: list[tuple[object, ...]], group: int) -> None:
    columns = dict(zip(RULES, zip(*rows, strict=True), strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=group)
        (rules := Path(folder) / "a.yaml").write_text(f"columns:\n{SCHEMA}strict: true\n")
        schema, source = load_schema(rules), Source(Path("a.csv"), "line", range(2, 10**9))
        found = check_table(path, schema, source, Profile(path, "x"))
        expected = check_values(pd.DataFrame(columns), schema, source, most=1000)
    assert found.count == expected.total
    assert found.first == expected.first[:20]


def test_a_column_of_text_with_gaps_is_refused_where_numbers_are_wanted(tmp_path: Path) -> None:
    path, rules = tmp_path / "a.parquet", tmp_path / "a.yaml"
    pq.write_table(pa.table({"x": ["1", None, "word"]}), path)
    rules.write_text("columns: {x: {dtype: float64, nullable: true}}\nstrict: true\n")
    source = Source(Path("a.csv"), "line", range(2, 9))
    found = check_table(path, load_schema(rules), source, Profile(path, "x"))
    word = "a.csv, line 4, column x: 'word', expected a finite number"
    assert [text for *_, text in found.first] == [word]
    rules.write_text(rules.read_text().replace("true", "false", 1))
    found = check_table(path, load_schema(rules), source, Profile(path, "x"))
    gap, other = (text for *_, text in found.first)
    assert other == word
    assert gap.startswith("a.csv, line 3, column x: no value, expected not_nullable; gaps need")
