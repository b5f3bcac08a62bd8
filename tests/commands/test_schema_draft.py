"""`schema draft`: what it writes loads, and fits the file that it came from."""

import csv as csv_format
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.commands.schema_draft import draft
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.tables import write_table
from pipeline.validate.profile import Profile
from pipeline.validate.schema import load_schema
from pipeline.validate.table import check_table
from pipeline.validate.values import Source, check_columns
from tests.csv_file import read_csv

Run = Callable[[str], tuple[int, str]]

characters = st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"])
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(0, 2).map(str),
)
texts = st.text(characters, min_size=0, max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and records that the reader takes."""
    name = st.text(characters, min_size=1, max_size=12).filter(lambda text: text.strip())
    header = draw(st.lists(name.map("c".__add__), min_size=2, max_size=4, unique=True))
    rows = draw(st.integers(1, 12))
    columns = [
        draw(st.lists(draw(st.sampled_from([numbers, texts])), min_size=rows, max_size=rows))
        for _ in header
    ]
    records = [[*record] for record in zip(*columns, strict=True) if any(record)]
    assume(records)
    return [header, *records]


@given(tables())
@example([["c0", "c1"], ["0", ""], ["0", "0"]])
@example([["c0", "c1"], ["0", "1kg"], ["0", "2kg"]])
@example([["c0"], ["1.7976900000000003e+308"]])
@example([["c0"], ["8.988465674311579e+307"], ["8.98846567431158e+307"]])
def test_a_draft_accepts_the_file_it_came_from(rows: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, rules, table = (Path(folder) / name for name in ("a.csv", "a.yaml", "a.parquet"))
        with source.open("w", encoding="utf-8", newline="") as file:
            csv_format.writer(file, quoting=csv_format.QUOTE_ALL).writerows(rows)
        write_table(table, read_csv(source))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)  # of a gap beside numbers
            try:
                draft(source, rules)
            except PipelineError as error:  # numbers that are written otherwise, with a unit say
                assume("and draft again" not in str(error))
                raise
        schema = load_schema(rules)
        assert check_columns(rows[0], schema, source) == []
        found = check_table(
            table, schema, Source(source, "line", range(2, 10**9)), Profile(table, rows[0][0])
        )
        assert (found.first, found.count) == ([], 0)


@pytest.mark.parametrize(
    "column", ["x" * 3000, "yes", "null", "面积 \U0001f600", 'a"b\\c', "a: b #c"]
)
def test_odd_names_and_values_come_back(tmp_path: Path, column: str) -> None:
    source, rules = tmp_path / "a.csv", tmp_path / "a.yaml"
    with source.open("w", encoding="utf-8", newline="") as file:
        csv_format.writer(file).writerows([[column, "b"], *[["no", 1], ["2020-01-01", 1]] * 3])
    draft(source, rules)
    (name, found), _ = load_schema(rules).columns.items()
    assert name == column
    assert found.checks[0].statistics == {"allowed_values": ["2020-01-01", "no"]}


def test_a_draft_says_what_was_seen(run: Run, workspace: Path) -> None:
    shutil.copy(workspace / "data/raw/house.csv", workspace / "flats.csv")
    assert run("schema draft flats.csv") == (0, "")
    text = (workspace / "data/schema/flats.yaml").read_text()
    assert "drafted from its 6 rows" in text
    assert "  # 80 to 135, mean 108.5, 6 different, none missing\n  area_m2:\n" in text
    assert "in_range: {min_value: 52, max_value: 163}" in text


def test_bounds_hold_what_is_beyond_what_was_seen(tmp_path: Path) -> None:
    source, rules = tmp_path / "a.csv", tmp_path / "a.yaml"
    draws = np.random.default_rng(0).normal(1e6, 1, size=(50, 1)).tolist()
    source.write_text("\n".join(["x", *(repr(value) for [value] in draws)]))
    draft(source, rules)
    [check, _] = load_schema(rules).columns["x"].checks
    low, high = check.statistics["min_value"], check.statistics["max_value"]
    values = np.array(draws)
    assert values.min() - low == pytest.approx(np.ptp(values) / 2, rel=0.2)
    assert high - values.max() == pytest.approx(np.ptp(values) / 2, rel=0.2)


def test_an_existing_schema_is_not_overwritten(run: Run, workspace: Path) -> None:
    path = workspace / "data/schema/house.yaml"
    before = path.read_bytes()
    code, message = run("schema draft data/raw/house.csv")
    assert code == 2
    assert message == (
        "error: schema: data/schema/house.yaml is there already; remove it to draft it anew, or "
        "draft another with -o, and compare\n"
    )
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_read_gives_no_schema(run: Run, workspace: Path) -> None:
    (workspace / "data/raw/bad.csv").write_text("a,b\n1\n")
    code, message = run("schema draft data/raw/bad.csv")
    assert code == 2
    assert "data/raw/bad.csv, line 2" in message
    assert not (workspace / "data/schema/bad.yaml").exists()


def test_a_draft_says_what_would_make_numbers_of_text(run: Run, workspace: Path) -> None:
    rows = "".join(f"{k},{k + 0.5}\n".replace(".5", ",5").replace(",", ";", 1) for k in range(20))
    file = workspace / "data/raw/rent.csv"
    file.write_text(f"rooms;price\n{rows}NA;3,5\n")
    params = workspace / "params.yaml"
    # no more is known before the draft
    block = 'flats:\n    ingest: {source: data/raw/rent.csv, csv: {delimiter: ";"}}\n'
    params.write_text(f"{params.read_text().rstrip()}\n  {block}")
    code, message = run("schema draft data/raw/rent.csv")
    assert code == 2
    assert (
        "column rooms, price would be of numbers with "
        'ingest.csv: {delimiter: ";", decimal: ",", missing: ["NA"]}'
    ) in message
    assert message.endswith(
        "\nnothing is written; declare it (params.yaml: datasets.flats.ingest, beside source: "
        "data/raw/rent.csv), and draft again\n"
    )
    assert not (workspace / "data/schema/flats.yaml").exists()
    params.write_text(params.read_text().replace('";"}}', '";", decimal: ",", missing: [NA]}}'))
    assert run("schema draft data/raw/rent.csv") == (0, "")
    assert "dtype: str" not in (workspace / "data/schema/flats.yaml").read_text()
    params.write_text(params.read_text().replace("missing: [NA]", "misssing: [NA]"))
    code, message = run("schema draft data/raw/rent.csv -o other.yaml")
    assert code == 2
    assert "datasets.flats.ingest.csv.misssing: unknown key (did you mean missing?)" in message


@pytest.mark.parametrize(
    ("dialect", "cells", "said"),
    [
        ({}, ['"3,5"', '"4,5"', '"5,5"'], '{decimal: ","}\nnothing is written'),
        ({"delimiter": ";"}, ["1,234", "-4,500", "6,100"], '{delimiter: ";", thousands: ","}\n'),
        ({"delimiter": ";"}, ["1,234", "4", "6"], "1,234' may be thousands or a decimal comma"),
        ({"delimiter": ";"}, ["1,5", "2.5"], ""),  # a list in a cell, since there are points
        ({}, ["1", "007", "3"], "column a is text: '007' is no finite number; mend"),
        ({}, ["1", "1e400", "3"], "column a is text: '1e400' is no finite number; mend"),
        ({}, [" 2", " 3", " 4"], "{strip_spaces: true}\nnothing is written"),
        ({"missing": ["-"]}, ["1", "-", "2", "🏠", "3"], 'missing: ["-", "🏠"]; gaps need'),
        ({}, ["1", "2", ""], '{missing: [""]}; gaps need nullable: true'),
        ({}, ["a", "b", "1"], ""),
    ],
)
def test_what_text_may_be_is_said(
    run: Run, workspace: Path, dialect: dict[str, object], cells: list[str], said: str
) -> None:
    between = str(dialect.get("delimiter", ","))
    rows = "".join(f"{cell}{between}x\n" for cell in cells)
    (workspace / "data/raw/rent.csv").write_text(f"a{between}b\n{rows}", encoding="utf-8")
    block = json.dumps({"source": "data/raw/rent.csv", "csv": dialect})
    with (workspace / "params.yaml").open("a", encoding="utf-8") as params:
        params.write(f"\n  rent: {{ingest: {block}}}\n")
    code, message = run("schema draft data/raw/rent.csv")
    assert said in message
    assert code == (2 if "\n" in said else 0)
    assert (workspace / "data/schema/rent.yaml").exists() == (code == 0)
    again = "; mend the file or declare it, remove data/schema/rent.yaml and draft again\n"
    assert code or message.endswith(again if said else "")


@pytest.mark.parametrize("pairs", [1, 2])
def test_columns_of_pairs_beside_numbers_with_points_are_text(
    run: Run, workspace: Path, pairs: int
) -> None:
    header = ";".join(["coords", "others"][:pairs])
    first, second = (";".join([cell] * pairs) for cell in ("52,13", "48,11"))
    (workspace / "data/raw/flats.csv").write_text(f"price;{header}\n1.5;{first}\n2.5;{second}\n")
    with (workspace / "params.yaml").open("a", encoding="utf-8") as params:
        params.write('\n  flats: {ingest: {source: data/raw/flats.csv, csv: {delimiter: ";"}}}\n')
    assert run("schema draft data/raw/flats.csv") == (0, "")
    drafted = (workspace / "data/schema/flats.yaml").read_text()
    assert re.findall("dtype: (.*)", drafted) == ["float64", *["str"] * pairs]
