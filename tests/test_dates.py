"""A table with dates: from a file, in which their form is declared, to features and predictions."""

import csv
import io
import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.artifacts.models import read_model
from pipeline.core.artifacts.splits import read_split
from pipeline.core.columns import date
from pipeline.core.dates import CLOCKS, CYCLES, DAYS, ISO, as_iso, days_of, forms_of, places
from pipeline.core.dialect import Dialect
from pipeline.core.files import md5
from pipeline.core.params import load_params
from pipeline.core.tables import read_table
from pipeline.report.verdict import give_verdicts
from pipeline.tracking.entry import Fitted
from pipeline.tracking.sklearn_model import TRUSTED, as_estimator, save_model
from tests.conftest import Clone, copied, keep_datasets
from tests.test_predict_served import served

Run = Callable[[str], tuple[int, str]]
SCHEMA = """\
schema_type: dataframe
columns:
  sold_on: {dtype: str, nullable: true}
  at: {dtype: str}
  price: {dtype: float64}
strict: true
unique_column_names: true
"""
BLOCK: dict[str, Any] = {
    "task": "regression",
    "target": "price",
    "ingest": {
        "source": "data/raw/sales.csv",
        "csv": {"dates": {"sold_on": "%d.%m.%Y"}, "missing": [""]},
    },
    "split": {
        "test_size": 0.2,
        "columns": {"sold_on": {"date": ["month", "weekday"]}, "at": "date"},
    },
    "evaluate": {},
}
NEW = """\
sold_on,at
1.3.2021,2021-03-01T10:00:00+02:00
,2021-03-01
28.02.2022,2021-12-31 23:59:59.5
"""


def sales(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
    at = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 10**7, n), unit="s")
    price = 0.01 * (day - day[0]).days + 2 * (day.month == 3) + rng.normal(0, 0.1, n)
    told = day.strftime("%d.%m.%Y").to_numpy(dtype=object)
    told[::9] = None
    return pd.DataFrame({"sold_on": told, "at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "price": price})


def declare(**changes: object) -> None:
    yaml = YAML()
    content = yaml.load(Path("params.yaml").read_text())
    content["datasets"]["sales"] = {**BLOCK, **changes}
    content["models"]["direct"]["sales-closed_form"] = {
        "dataset": "sales",
        "trainer": "closed_form",
    }
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, Path("params.yaml"))


@pytest.fixture
def sold(workspace: Path) -> Path:
    sales().to_csv("data/raw/sales.csv", index=False)
    layout.schema("sales").write_text(SCHEMA)
    declare()
    return workspace


@pytest.fixture
def trained(sold: Path, run: Run) -> Path:
    for stage in ("ingest sales", "validate sales", "split sales", "train sales closed_form"):
        assert run(stage) == (0, "")
    return sold


def predicted(run: Run, rows: str) -> list[dict[str, str]]:
    Path("new.csv").write_text(rows)
    code, said = run("predict sales new.csv --model closed_form -o out.csv")
    assert code == 0, said
    return list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))


def test_dates_become_days_and_the_parts_that_are_declared(trained: Path) -> None:
    split = read_split(
        "sales", load_params().dataset("sales"), read_table(layout.ingested("sales"))
    )
    frame = sales()
    day = pd.to_datetime(frame["sold_on"], format="%d.%m.%Y")
    days = ((day - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy()
    at = pd.to_datetime(frame["at"]) - pd.Timestamp(0, tz="UTC")
    found = dict(zip(split.features, split.X.T, strict=True))
    np.testing.assert_array_equal(
        found["sold_on"], np.where(day.isna(), np.nanmedian(days[split.train]), days)
    )
    np.testing.assert_array_equal(found["sold_on is missing"], day.isna())
    np.testing.assert_allclose(found["at"], at / pd.Timedelta(days=1), rtol=1e-15)
    for part, words in (
        ("month", day.dt.month.astype("Int64").astype(str)),
        ("weekday", day.dt.day_name()),
    ):
        often = words[split.train][day.notna()[split.train]].value_counts()
        names = [name for name in split.features if name.startswith(f"sold_on {part}=")]
        assert len(names) == (often >= 5).sum() - 1
        for name in names:
            np.testing.assert_array_equal(found[name], words == name.partition("=")[2])
    assert not [name for name in split.features if name.startswith("at ")]


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports, of zones
def test_mlflows_model_takes_raw_rows_and_says_the_same(
    trained: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("evaluate sales")[0] == 0
    table = read_table(layout.ingested("sales"))
    split = read_split("sales", load_params().dataset("sales"), table)
    train_md5 = md5(layout.split_part("sales", "train"))
    model = read_model(
        layout.model("sales", "closed_form"), "closed_form", split.features, train_md5
    )
    example = table.select([*split.encoding]).slice(0, 5).to_pylist()
    fitted = Fitted(
        task="regression", target="price", classes=None, threshold=None,
        features=[*split.features], columns=dict(split.encoding), mean=split.mean.tolist(),
        scale=split.scale.tolist(), coef=model.form.coef.tolist(), intercept=model.form.intercept,
        n_train=len(split.train), ranges=split.ranges(),
        example=[[*row.values()] for row in example],
    )  # fmt: skip
    assert None in fitted.example[0]
    save_model(trained / "saved", fitted, {"dataset": "sales"}, "m-1", "r" * 32)
    assert {*skops.io.get_untrusted_types(file=trained / "saved/model.skops")} == {*TRUSTED}
    loaded = skops.io.load(trained / "saved/model.skops", trusted=TRUSTED)
    found = predicted(run, NEW)
    said = [float(row["predicted_price"]) for row in found]
    assert [row["out_of_range"] for row in found] == ["", "", "sold_on;at"]
    rows = pd.read_csv(io.StringIO(NEW)).assign(sold_on=["2021-03-01", None, "2022-02-28"])
    np.testing.assert_allclose(loaded.predict(rows), said, rtol=1e-12)
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # of skops, too
    answers = mlflow.pyfunc.load_model(str(trained / "saved")).predict(rows)
    assert answers.tolist() == loaded.predict(rows).tolist()
    alone = (
        "import json, sys, pandas as pd, skops.io\n"
        f"model = skops.io.load('saved/model.skops', trusted={TRUSTED})\n"
        "rows = pd.DataFrame(json.load(sys.stdin))\n"
        "assert not [name for name in sys.modules if name.startswith('pipeline')]\n"
        "print(json.dumps(model.predict(rows).tolist()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", alone], cwd=trained,
        input=json.dumps(rows.to_dict("list")), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == loaded.predict(rows).tolist()


@pytest.mark.filterwarnings("ignore:no explicit representation of timezones")
def test_where_training_had_no_gaps_neither_model_guesses_at_one(trained: Path, run: Run) -> None:
    """A date that is missing must not be taken for the least number there is."""
    split = read_split(
        "sales", load_params().dataset("sales"), read_table(layout.ingested("sales"))
    )
    at = split.encoding["at"]
    assert not at.filled
    fitted = Fitted(
        task="regression", target="price", classes=None, threshold=None, features=["at"],
        columns={"at": at}, mean=[0.0], scale=[1.0], coef=[1.0], intercept=0.0, n_train=9,
        ranges={}, example=[],
    )  # fmt: skip
    model = as_estimator(fitted)
    assert model.predict(pd.DataFrame({"at": ["1970-01-02T12:00Z", "1970-01-01"]})).tolist() == [
        1.5,
        0,
    ]
    for none in (None, np.nan):
        with pytest.raises(ValueError, match="contains NaN"):
            model.predict(pd.DataFrame({"at": ["1970-01-02", none]}))
    assert run("evaluate sales")[0] == 0
    Path("new.csv").write_text("sold_on,at\n1.3.2021,\n")
    layout.schema("sales").write_text(SCHEMA.replace("at: {", "at: {nullable: true, "))
    code, said = run("predict sales new.csv --model closed_form")
    assert code == 2
    assert "new.csv, line 2, column at: no value, and the model has learned nothing" in said


def test_a_cell_of_another_form_is_named_with_its_line(sold: Path, run: Run) -> None:
    for number, cell in ((41, "31.02.2020"), (7, "1/2/2020")):
        lines = sales().to_csv(index=False).splitlines(keepends=True)
        lines[number - 1] = f"{cell},2021-01-01,1\n"
        Path("data/raw/sales.csv").write_text("".join(lines))
        assert run("ingest sales") == (
            2,
            f"error: ingest: data/raw/sales.csv, line {number}, column sold_on: {cell!r} is no "
            "date of the form %d.%m.%Y (ingest.csv.dates)\n",
        )
        assert not layout.ingested("sales").exists()


@pytest.mark.parametrize("missing", [[], [""]], ids=["by Arrow", "by records"])
def test_both_readers_give_the_same_dates(missing: list[str], sold: Path, run: Run) -> None:
    frame = sales().dropna()
    frame["sold_on"] = pd.to_datetime(frame["sold_on"], dayfirst=True).dt.strftime("%Y%m%d")
    frame.to_csv("data/raw/sales.csv", index=False)
    csv = {"dates": {"sold_on": "%Y%m%d"}, "missing": missing}
    declare(ingest={**BLOCK["ingest"], "csv": csv})
    assert run("ingest sales") == (0, "")
    found = read_table(layout.ingested("sales"))["sold_on"].to_pylist()
    assert found == [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in frame["sold_on"]]


def test_what_is_no_date_is_named_by_validate_and_by_predict(trained: Path, run: Run) -> None:
    assert run("evaluate sales")[0] == 0
    Path("new.csv").write_text(f"{NEW}30.2.2021,2021-02-30\n,\n,soon\n")
    code, said = run("predict sales new.csv --model closed_form")
    expected = "a date of ISO 8601, 2024-01-31 or 2024-01-31T12:30:00Z"
    assert code == 2
    assert said.splitlines()[:4] == [
        "error: predict: new.csv, line 5, column at: '2021-02-30', expected " + expected,
        "new.csv, line 5, column sold_on: '30.2.2021' is no date of the form "
        "%d.%m.%Y (ingest.csv.dates)",
        "new.csv, line 6, column at: no value, expected not_nullable; gaps need nullable: true in "
        "the schema",
        "new.csv, line 7, column at: 'soon', expected " + expected,
    ]
    frame = sales()
    frame.loc[3, "at"] = "2021-02-30"
    frame.to_csv("data/raw/sales.csv", index=False)
    assert run("ingest sales")[0] == 0
    code, said = run("validate sales")
    assert code == 2
    assert f"sales.csv, line 5, column at: '2021-02-30', expected {expected}" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"price": "date"}}, "there is no feature price (it is the target)"),
        ({"columns": {"sold_on": {"date": ["moth"]}}}, "expected 'month', 'weekday' or 'hour'"),
        ({"columns": {"sold_on": {"date": []}}}, "sold_on.date: expected"),
        ({"columns": {"sold_on": {"date": ["hour", "hour"]}}}, "date: a part stands twice"),
        ({"columns": {"sold_on": "dates"}}, "expected number, category, date, drop, {order:"),
        ({"columns": {"sold_on": {"dates": []}}}, 'got {"dates": []} (did you mean date?)'),
        (
            {"columns": {"sold_on": {"date": ["month"], "order": ["a", "b"]}}},
            "{order: [from least, to greatest]} or {date: [month, weekday, hour]}, not both, got",
        ),
        ({"dates": {"sold_on": "%d.%m"}}, "dates.sold_on: expected a form such as %d.%m.%Y or"),
        ({"dates": {"sold_on": "%d.%m.%Y %Q"}}, "dates.sold_on: expected a form such as"),
        ({"dates": {"sold_on": "%d.%m.%Y %f"}}, "dates.sold_on: expected a form such as"),
        ({"dates": {"sold_on": "%d.%m.%Y %H %I %p"}}, "dates.sold_on: expected each part once"),
        ({"dates": {"solt_on": "%d.%m.%Y"}}, "there is no column solt_on (did you mean sold_on?)"),
    ],
)  # fmt: skip
def test_what_cannot_be_declared_is_refused(
    changes: dict[str, Any], said: str, sold: Path, run: Run
) -> None:
    csv = {**BLOCK["ingest"]["csv"], "dates": changes.get("dates", {"sold_on": "%d.%m.%Y"})}
    columns = changes.get("columns", BLOCK["split"]["columns"])
    declare(ingest={**BLOCK["ingest"], "csv": csv}, split={"test_size": 0.2, "columns": columns})
    commands = ("ingest sales", "validate sales", "split sales")
    code, message = next((run(one) for one in commands if (run(one))[0]), (0, ""))
    assert (code, message.count("\n")) == (2, 1)
    assert said in message


def test_a_column_that_holds_no_dates_is_refused(sold: Path, run: Run) -> None:
    frame = sales().assign(n=range(200))
    frame.to_csv("data/raw/sales.csv", index=False)
    layout.schema("sales").write_text(SCHEMA.replace("  price", "  n: {dtype: int64}\n  price"))
    for column, message in (
        ("n", "column n is of numbers, expected a date of ISO 8601"),
        ("sold_on", "column sold_on: '21.03.2021', expected a date of ISO 8601"),
    ):
        columns = {"sold_on": "drop", "at": "drop", column: "date"}
        declare(
            ingest={"source": "data/raw/sales.csv", "csv": {"missing": [""]}},
            split={"test_size": 0.2, "columns": columns},
        )
        assert run("ingest sales")[0] == 0
        code, said = run("validate sales")
        if code == 0:
            code, said = run("split sales")
        assert code == 2
        assert message in said


def test_later_dates_are_no_drift_and_missing_ones_are(sold: Path, run: Run) -> None:
    keep_datasets(sold / "params.yaml", "sales")
    trainers = "train sales closed_form linear_regression mean"
    for command in ("ingest sales", "validate sales", "split sales", trainers, "evaluate sales"):
        assert run(command)[0] == 0, command
    give_verdicts(load_params())
    layout.CHAMPION.write_text("{}")
    assert run("promote sales closed_form")[0] == 0
    frame = sales()
    later = pd.to_datetime(frame["sold_on"], dayfirst=True) + pd.Timedelta(days=800)
    frame["sold_on"] = later.dt.strftime("%d.%m.%Y")
    frame.to_csv("data/raw/sales.csv", index=False)
    assert run("ingest sales")[0] == 0
    assert run("validate sales") == (0, "")
    frame.loc[::2, "sold_on"] = None
    frame.to_csv("data/raw/sales.csv", index=False)
    assert run("ingest sales")[0] == 0
    code, said = run("validate sales")
    assert code == 0
    assert "column sold_on: 55.5% of 200 values are missing, where 11.5% were" in said


MOMENTS = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))
FORMS = st.builds("{}{}".format, st.sampled_from(DAYS), st.sampled_from(CLOCKS))


def one(text: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([[text]], pa.string())


@settings(max_examples=200)
@given(moment=MOMENTS, form=FORMS, wrong=st.sampled_from("0139 .x"), at=st.integers(0, 30))
def test_a_form_reads_what_pythons_strptime_reads_and_nothing_more(
    moment: datetime, form: str, wrong: str, at: int
) -> None:
    cell = moment.strftime(form.replace("%Y", f"{moment.year:04}"))
    expected = moment.strptime(cell.zfill(0), form)
    iso, bad = as_iso(one(cell), form)
    assert not bad.any()
    assert datetime.fromisoformat(iso[0].as_py()) == expected
    assert form in forms_of(cell) or ISO[0] in forms_of(cell)
    spoilt = cell[:at] + wrong + cell[at + 1 :]
    iso, bad = as_iso(one(spoilt), form)
    if not bad.any():
        assert datetime.fromisoformat(iso[0].as_py()) == datetime.strptime(spoilt, form)
    assert bad.any() == iso[0].is_valid ^ True


@given(moment=MOMENTS, part=st.sampled_from([*CYCLES]))
def test_days_and_parts_are_those_of_pythons_calendar(moment: datetime, part: Any) -> None:
    days, bad = days_of(one(moment.isoformat()))
    assert not bad.any()
    since = moment.replace(microsecond=moment.microsecond // 1000 * 1000) - datetime(1970, 1, 1)
    assert (
        days[0]
        == (since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000) / 864e5
    )
    word = CYCLES[part].words[int(places(days, part)[0])]
    assert (
        word
        == {"month": str(moment.month), "weekday": moment.strftime("%A"), "hour": str(moment.hour)}[
            part
        ]
    )


@pytest.mark.parametrize(
    "cell",
    [
        "20240131",
        "2024-02-30",
        "2024-1-31",
        "now",
        "2024",
        "2024-01-31T24:00",
        " 2024-01-31",
        "2024-01-31\n",
        "",
    ],
)
def test_what_numpy_would_guess_at_is_no_date(cell: str) -> None:
    days, bad = days_of(pa.chunked_array([["2024-01-31", cell, None]], pa.string()))
    assert np.isnan(days).tolist() == [False, True, True]
    assert bad.tolist() == [False, True, False]


def test_a_form_is_declared_by_the_parts_of_strptime() -> None:
    forms = {day + clock for day in DAYS for clock in CLOCKS}
    dialect = Dialect.model_validate({"dates": {form: form for form in forms}})
    assert {*dialect.dates} == forms


@pytest.fixture
def clone(house_alone: Clone, tmp_path: Path) -> Clone:
    return copied(house_alone, tmp_path / "copy")


@pytest.mark.slow
def test_dates_from_a_file_to_a_served_model(clone: Clone, tmp_path: Path) -> None:
    frame = sales()
    frame["at"] = [f"{k % 12 + 1}/{k % 11 + 1}/2021" for k in range(len(frame))]
    frame.to_csv(clone.folder / "../sales.csv", index=False)
    said = clone.ok("python -m pipeline add ../sales.csv --target price")
    assert "dates       1: sold_on (as %d.%m.%Y; 2020-01-" in said
    assert (
        "left out    at: dates written as %d/%m/%Y or %m/%d/%Y: declare in ingest.csv which" in said
    )
    clone.ok("dvc repro")
    new = clone.folder / "../new.csv"
    new.write_text("sold_on,at\n5.3.2021,x\n,x\n29.02.2024,x\n")
    clone.ok(f"python -m pipeline predict sales '{new}' -o '{tmp_path}/out.csv'")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [row["out_of_range"] for row in rows] == ["", "", "sold_on"]
    store = f"sqlite:///{clone.folder / 'mlflow.db'}"
    data = [["2021-03-05"], [None], ["2024-02-29"]]
    body = json.dumps({"dataframe_split": {"columns": ["sold_on"], "data": data}}).encode()
    with served("models:/sales/1", store, tmp_path) as url:
        request = urllib.request.Request(
            f"{url}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            answers = json.load(answer)["predictions"]
    np.testing.assert_allclose(answers, [float(r["predicted_price"]) for r in rows], rtol=1e-9)


@pytest.mark.parametrize(
    ("form", "cell"),
    [("%d%m%Y", "0112024"), ("%d%m%Y", "0111202"), ("%Y%m%d", "2024011"),
     ("%Y-%m-%d %H%M", "2024-01-01 123")],
)  # fmt: skip
def test_without_a_sign_between_them_parts_have_all_their_digits(form: str, cell: str) -> None:
    assert as_iso(pa.chunked_array([[cell]]), form)[1].tolist() == [True]
    whole = {"%d%m%Y": "01122024", "%Y%m%d": "20240101"}.get(form, "2024-01-01 0123")
    assert as_iso(pa.chunked_array([[whole]]), form)[1].tolist() == [False]


def test_parts_have_one_order_whatever_order_they_are_written_in() -> None:
    orders = [["hour", "month", "weekday"], ["weekday", "hour", "month"]]
    names = [date(parts).model_dump()["parts"].keys() for parts in orders]
    assert [*map(list, names)] == [["month", "weekday", "hour"]] * 2
