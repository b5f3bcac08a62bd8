from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import PipelineError
from pipeline.core.text import NUMBER
from pipeline.validate.schema import load_schema, row_by_row
from pipeline.validate.values import ALL_NUMBERS, Source, check_columns, check_values

SCHEMA = """
schema_type: dataframe
columns:
  x:
    dtype: float64
    in_range: {min_value: 0, max_value: 10}
  free: {dtype: float64}
  label:
    dtype: int64
    isin: [0, 1]
strict: true
"""


def problems(tmp_path: Path, schema: str = SCHEMA, **columns: list[object]) -> list[str]:
    good: dict[str, list[object]] = {"x": [1.0, 2.0], "free": [0.5, 1.5], "label": [0, 1]}
    path = tmp_path / "schema.yaml"
    path.write_text(schema)
    frame = pd.DataFrame({k: v for k, v in (good | columns).items() if v})
    rules, source = load_schema(path), Source(Path("a.csv"), "line", range(2, 1000))
    values = check_values(frame, rules, source, most=1000).first
    return [*check_columns([*frame.columns], rules, source.path), *(text for *_, text in values)]


def test_good_rows_have_no_problem(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


def test_a_text_column_stays_text(tmp_path: Path) -> None:
    schema = SCHEMA.replace(
        "free: {dtype: float64}", "free: {dtype: str, str_length: {max_value: 3}}"
    )
    assert problems(tmp_path, schema, free=["007", "abc"]) == []
    found = problems(tmp_path, schema, free=["007", "abcd"])
    assert found == ["a.csv, line 3, column free: 'abcd', expected str_length(None, 3)"]


def test_integers_may_stand_for_floats(tmp_path: Path) -> None:
    assert problems(tmp_path, x=[1, 2], free=[3, 4]) == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"x": ["1", "abc"]}, "a.csv, line 3, column x: 'abc', expected a finite number"),
        ({"x": ["nan", "1"]}, "a.csv, line 2, column x: 'nan', expected a finite number"),
        ({"x": ["", "1"]}, "a.csv, line 2, column x: '', expected a finite number"),
        ({"x": [1.0, 11.0]}, "a.csv, line 3, column x: 11.0, expected in_range(0, 10)"),
        ({"x": [1.0, float("inf")]}, "a.csv, line 3, column x: inf, expected in_range(0, 10)"),
        ({"free": [1.0, float("inf")]}, "a.csv, line 3, column free: inf, expected finite"),
        (
            {"free": [float("nan"), 1.0]},
            "a.csv, line 2, column free: no value, expected not_nullable",
        ),
        ({"label": [0, 2]}, "a.csv, line 3, column label: 2, expected isin([0, 1])"),
        ({"label": [0.9999999999, 1.0]}, "column label: 0.9999999999, expected an integer"),
        ({"label": [1.8e19, 1.0]}, "column label: 1.8e+19, expected an integer"),
        ({"label": ["yes", "1"]}, "a.csv, line 2, column label: 'yes', expected an integer"),
        ({"x": []}, "a.csv: column x is missing"),
        ({"x": ["1", "11"]}, "a.csv, line 3, column x: '11', expected in_range(0, 10)"),
        ({"extra": [1, 2]}, "a.csv: column extra is not in the schema"),
    ],
)
def test_a_problem_names_line_column_and_value(
    tmp_path: Path, columns: dict[str, list[object]], expected: str
) -> None:
    found = problems(tmp_path, **columns)
    assert any(expected in problem for problem in found)
    if "inf" not in expected:
        assert len(found) == 1


@given(st.lists(st.text("0129.eE+-_ xna", max_size=5), max_size=4))
def test_a_column_is_all_numbers_where_each_cell_is_one(cells: list[str]) -> None:
    together = ALL_NUMBERS.fullmatch("".join(f"{cell}\n" for cell in cells))
    assert bool(together) == all(NUMBER.fullmatch(cell) for cell in cells)


def test_rows_to_predict_have_no_target_and_may_be_alike(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(
        SCHEMA.replace("free: {dtype: float64}", "free: {dtype: float64, unique: true}")
    )
    whole = load_schema(path)
    rows = row_by_row(whole, "label")
    alike = pd.DataFrame({"x": ["1", "1"], "free": ["2", "2"]})
    typed, found, _ = check_values(
        alike, rows, Source(Path("a.csv"), "line", range(2, 1000)), most=1000
    )
    assert found == []
    assert typed.to_dict("list") == {"x": [1.0, 1.0], "free": [2.0, 2.0]}
    assert check_columns(["x", "Free "], rows, Path("a.csv")) == [
        "a.csv: column free is missing",
        "a.csv: column 'Free ' is not in the schema (did you mean free?); remove it or declare it",
    ]
    assert [*whole.columns] == ["x", "free", "label"]
    assert whole.columns["free"].unique


def test_all_problems_come_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    found = problems(tmp_path, x=["99", "abc"], free=[], label=[2, 3])
    assert [text.split(":")[0] for text in found] == [
        "a.csv",
        "a.csv, line 2, column label",
        "a.csv, line 2, column x",
        "a.csv, line 3, column label",
        "a.csv, line 3, column x",
    ]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("a: [", "not a pandera schema"),
        ("strict: true\nstrict: true", "duplicate key"),
        ("just text", "not a pandera schema"),
        (SCHEMA.replace("float64", "flot64"), "not a pandera schema"),
        (SCHEMA.replace("float64", "category"), "x.dtype: expected float64, int64 or str"),
        (SCHEMA.replace("int64", "uint8"), "label.dtype: expected float64, int64 or str"),
        (SCHEMA.replace("isin", "is_in"), r"label\.is_in: unknown key \(did you mean isin\?\)"),
        (SCHEMA + "coerce: true", "coerce: unknown key"),
        (SCHEMA.replace("strict: true", "strict: false"), "strict must be true"),
    ],
)
def test_a_bad_schema_is_named(tmp_path: Path, schema: str, message: str) -> None:
    with pytest.raises(PipelineError, match=rf"(?s)schema\.yaml.*{message}"):
        problems(tmp_path, schema)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("unique: [x, lable]\n", r"unique: there is no column lable \(did you mean label\?\)"),
        ("unique: lable\n", "unique: there is no column lable"),
        ("unique: 5\n", "unique: expected a list of columns, got 5"),
        ("unique: [[1]]\n", "unique: expected a list of columns"),
        ('ordered: "false"\n', "ordered: expected true or false, got 'false'"),
    ],
)
def test_what_pandera_would_pass_over_is_refused(tmp_path: Path, added: str, message: str) -> None:
    (tmp_path / "schema.yaml").write_text(SCHEMA + added)
    with pytest.raises(PipelineError, match=message):
        load_schema(tmp_path / "schema.yaml")


@pytest.mark.parametrize("key", ["nullable", "unique", "required"])
def test_flags_are_true_or_false(tmp_path: Path, key: str) -> None:
    text = SCHEMA.replace("free: {dtype: float64}", f'free: {{dtype: float64, {key}: "no"}}')
    (tmp_path / "schema.yaml").write_text(text)
    with pytest.raises(PipelineError, match=rf"free\.{key}: expected true or false, got 'no'"):
        load_schema(tmp_path / "schema.yaml")


@pytest.mark.parametrize("key", ["str_matches", "str_contains"])
def test_patterns_are_regular_expressions(tmp_path: Path, key: str) -> None:
    text = SCHEMA.replace("free: {dtype: float64}", f'free: {{dtype: str, {key}: "("}}')
    (tmp_path / "schema.yaml").write_text(text)
    with pytest.raises(PipelineError, match="not a pandera schema: missing"):
        load_schema(tmp_path / "schema.yaml")


def test_a_missing_schema_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"none\.yaml is missing"):
        load_schema(tmp_path / "none.yaml")
