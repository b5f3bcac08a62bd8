"""A table as people have them: categories, gaps, labels that are words; from file to prediction."""

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.artifacts.splits import read_split
from pipeline.core.params import load_params
from pipeline.core.tables import read_table
from pipeline.report.verdict import give_verdicts
from pipeline.tracking.sklearn_model import TRUSTED
from tests.conftest import keep_datasets

Run = Callable[[str], tuple[int, str]]
SCHEMA = """\
schema_type: dataframe
columns:
  id: {dtype: str}
  age: {dtype: float64, nullable: true, in_range: {min_value: 0, max_value: 120}}
  city: {dtype: str, nullable: true}
  size: {dtype: str, isin: [S, M, L]}
  Churn: {dtype: str, isin: ["Yes", "No"]}
strict: true
unique_column_names: true
"""
BLOCK = {
    "task": "classification",
    "target": "Churn",
    "ingest": {"source": "data/raw/churn.csv", "csv": {"missing": ["", "NA"]}},
    "split": {
        "test_size": 0.2,
        "columns": {"id": "drop", "city": "category", "size": {"order": ["S", "M", "L"]}},
    },
    "evaluate": {"positive": "Yes", "threshold": 0.5, "classes": ["No", "Yes"]},
}
LINE = {"dataset": "churn", "trainer": "bcpm", "optimizer": "adam", "lr": 0.1, "epochs": 50}
NEW = """\
id,age,city,size
k1,30,Paris,S
k2,NA,,L
k3,119,Madrid,M
k4,50,Oslo,L
"""


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, n).astype(float)
    city = rng.choice(["Berlin", "Paris", "Rome"], n).astype(object)
    size = rng.choice(["S", "M", "L"], n)
    z = 0.1 * (age - 50) + 2 * (city == "Paris") - 1.5 * (size == "L") + rng.normal(0, 1, n)
    age[::9], city[::20], city[3:6] = np.nan, None, "Oslo"
    answer = np.where(z > 0, "Yes", "No")
    ids = [f"k{k}" for k in range(n)]
    return pd.DataFrame({"id": ids, "age": age, "city": city, "size": size, "Churn": answer})


def declare(**changes: object) -> None:
    yaml = YAML()
    content = yaml.load(Path("params.yaml").read_text())
    content["datasets"]["churn"] = {**BLOCK, **changes}
    content["models"]["gradient"]["churn-bcpm"] = LINE
    content["cross_validation"]["repeats"] = 1
    yaml.dump(content, Path("params.yaml"))


@pytest.fixture
def churn(workspace: Path) -> Path:
    people().to_csv("data/raw/churn.csv", index=False)
    layout.schema("churn").write_text(SCHEMA)
    declare()
    return workspace


@pytest.fixture
def trained(churn: Path, run: Run) -> Path:
    for stage in ("ingest churn", "validate churn", "split churn", "train churn bcpm"):
        assert run(stage) == (0, "")
    code, said = run("evaluate churn")
    assert code == 0, said
    return churn


def predicted(run: Run, rows: str) -> list[dict[str, str]]:
    Path("new.csv").write_text(rows)
    code, said = run("predict churn new.csv --model bcpm -o out.csv")
    assert code == 0, said
    return list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))


def test_the_features_are_what_the_training_rows_teach(trained: Path) -> None:
    rows = json.loads(layout.split_rows("churn").read_text())["train"]
    table = people().iloc[rows]
    learned = json.loads(layout.columns("churn").read_text())
    assert learned["age"] == {"kind": "number", "fill": table["age"].median(), "gaps": True}
    assert learned["size"] == {"kind": "number", "order": ["S", "M", "L"]}
    often = table["city"].value_counts()
    assert learned["city"]["base"] == often.index[0]
    assert learned["city"]["own"] == sorted(often.index[1:3])
    assert learned["city"]["rare"] == ["Oslo"]
    assert [*json.loads(layout.scaler("churn").read_text())] == [
        *("age", "age is missing", *(f"city={word}" for word in learned["city"]["own"])),
        *("city is missing", "city is rare", "size"),
    ]


def test_what_is_there_is_learned_by_every_model(trained: Path) -> None:
    scores = json.loads(layout.metrics("churn").read_text())
    trivial = scores["majority"]["cv_accuracy"]
    assert scores["bcpm"]["cv_accuracy"] > trivial + 0.1
    assert scores["logistic_regression"]["cv_accuracy"] > trivial + 0.1
    audits = json.loads(layout.evaluated("churn").read_text())["audits"]
    failed = {audit["name"] for audit in audits if not audit["passed"]}
    assert failed <= {"identical_rows"}  # of whole ages, three cities and three sizes


def test_gaps_and_new_categories_are_predicted_and_named(trained: Path, run: Run) -> None:
    found = predicted(run, NEW)
    assert [row["out_of_range"] for row in found] == ["", "", "age;city", ""]
    assert {row["predicted_Churn"] for row in found} <= {"Yes", "No"}
    assert all(row["predicted_Churn"] == row["class"] for row in found)
    rare, unseen = (NEW.replace("Madrid", city) for city in ("Oslo", "Lima"))
    one, other = predicted(run, rare)[2], predicted(run, unseen)[2]
    assert one["probability_Yes"] == other["probability_Yes"]


def test_a_value_without_a_place_in_the_order_is_named_with_its_line(
    trained: Path, run: Run
) -> None:
    schema = layout.schema("churn")
    schema.write_text(SCHEMA.replace(", isin: [S, M, L]", ""))
    Path("new.csv").write_text(
        NEW.replace("Paris,S", "Paris,XL").replace("119,Madrid", "999,Madrid")
    )
    code, said = run("predict churn new.csv --model bcpm")
    assert code == 2
    assert "new.csv, line 2, column size: 'XL', expected one of S, M, L" in said
    assert "line 4, column age: '999', expected" in said


def test_a_feature_that_gives_the_target_away_is_warned_of(churn: Path, run: Run) -> None:
    table = people()
    table["city"] = np.where(table["Churn"] == "Yes", "Rome", "Paris")
    table.to_csv("data/raw/churn.csv", index=False)
    for stage in ("ingest churn", "validate churn", "split churn", "train churn bcpm"):
        assert run(stage)[0] == 0
    code, said = run("evaluate churn")
    assert (code, "warning: evaluate: churn: leakage audit giveaway failed: city=" in said) == (
        0,
        True,
    )


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports, of unknown categories
def test_mlflows_model_takes_raw_rows_and_says_the_same(
    trained: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.core.artifacts.models import read_model
    from pipeline.core.files import md5
    from pipeline.tracking.entry import Fitted
    from pipeline.tracking.sklearn_model import save_model

    settings = load_params().dataset("churn")
    split = read_split("churn", settings, read_table(layout.ingested("churn")))
    train_md5 = md5(layout.split_part("churn", "train"))
    model = read_model(layout.model("churn", "bcpm"), "bcpm", split.features, train_md5)
    fitted = Fitted(
        task="classification", target="Churn", classes=["No", "Yes"], labels=["No", "Yes"],
        threshold=0.3, features=[*split.features], columns=dict(split.encoding),
        mean=split.mean.tolist(), scale=split.scale.tolist(), coef=model.form.coef.tolist(),
        intercept=model.form.intercept, n_train=len(split.train), ranges=split.ranges(),
        example=[[30.0, "Paris", "S"], [None, None, "L"]],
    )  # fmt: skip
    save_model(trained / "saved", fitted, {"dataset": "churn"}, "m-1", "r" * 32)
    loaded = skops.io.load(trained / "saved/model.skops", trusted=TRUSTED)
    rows = pd.read_csv(io.StringIO(NEW))[["age", "city", "size"]]
    found = predicted(run, NEW)
    said = [float(row["probability_Yes"]) for row in found]
    np.testing.assert_allclose(loaded.predict_proba(rows)[:, 1], said, rtol=1e-12)
    assert loaded.predict(rows).tolist() == ["Yes" if p >= 0.3 else "No" for p in said]
    import mlflow.pyfunc

    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # of skops, too
    answers = mlflow.pyfunc.load_model(str(trained / "saved")).predict(rows)
    assert answers.tolist() == loaded.predict(rows).tolist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"id": "drop"},
            "column city is text: say what it is in split.columns, `category`, `date` or",
        ),
        ({"cyti": "category"}, "split.columns: there is no feature cyti (did you mean city?)"),
        ({"Churn": "drop"}, "split.columns: there is no feature Churn (it is the target)"),
        (
            dict.fromkeys(["id", "age", "city", "size"], "drop"),
            "has no feature, only its target Churn: split leaves all others out",
        ),
        ({"city": "words"}, "city: expected number, category, date, drop, {order: [from least, to"),
        ({"city": {"order": ["a"]}}, "order: expected"),
    ],
)
def test_columns_that_cannot_be_features_are_refused(
    columns: dict[str, object], said: str, churn: Path, run: Run
) -> None:
    assert run("ingest churn")[0] == run("validate churn")[0] == 0
    declare(split={"test_size": 0.2, "columns": columns})
    code, message = run("split churn")
    assert code == 2
    assert said in message
    assert not layout.split("churn").exists()


def test_a_column_without_a_value_in_training_rows_is_refused(churn: Path, run: Run) -> None:
    table = people()
    table["age"] = np.nan
    table.to_csv("data/raw/churn.csv", index=False)
    assert run("ingest churn")[0] == run("validate churn")[0] == 0
    code, message = run("split churn")
    assert (code, "column age has no value in the training rows" in message) == (2, True)


def test_adding_a_test_row_changes_nothing_that_was_learned(trained: Path, run: Run) -> None:
    """The held-out rows may hold anything: the models are the same."""

    def weights() -> object:
        return json.loads(layout.model("churn", "bcpm").read_text())["coef"]

    before = weights()
    held = json.loads(layout.split_rows("churn").read_text())["test"]
    table = people()
    table.loc[held, "city"] = [f"town {k}" for k in held]
    table.loc[held, "age"] = 1.0
    table.to_csv("data/raw/churn.csv", index=False)
    for stage in ("ingest churn", "validate churn", "split churn", "train churn bcpm"):
        code, said = run(stage)
        assert code == 0, said
    assert weights() == before


def test_warnings_of_a_fold_name_no_category(trained: Path, run: Run) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        assert run("evaluate churn")[0] == 0
    assert not [one for one in found if "unknown categories" in str(one.message)]


def test_rows_without_a_target_are_left_out_and_counted(churn: Path, run: Run) -> None:
    table = people()
    table.loc[::10, "Churn"] = None
    table.to_csv("data/raw/churn.csv", index=False)
    layout.schema("churn").write_text(SCHEMA.replace("Churn: {", "Churn: {nullable: true, "))
    assert run("ingest churn")[0] == run("validate churn")[0] == 0
    code, said = run("split churn")
    assert (code, "Churn is missing in 12 rows: left out" in said) == (0, True)
    rows = json.loads(layout.split_rows("churn").read_text())
    assert not {*rows["train"], *rows["test"]} & {*range(0, 120, 10)}
    for stage in ("train churn bcpm", "evaluate churn"):
        assert run(stage)[0] == 0
    assert len(predicted(run, NEW)) == 4


def test_rows_with_gaps_are_left_out_where_params_say_so(churn: Path, run: Run) -> None:
    declare(split=BLOCK["split"] | {"gaps": "leave_out"})
    assert run("ingest churn")[0] == run("validate churn")[0] == 0
    code, said = run("split churn")
    gaps = int(people()[["age", "city"]].isna().any(axis=1).sum())
    assert (code, f"split.gaps: {gaps} rows with missing values are left out" in said) == (0, True)
    for stage in ("train churn bcpm", "evaluate churn"):
        assert run(stage)[0] == 0
    assert json.loads(layout.columns("churn").read_text())["age"] == {"kind": "number"}
    Path("new.csv").write_text(NEW)
    code, said = run("predict churn new.csv --model bcpm")
    assert code == 2
    assert "new.csv, line 3, column age: no value, and the model has learned nothing" in said


def test_what_promote_notes_of_real_columns_is_what_validate_compares_with(
    churn: Path, run: Run
) -> None:
    keep_datasets(churn / "params.yaml", "churn")
    stages = ("ingest churn", "validate churn", "split churn")
    trainers = "train churn bcpm logistic_regression majority"
    for command in (*stages, trainers, "evaluate churn"):
        assert run(command)[0] == 0, command
    give_verdicts(load_params())
    layout.CHAMPION.write_text("{}")
    assert run("promote churn bcpm")[0] == 0
    noted = json.loads(layout.CHAMPION.read_text())["churn"]["trained_on"]
    frame = people()
    train = frame.iloc[json.loads(layout.split_rows("churn").read_text())["train"]]
    counts = train["city"].value_counts()
    assert noted["counts"]["city"] == [counts[word] for word in noted["categories"]["city"]]
    assert noted["missing"] == {name: frame[name].isna().mean() for name in ("age", "city")}
    ages = train["age"].dropna()
    assert noted["sketches"]["age"]["rows"] == len(ages)
    assert "[drift]" not in run("validate churn")[1]
    frame["city"] = np.where(frame["city"] == "Paris", "Kyoto", frame["city"])
    frame.to_csv("data/raw/churn.csv", index=False)
    assert run("ingest churn")[0] == 0
    said = run("validate churn")[1]
    assert "column city: " in said
    assert "are none of its categories: 'Kyoto'" in said
    assert said.count("[drift]") == 1
