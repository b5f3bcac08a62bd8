"""Command `predict`, without DVC and MLflow."""

import csv
import gzip
import io
import json
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.__main__ import main
from pipeline.commands.predict import predict
from pipeline.core.artifacts.models import read_model, write_model
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.files import md5
from pipeline.core.text import is_number
from tests.conftest import ROOT
from tests.small_project import SCHEMA, make_project, small_csv, small_rows

Predict = Callable[..., tuple[int, str, str]]
Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def ask(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Predict:
    """Predict a text as the file in.csv: exit code, stdout and stderr."""
    monkeypatch.chdir(trained)

    def ask(dataset: str, text: str | bytes, *options: str) -> tuple[int, str, str]:
        source = tmp_path / "in.csv"
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        capsys.readouterr()
        code = main(["predict", dataset, str(source), *options])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return ask


def table(text: str) -> Table:
    return list(csv.DictReader(text.splitlines()))


def test_140_square_metres_cost_what_the_chapter_says(ask: Predict) -> None:
    code, out, err = ask("house", "area_m2\n140\n1.0e2\n")
    assert (code, out.splitlines()[0]) == (0, "area_m2,predicted_price_wan,out_of_range")
    (first, second) = table(out)
    assert float(first["predicted_price_wan"]) == pytest.approx(274.7069697726705, abs=1e-12)
    assert (first["area_m2"], second["area_m2"]) == ("140", "1.0e2")
    assert (first["out_of_range"], second["out_of_range"]) == ("area_m2", "")
    (strange,) = err.splitlines()
    assert (
        "in.csv: 1 of 2 rows lie outside the range of the training rows, first on line 2" in strange
    )


def test_the_readme_shows_what_comes_out(ask: Predict) -> None:
    _, out, _ = ask("house", "area_m2\n95\n140\n")
    assert textwrap.indent(out, "    ") in (ROOT / "docs/models.md").read_text()


@pytest.mark.parametrize("column", [["abc"], [None]])
def test_a_table_that_ingest_took_and_validate_refused_is_named(
    ask: Predict, trained: Path, column: list[str | None]
) -> None:
    """data/1_ingested is of the new file then, and the models are of the one before."""
    path = trained / "data/1_ingested/house.parquet"
    before, table = path.read_bytes(), pq.read_table(path)
    values = [*column, *table["area_m2"].to_pylist()[1:]]
    odd = pa.array([value and str(value) for value in values] if column[0] else values)
    path.write_bytes(b"")
    pq.write_table(table.set_column(0, "area_m2", odd), path)
    try:
        code, out, err = ask("house", "area_m2\n100\n")
    finally:
        path.write_bytes(before)
    assert (code, out) == (2, "")
    assert "house.parquet: column area_m2 has text or gaps" in err


def test_a_regression_predicts_as_scikit_learn_does(ask: Predict, trained: Path) -> None:
    rows = np.loadtxt(trained / "data/raw/house.csv", delimiter=",", skiprows=1)
    oracle = LinearRegression().fit(rows[:, :1], rows[:, 1])
    areas = np.linspace(80, 135, 12)
    text = "\n".join(["area_m2", *map(repr, areas.tolist()), ""])
    code, out, err = ask("house", text, "--model", "closed_form")
    assert (code, err) == (0, "")
    ours = [float(row["predicted_price_wan"]) for row in table(out)]
    np.testing.assert_allclose(ours, oracle.predict(areas[:, None]), rtol=1e-12)


def test_a_classification_predicts_as_scikit_learn_does(ask: Predict, trained: Path) -> None:
    """Label by the dataset's threshold, the name of its class, and P(positive class)."""
    X, y = small_rows()
    rows = json.loads((trained / "data/3_split/small/rows.json").read_text())["train"]
    oracle = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[rows], y[rows])
    code, out, _ = ask("small", small_csv(), "--model", "logistic_regression")
    assert code == 0
    found, p = table(out), oracle.predict_proba(X)
    ours = [float(row["probability_bad"]) for row in found]
    np.testing.assert_allclose(ours, p[:, 0], atol=1e-6)
    labels = [int(row["predicted_y"]) for row in found]
    assert labels == (p[:, 1] >= 0.3).astype(int).tolist() != (p[:, 1] >= 0.5).astype(int).tolist()
    assert [row["class"] for row in found] == [["bad", "good"][label] for label in labels]
    low, high = X[rows].min(axis=0), X[rows].max(axis=0)
    outside = [";".join(np.array(["a", "n"])[(x < low) | (x > high)]) for x in X]
    assert [row["out_of_range"] for row in found] == outside
    assert any(outside)


def test_the_accepted_model_or_the_best_is_taken(ask: Predict, trained: Path) -> None:
    verdict = json.loads((trained / "metrics/verdict.json").read_text())["datasets"]["small"]
    assert ask("small", small_csv())[1] == ask("small", small_csv(), "--model", verdict["best"])[1]


def test_fault_101_columns_in_any_order_come_back_as_they_came(ask: Predict) -> None:
    _, first, _ = ask("small", "note,a,n\nx,0.50,7\n", "--model", "bcpm")
    _, second, _ = ask("small", 'n,note,a\n7,"x",0.50\n', "--model", "bcpm")
    assert second.splitlines()[0].startswith("n,note,a,predicted_y")
    assert table(first) == table(second)


CELLS = st.tuples(st.floats(-3, 3), st.integers(-100, 100))


@pytest.fixture
def at_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Sequence[str], int], bytes]:
    """The output of lines, predicted so many rows at once."""
    monkeypatch.chdir(trained)
    source, output = tmp_path / "in.csv", tmp_path / "out.csv"

    def at_once(lines: Sequence[str], size: int) -> bytes:
        source.write_text("\n".join(["note,a,n", *lines, ""]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PipelineWarning)
            predict("small", source, output, "bcpm", at_once=size)
        return output.read_bytes()

    return at_once


@pytest.mark.slow
def test_fault_107_rows_one_by_one_and_all_at_once_give_the_same_bytes(
    at_once: Callable[[Sequence[str], int], bytes],
) -> None:
    @settings(max_examples=5)
    @given(rows=st.lists(CELLS, min_size=1, max_size=8))
    def same(rows: list[tuple[float, int]]) -> None:
        lines = [f"x,{a!r},{n}" for a, n in rows]
        assert at_once(lines, 1) == at_once(lines, 7) == at_once(lines, 100)

    same()


BAD = {
    "x,abc,1": "column a: 'abc', expected a finite number",
    "x,nan,1": "column a: 'nan', expected a finite number",
    "x,,1": "column a: '', expected a finite number",
    "x,1e400,1": "column a: '1e400', expected a finite number",
    "x,1,1.5": "column n: '1.5', expected an integer",
    "x,1,101": "column n: '101', expected in_range(-100, 100)",
    "a text of more than twenty letters,1,1": "expected str_length(None, 20)",
    "x,1": "has 2 fields, expected 3 as in the header",
    "": "is blank; remove it",
    'x,"1,1': "opens a quote that never closes",
}


@pytest.mark.slow
def test_fault_102_a_bad_row_anywhere_is_refused_by_its_line(
    at_once: Callable[[Sequence[str], int], bytes], tmp_path: Path
) -> None:
    @settings(max_examples=30)
    @given(
        before=st.integers(0, 3),
        bad=st.sampled_from([*BAD]),
        after=st.integers(0, 3),
        size=st.sampled_from([1, 2, 100]),
    )
    def refused(before: int, bad: str, after: int, size: int) -> None:
        (tmp_path / "out.csv").write_text("earlier")
        lines = [*["x,1,1"] * before, bad, *["x,1,1"] * (after + (bad == ""))]
        with pytest.raises(PipelineError) as error:
            at_once(lines, size)
        first, *rest = str(error.value).splitlines()
        assert f"in.csv, line {before + 2}" in first
        assert BAD[bad] in first
        assert len(rest) <= 1
        assert (tmp_path / "out.csv").read_text() == "earlier"
        assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.csv"}

    refused()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_first_20_problems_are_shown_in_order_and_the_rest_counted(
    at_once: Callable[[Sequence[str], int], bytes], size: int
) -> None:
    lines = ["x,1", *["x,abc,1.5"] * 11, "x,1,1", 'x,"1']
    with pytest.raises(PipelineError) as error:
        at_once(lines, size)
    *shown, last, more, rules = str(error.value).splitlines()
    lines = [int(re.findall("line ([0-9]+)", line)[0]) for line in shown]
    assert lines == [2, *sorted([*range(3, 13)] * 2)][:20]
    assert len(shown) == 20
    assert "line 15, column 2: opens a quote that never closes" in last
    assert more == "... and 3 more"
    assert rules == (
        "expected by data/schema/small.yaml of rows without y, in a file written like the "
        'dataset\'s own: delimiter: ",", encoding: "utf-8", decimal: "."'
    )


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("note,a,n,y", "column y is what the model predicts; remove it from the file"),
        ("note,a", "column n is missing"),
        ("a,n", "column note is missing"),
        ("note,a,n,z", "column z is not in the schema; remove it"),
        ("note,A,n", "column A is not in the schema (did you mean a?)"),
        ("note,a ,n", "column 'a ' is not in the schema (did you mean a?)"),
        ("note,a,a,n", "line 1: column a stands there twice"),
        ("1,2,3", "line 1: '1' is a number, expected a header with column names"),
    ],
)
def test_fault_101_columns_that_do_not_fit(ask: Predict, header: str, words: str) -> None:
    cells = ",".join("1" for _ in header.split(","))
    code, out, err = ask("small", f"{header}\n{cells}\n", "--model", "bcpm")
    assert (code, out) == (2, "")
    assert "error: predict: " in err
    assert words in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("note;a;n\nr;1;1\n", "the file looks ;-separated; expected a file"),
        ('note,a,n\nr,"1,5",1\n', "line 2, column a: '1,5', expected a finite number\n"),
        ("note,a,n\nr,NA,1\n", "line 2, column a: 'NA', expected a finite number\n"),
        ("note,a,n\n\nr,1,1\n", "line 2: is blank; remove it\n"),
        ("note,a,n\nr\xe9,1,1\n".encode("latin-1"), "save the file as UTF-8\n"),
        ("1,2,3\n", "expected a header with column names\n"),
        (
            gzip.compress(b"note,a,n\nr,1,1\n", mtime=0),
            "is compressed by gzip: name it in.csv.gz",
        ),
    ],
)
def test_a_file_written_otherwise_is_to_be_written_like_the_datasets(
    ask: Predict, text: str | bytes, problem: str
) -> None:
    """What params.yaml declares is of the dataset's own file, which is fine as it is."""
    code, _, err = ask("small", text, "--model", "bcpm")
    assert (code, problem in err) == (2, True)
    assert 'a file written like the dataset\'s own: delimiter: ","' in err
    assert "declare" not in err


def test_fault_103_no_row_gives_no_row_and_a_warning(ask: Predict) -> None:
    """As many rows out as in: a job that finds nothing to do has not failed."""
    code, out, err = ask("house", "area_m2\n", "--model", "closed_form")
    assert (code, out) == (0, "area_m2,predicted_price_wan,out_of_range\n")
    assert "has a header but no rows; nothing was predicted" in err
    assert ask("house", "")[0] == 2


def test_fault_105_text_that_a_spreadsheet_would_execute(ask: Predict) -> None:
    cells = ["=1+1", "+cmd", "-a", "@x", "\tx", "-5", "+1e3", "ok", "a=1", "'=1"]
    lines = [f'"{cell}",-1,-1' for cell in cells]
    _, out, _ = ask("small", "\n".join(["note,a,n", *lines, ""]), "--model", "bcpm")
    shown = [row["note"] for row in table(out)]
    assert shown == ["'=1+1", "'+cmd", "'-a", "'@x", "'\tx", "-5", "+1e3", "ok", "a=1", "'=1"]
    assert {(row["a"], row["n"]) for row in table(out)} == {("-1", "-1")}


def test_fault_105_names_that_a_spreadsheet_would_execute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a feature, the target and a class: in no CSV file of ours a cell begins a formula."""
    folder = make_project(tmp_path / "project", "=a", ("@bad", "+good"))
    monkeypatch.chdir(folder)
    paths = [*folder.glob("data/5_evaluated/*/*.csv")]
    assert len(paths) == 2 * 9
    for path in paths:
        assert_harmless(path.read_text())
    assert "'=a" in (folder / "data/5_evaluated/small/coefficients.csv").read_text()
    assert "'@bad" in (folder / "data/5_evaluated/small/confusion.csv").read_text()
    (folder / "in.csv").write_text("note,=a,n\nx,1000,1\nx,-1000,1\n")
    capsys.readouterr()
    assert main(["predict", "small", "in.csv"]) == 0
    out = capsys.readouterr().out
    assert_harmless(out)
    assert out.startswith("note,'=a,n,predicted_y,class,")
    assert {row["out_of_range"] for row in table(out)} == {"'=a"}
    assert {row["class"] for row in table(out)} == {"'@bad", "'+good"}


def assert_harmless(text: str) -> None:
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert not [c for c in cells if c.startswith(("=", "+", "-", "@")) and not is_number(c)]


def test_fault_45_and_104_an_unseen_category_is_refused(
    tmp_path: Path, ask: Predict, trained: Path
) -> None:
    """Text is no feature here; where the schema lists what it may be, anything else is refused."""
    path = trained / "data/schema/small.yaml"
    path.write_text(SCHEMA.replace("str_length: {max_value: 20}", "isin: [r, s]"))
    try:
        code, out, err = ask("small", "note,a,n\nr,1,1\nt,1,1\n", "--model", "bcpm")
    finally:
        path.write_text(SCHEMA)
    assert (code, out) == (2, "")
    assert "in.csv, line 3, column note: " in err
    assert "expected isin(['r', 's'])" in err


def test_fault_106_beyond_the_training_range(ask: Predict) -> None:
    code, out, err = ask("house", "area_m2\n100\n1000\n", "--model", "closed_form")
    assert code == 0
    assert [row["out_of_range"] for row in table(out)] == ["", "area_m2"]
    assert "1 of 2 rows lie outside the range of the training rows, first on line 3" in err


def test_a_later_chunk_is_checked_before_anything_is_printed(ask: Predict) -> None:
    code, out, err = ask("house", "area_m2\n" + "100\n" * 16_384 + "abc\n")
    assert (code, out) == (2, "")
    assert "in.csv, line 16386, column area_m2: 'abc', expected a finite number" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--model", "closed_fom"),
            "'closed_fom' is no model of house (did you mean closed_form?)",
        ),
        (("-o", "in.csv"), "in.csv: is the input; name another file"),
        (("-o", "link"), "link: is the input"),
        (("-o", "none/../in.csv"), "in.csv: is the input"),
        (("-o", "folder"), "folder: is not a file"),
        (("-o", "/dev/null"), "/dev/null: is not a file"),
        (("-o", "in.csv/out.csv"), "cannot be written"),
        (("-o", "new/out.csv"), "there is no folder"),
        (("-o", "loop"), "is a link that leads to itself"),
        (("-o", "loop/out.csv"), "is a link that leads to itself"),
    ],
)
def test_what_cannot_be_taken_or_written_is_named(
    ask: Predict, tmp_path: Path, options: tuple[str, str], words: str
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "in.csv")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    name, value = options
    place = value if name == "--model" else str(tmp_path / value)
    code, out, err = ask("house", "area_m2\n100\n", name, place)
    assert (code, out) == (2, "")
    assert words in err
    assert (tmp_path / "in.csv").read_text() == "area_m2\n100\n"


@pytest.mark.parametrize("way", ["named", "by a link"])
@pytest.mark.parametrize(
    "name",
    ["data/4_models/house/house-closed_form.json", "data/x.csv", "metrics/x.csv", ".git/config"],
)
def test_what_the_project_keeps_is_not_written_over(
    ask: Predict, trained: Path, tmp_path: Path, name: str, way: str
) -> None:
    place = trained / name
    before = place.read_bytes() if place.exists() else None
    (tmp_path / "link.csv").symlink_to(place)
    output = place if way == "named" else tmp_path / "link.csv"
    code, out, err = ask("house", "area_m2\n100\n", "-o", str(output))
    assert (code, out) == (2, "")
    assert "lies where the project keeps its own" in err
    assert (place.read_bytes() if place.exists() else None) == before


def test_a_carriage_return_in_a_cell_is_read_again(ask: Predict, tmp_path: Path) -> None:
    code, out, _ = ask("small", 'note,a,n\n"x\ry",0.1,1\n"=z\r=1",0.2,2\n')
    assert code == 0
    rows = [*csv.DictReader(io.StringIO(out, newline=""), strict=True)]
    assert [row["note"] for row in rows] == ["x\ry", "'=z\r=1"]
    assert '"x\ry"' in out
    assert out.endswith("\n")
    assert "\r\n" not in out


def test_an_output_that_is_a_link_stays_one(ask: Predict, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    code, out, _ = ask("house", "area_m2\n100\n", "-o", str(tmp_path / "link.csv"))
    assert (code, out) == (0, "")
    assert (tmp_path / "link.csv").is_symlink()
    assert len(table((tmp_path / "real.csv").read_text())) == 1


def test_values_beyond_the_model_are_refused(ask: Predict) -> None:
    code, out, err = ask(
        "small", "note,a,n\nx,1,1\nx,1.79e308,1\n", "--model", "logistic_regression"
    )
    assert (code, out) == (2, "")
    assert "in.csv, line 3: the prediction is not finite" in err


def test_a_threshold_of_another_training_is_not_used(ask: Predict, trained: Path) -> None:
    path = trained / "data/4_models/small/small-bcpm.json"
    text = path.read_text()
    trained_on = md5(trained / "data/3_split/small/train.parquet")
    model = read_model(path, "bcpm", ["a", "n"], trained_on)
    write_model(path, ["a", "n"], replace(model, params={**model.params, "epochs": 11}), trained_on)
    code, _, err = ask("small", small_csv(1), "--model", "bcpm")
    path.write_text(text)
    assert code == 2
    assert "5_evaluated/small/evaluated.json judged another model than data/4_models/small/" in err


def test_a_column_named_like_an_answer_is_refused(ask: Predict, trained: Path) -> None:
    path = trained / "data/schema/small.yaml"
    path.write_text(SCHEMA.replace("note:", "class:"))
    code, _, err = ask("small", "class,a,n\nx,1,1\n", "--model", "bcpm")
    path.write_text(SCHEMA)
    assert code == 2
    assert "predict adds a column class, and the input has one of that name" in err


def test_help_says_what_predict_reads_writes_and_how_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("Reads", "Writes", "Exit codes", "--model", "--run", "-o"))
