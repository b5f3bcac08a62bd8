"""The test rows alone judge: a column, or a row group, at a time."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from pipeline.core import layout, passes, tables
from pipeline.core.artifacts.evaluated import Evaluated, read_evaluated
from pipeline.core.artifacts.splits import Parts
from pipeline.core.files import read_as
from pipeline.core.params import load_params
from pipeline.evaluate import audits, folds
from pipeline.evaluate.verdict import verdict
from tests.conftest import keep_datasets

Run = Callable[[str], tuple[int, str]]
MODELS = {"synthetic": "closed_form manual_gd", "breast_cancer": "bcpm"}


def declare(dataset: str, **evaluate: object) -> None:
    yaml = YAML()
    keep_datasets(layout.PARAMS, dataset)
    content = yaml.load(layout.PARAMS.read_text())
    content["datasets"][dataset]["evaluate"] |= evaluate
    content["models"]["gradient"].pop("synthetic-torch_sgd", None)
    yaml.dump(content, layout.PARAMS)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty test rows are many, and a row group has fifty."""
    monkeypatch.setattr(folds, "ENOUGH", 20)
    monkeypatch.setattr(tables, "TILE", 50)
    monkeypatch.setattr(tables, "ROW_GROUP", 50)


@pytest.fixture
def judged(run: Run, prepared: Callable[[str], None], few: None) -> Callable[..., Evaluated]:
    """Bring a dataset through all stages up to evaluate."""

    def judge(dataset: str, **evaluate: object) -> Evaluated:
        declare(dataset, **{"repeats": "auto"} | evaluate)
        prepared(dataset)
        assert run(f"train {dataset} {MODELS[dataset]}")[0] == 0
        assert run(f"evaluate {dataset}")[0] == 0
        return read_evaluated(dataset)

    return judge


def again(run: Run, dataset: str, **evaluate: object) -> Evaluated:
    declare(dataset, **evaluate)
    assert run(f"evaluate {dataset}")[0] == 0
    return read_evaluated(dataset)


@pytest.mark.parametrize("dataset", ["synthetic", "breast_cancer"])
def test_test_rows_alone_say_what_they_say_beside_folds(
    dataset: str, judged: Callable[..., Evaluated], run: Run, workspace: Path
) -> None:
    alone = judged(dataset)
    groups = pq.ParquetFile(layout.split_part(dataset, "test")).num_row_groups
    assert groups == {"synthetic": 1, "breast_cancer": 3}[dataset]
    plots = {path.name: path.read_text() for path in layout.evaluated(dataset).parent.glob("*.csv")}
    beside = again(run, dataset, repeats=1)
    assert (alone.scheme.alone, beside.scheme.alone) == (True, False)
    assert not any(key.startswith("cv_") for one in alone.judged.values() for key in one.scores)
    for name, one in beside.judged.items():
        ours, theirs = alone.judged[name].scores, one.scores
        assert [*ours] == [key for key in theirs if not key.startswith("cv_")]
        for key, value in ours.items():
            assert value == (None if theirs[key] is None else pytest.approx(theirs[key], rel=1e-9))
        values = [(c.feature, c.value) for c in one.coefficients]
        assert [(c.feature, c.value) for c in alone.judged[name].coefficients] == values
    by_name, by_name_beside = ({one.name: one for one in of.audits} for of in (alone, beside))
    for name in ("identical_rows", "near_duplicates", "giveaway"):
        assert by_name[name] == by_name_beside[name]
    assert all(one.passed for one in alone.audits)
    for name, text in plots.items():
        same = text == layout.evaluated(dataset).with_name(name).read_text()
        assert same != (name in ("cv.csv", "coefficients.csv")), name


def test_models_are_compared_by_the_means_of_their_test_rows(
    judged: Callable[..., Evaluated], workspace: Path
) -> None:
    found = judged("breast_cancer")
    by = {name: one.scores["test_accuracy"] for name, one in found.judged.items()}
    for one in found.comparisons:
        assert one.difference == pytest.approx((by[one.a] or 0) - (by[one.b] or 0), abs=1e-6)
        assert one.low <= one.difference <= one.high
    # of two models the rows where one is right differ: +-1, or 0
    (first, *_) = found.comparisons
    n = found.test_rows
    wrong = round(abs(first.difference) * n)
    assert (first.high - first.low) ** 2 >= 4 * wrong / n**2  # no less than the variance of these
    assert found.held == "test_accuracy"


def test_the_verdict_and_the_report_say_that_test_rows_judge(
    judged: Callable[..., Evaluated], run: Run, workspace: Path
) -> None:
    found = verdict(judged("breast_cancer"), 0, "")
    assert (found.best, found.verdict) == ("bcpm", "accepted")
    assert any("test rows alone" in note for note in found.notes)
    assert run("report")[0] == 0
    page = layout.REPORT.read_text(encoding="utf-8")
    assert "The test rows judge alone" in page
    assert "-fold cross-validation" not in page
    summary = json.loads(layout.SUMMARY.read_text())["breast_cancer"]
    assert [*summary["bcpm"]] == ["test_accuracy"]
    assert run("results")[0] == 0


def test_a_goal_chooses_its_threshold_on_training_rows(
    judged: Callable[..., Evaluated], workspace: Path
) -> None:
    goal = {"recall": "malignant", "at_least": 0.98}
    found = judged("breast_cancer", threshold=goal)
    assert found.judged["majority"].threshold == 0.5
    assert 0.5 < (found.judged["bcpm"].threshold or 0) < 1
    assert (found.judged["bcpm"].scores["test_recall_malignant"] or 0) > 0.9
    assert any("Recall of malignant" in note for note in verdict(found, 0, "").notes)


@pytest.mark.parametrize("features", [30, 29])
def test_the_champion_is_trained_on_the_training_rows_and_judged_beside(
    features: int, judged: Callable[..., Evaluated], run: Run, workspace: Path
) -> None:
    first = judged("breast_cancer")
    champion = {
        "trainer": "bcpm",
        "params": first.judged["bcpm"].params | {"epochs": 3},
        "features": [*first.columns][:features],
        "threshold": 0.5,
    }
    layout.CHAMPION.write_text(json.dumps({"breast_cancer": champion}))
    found = again(run, "breast_cancer", repeats="auto")
    assert found.champion == "champion"
    area = found.judged["champion"].scores["test_roc_auc"]
    assert 0.95 < (area or 0) < 1
    assert area != found.judged["bcpm"].scores["test_roc_auc"]
    champion["params"] = first.judged["bcpm"].params
    champion["features"] = [*first.columns]
    layout.CHAMPION.write_text(json.dumps({"breast_cancer": champion}))
    assert again(run, "breast_cancer", repeats="auto").champion == "bcpm"


def test_test_rows_that_equal_training_rows_are_counted(
    run: Run, prepared: Callable[[str], None], few: None, workspace: Path
) -> None:
    path = workspace / "data/raw/breast_cancer.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *lines, *lines[:100], ""]))
    schema = layout.schema("breast_cancer")
    schema.write_text(schema.read_text().replace("unique: true", "unique: false"))
    declare("breast_cancer", repeats="auto")
    for stage in ("ingest", "validate", "split"):
        run(f"{stage} breast_cancer")
    run("train breast_cancer bcpm")
    run("evaluate breast_cancer")
    alone = read_evaluated("breast_cancer").audits
    beside = again(run, "breast_cancer", repeats=1).audits
    found, expected = (
        next(one for one in of if one.name == "identical_rows") for of in (alone, beside)
    )
    assert found == expected
    assert (found.figure or 0) > 10
    assert not found.passed


@pytest.mark.parametrize("part", ["train", "test"])
def test_parts_of_another_run_are_refused(
    part: str, judged: Callable[..., Evaluated], run: Run, workspace: Path
) -> None:
    judged("synthetic")
    before = layout.evaluated("synthetic").read_bytes()
    path = layout.split_part("synthetic", part)
    table = tables.read_table(path)
    column = np.array(table["x1"]).copy()
    column[-1] = np.nextafter(column[-1], 9)
    tables.write_table(path, tables.number_table(table.column_names, [column, np.array(table[1])]))
    code, said = run("evaluate synthetic")
    assert code == 2
    assert "run `dvc repro`" in said
    assert layout.evaluated("synthetic").read_bytes() == before


def test_rows_of_another_table_are_refused(
    judged: Callable[..., Evaluated], run: Run, workspace: Path
) -> None:
    judged("synthetic")
    path = layout.split_rows("synthetic")
    parts = read_as(path, Parts)
    fewer = {"train": parts.train, "test": parts.test[:-1]}
    path.write_text(json.dumps(fewer))
    code, said = run("evaluate synthetic")
    assert code == 2
    assert "run `dvc repro`" in said


@pytest.mark.parametrize("dataset", ["synthetic", "breast_cancer"])
def test_the_bytes_do_not_hang_on_threads(
    dataset: str,
    judged: Callable[..., Evaluated],
    run: Run,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judged(dataset)
    folder, found = layout.evaluated(dataset).parent, []
    for threads in (1, 2, 4):
        monkeypatch.setattr(passes, "WORKERS", threads)
        assert run(f"evaluate {dataset}")[0] == 0
        found.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("repeats", "split", "rows", "alone"),
    [
        ("auto", {}, 2000, True),
        ("auto", {}, 1999, False),
        (1, {}, 2000, False),
        (None, {}, 2000, False),
        ("auto", {"group": "mean radius"}, 2000, False),
        ("auto", {"time": "mean radius"}, 2000, False),
    ],
)
def test_test_rows_alone_judge_where_auto_finds_enough(
    repeats: object, split: dict[str, str], rows: int, alone: bool, workspace: Path
) -> None:
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    block = content["datasets"]["breast_cancer"]
    if repeats is not None:
        block["evaluate"]["repeats"] = repeats
    if split:
        block["split"].pop("by")
    block["split"] |= split
    yaml.dump(content, layout.PARAMS)
    assert folds.test_rows_alone(load_params(), "breast_cancer", rows) == alone


def test_rows_of_many_are_drawn_of_each_class(workspace: Path) -> None:
    settings = load_params().dataset("breast_cancer")
    y = np.zeros(3 * audits.MOST_SHUFFLED)
    y[::1000] = 1
    rows = audits._of_each_kind(y, settings)
    assert len(rows) == audits.MOST_SHUFFLED
    assert y[rows].sum() == pytest.approx(y.sum() / 3, abs=1)
    y[:] = 0
    y[7] = 1
    assert y[audits._of_each_kind(y, settings)].sum() == 1
