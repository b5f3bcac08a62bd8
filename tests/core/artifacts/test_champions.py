import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.core import layout
from pipeline.core.artifacts.champions import Holder, champion_model, holder, read_champion
from pipeline.core.artifacts.evaluated import read_evaluated
from pipeline.core.artifacts.trained_on import sketched
from pipeline.core.errors import PipelineError
from pipeline.core.files import write_json
from pipeline.core.params import load_params
from pipeline.core.settings.descent import params_of
from pipeline.report.verdict import give_verdicts
from tests.conftest import descent, keep_datasets

Run = Callable[[str], tuple[int, str]]
Judge = Callable[..., dict[str, object]]
SYNTHETIC = "closed_form manual_gd torch_sgd linear_regression mean"


@pytest.fixture
def judged(run: Run, prepared: Callable[[str], None], workspace: Path) -> Judge:
    """Train and judge synthetic alone; gives its verdict."""
    params = workspace / "params.yaml"
    keep_datasets(params, "synthetic")
    prepared("synthetic")

    def judge(trainers: str = SYNTHETIC) -> dict[str, object]:
        for command in (f"train synthetic {trainers}", "evaluate synthetic"):
            code, message = run(command)
            assert code == 0, message
        give_verdicts(load_params())
        verdicts = json.loads((workspace / "metrics/verdict.json").read_text())
        found: dict[str, object] = verdicts["datasets"]["synthetic"]
        return found

    return judge


def trained_on(workspace: Path) -> dict[str, object]:
    """What the rows of synthetic that trained are like."""
    rows = json.loads((workspace / "data/3_split/synthetic/rows.json").read_text())["train"]
    table = pd.read_parquet(workspace / "data/1_ingested/synthetic.parquet")
    trained = table.iloc[rows]
    ranges = {name: {"min": min(column), "max": max(column)} for name, column in trained.items()}
    sketches = {name: sketched(column.to_numpy()).model_dump() for name, column in trained.items()}
    noted = {"columns": ranges, "sketches": sketches, "missing": {}}
    return {"rows": len(rows), "of": len(table), **noted}


def test_an_accepted_trainer_becomes_champion_and_a_worse_one_is_rejected(
    judged: Judge, run: Run, workspace: Path
) -> None:
    assert judged()["verdict"] == "accepted"
    assert run("promote synthetic") == (0, "")
    assert json.loads((workspace / "metrics/champion.json").read_text()) == {
        "synthetic": {
            "trainer": "closed_form",
            "params": {},
            "features": ["x1"],
            "threshold": None,
            "trained_on": trained_on(workspace),
        }
    }
    again = judged()
    assert (again["verdict"], again["champion"]) == ("accepted", "closed_form")
    assert "it is the champion" in str(again["reason"])
    params = workspace / "params.yaml"
    params.write_text(
        params.read_text()
        .replace("lr: 0.1", "lr: 0.003")
        .replace(
            "  direct:\n    synthetic-closed_form: {dataset: synthetic, trainer: closed_form}\n",
            "  direct: {}\n",
        )
        .replace("    synthetic-torch_sgd: {dataset: synthetic, trainer: torch_sgd}\n", "")
    )
    worse = judged("manual_gd linear_regression mean")
    assert (worse["best"], worse["verdict"], worse["champion"]) == (
        "manual_gd",
        "rejected",
        "champion",
    )
    assert "manual_gd against the champion closed_form" in str(worse["reason"])
    code, message = run("promote synthetic")
    assert code == 2
    assert "manual_gd is rejected, not accepted" in message


@pytest.mark.slow
def test_a_person_may_override_the_verdict_and_the_record_says_so(
    judged: Judge, run: Run, workspace: Path
) -> None:
    judged()
    assert champion_model("synthetic") == ("closed_form", None)
    for trainer, words in (
        ("torch_sdg", "did you mean torch_sgd?"),
        ("mean", "not a trained model of"),
    ):
        code, message = run(f"promote synthetic {trainer}")
        assert code == 2
        assert words in message
    assert layout.CHAMPION.read_text() == "{}"
    assert run("promote synthetic torch_sgd") == (0, "")
    entry = json.loads((workspace / "metrics/champion.json").read_text())["synthetic"]
    assert (entry["trainer"], entry["override"]) == (
        "torch_sgd",
        "the verdict: closed_form accepted",
    )
    assert judged()["champion"] == "torch_sgd"
    assert champion_model("synthetic") == ("torch_sgd", None)
    held = holder("synthetic", read_evaluated("synthetic"))
    assert held == Holder("torch_sgd", entry["override"])
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 100", "epochs: 99"))
    judged()
    with pytest.raises(PipelineError, match="chose is not among data/4_models"):
        champion_model("synthetic")
    assert run("promote synthetic closed_form") == (0, "")
    entry = json.loads((workspace / "metrics/champion.json").read_text())["synthetic"]
    assert "override" not in entry
    assert champion_model("synthetic") == ("closed_form", None)


def test_without_an_accepted_trainer_the_best_is_used_with_a_warning(
    judged: Judge, prepared: Callable[[str], None], workspace: Path
) -> None:
    params = workspace / "params.yaml"
    few = params.read_text().replace("n_samples: 100", "n_samples: 12")
    params.write_text(few.replace("noise: 20", "noise: 2000"))
    prepared("synthetic")
    found = judged()
    assert found["verdict"] == "undecided"
    trainer, warning = champion_model("synthetic")
    assert trainer == found["best"]
    assert warning is not None
    assert "is undecided" in warning


GOOD = {"trainer": "closed_form", "params": {}, "features": ["x1"], "threshold": None}
GRADIENT = params_of("manual_gd", descent())


def trained_on_rows(columns: dict[str, dict[str, float]], rows: int = 80) -> dict[str, object]:
    return {"trained_on": {"rows": rows, "of": 100, "columns": columns}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainer": "magic"}, r"synthetic\.trainer: .*expected one of pairwise_mean"),
        ({"trainer": "bcpm"}, r"synthetic\.trainer: bcpm cannot do task: regression"),
        ({"trainer": "manual_gd"}, r"synthetic\.params: manual_gd takes batch_size, .*"),
        (
            {"trainer": "manual_gd", "params": GRADIENT | {"lr": -1}},
            r"params: lr: expected greater",
        ),
        (
            {"trainer": "manual_gd", "params": GRADIENT | {"lr": "a"}},
            r"params: lr: expected number",
        ),
        ({"params": {"lr": 1}}, r"params: closed_form takes none"),
        ({"features": []}, r"synthetic\.features: List should have at least 1"),
        ({"features": ["x1", "x9"]}, r"synthetic\.features: the data have no x9"),
        ({"features": ["x1", "y"]}, r"features: a name stands twice, or is that of the target"),
        ({"features": ["x1", "x1"]}, r"features: a name stands twice"),
        ({"threshold": 0.5}, r"threshold: does not go with task: regression"),
        ({"lr": 1}, r"synthetic\.lr: Extra inputs"),
        (
            trained_on_rows({"x": {"min": 0.0, "max": 1.0}}),
            r"trained_on\.columns: expected those of features, and the target",
        ),
        (trained_on_rows({"x1": {"min": 1.0, "max": 0.0}}), r"x1: .*min 1 is above max 0"),
        (trained_on_rows({}, 0), r"trained_on\.rows: .*greater than or equal to 1"),
        (trained_on_rows({}, 10**400), r"trained_on\.rows: .*less than or equal"),
    ],
)
def test_an_entry_that_cannot_be_trained_is_named(
    workspace: Path, change: dict[str, object], message: str
) -> None:
    write_json(layout.CHAMPION, {"synthetic": GOOD | change})
    settings = load_params().dataset("synthetic")
    with pytest.raises(PipelineError, match=rf"metrics/champion\.json: .*{message}"):
        read_champion("synthetic", settings, ["x1", "y"])


def test_a_good_entry_is_read_and_none_is_none(workspace: Path) -> None:
    settings = load_params().dataset("synthetic")
    assert read_champion("synthetic", settings, ["x1", "y"]) is None
    for entry in (GOOD, GOOD | {"trainer": "manual_gd", "params": GRADIENT}):
        write_json(layout.CHAMPION, {"synthetic": entry})
        champion = read_champion("synthetic", settings, ["x1", "y"])
        assert champion is not None
        assert champion.trainer == entry["trainer"]


@pytest.mark.parametrize(("content", "words"), [("{", "damaged"), (None, "is missing; with no")])
def test_a_damaged_or_missing_file_is_named(
    workspace: Path, content: str | None, words: str
) -> None:
    layout.CHAMPION.unlink() if content is None else layout.CHAMPION.write_text(content)
    with pytest.raises(PipelineError, match=rf"metrics/champion\.json.* {words}"):
        read_champion("synthetic", load_params().dataset("synthetic"), ["x1", "y"])


@pytest.mark.slow
def test_rows_that_nobody_judged_are_not_noted(judged: Judge, run: Run, workspace: Path) -> None:
    judged()
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("random_state: 12", "random_state: 99"))
    for stage in ("ingest", "validate", "split"):
        assert run(f"{stage} synthetic")[0] == 0
    code, message = run("promote synthetic")
    assert code == 2
    assert "data/4_models/synthetic/synthetic-closed_form.json" in message
    assert run("train synthetic closed_form")[0] == 0
    code, message = run("promote synthetic")
    assert code == 2
    assert "data/5_evaluated/synthetic/evaluated.json judged another model than" in message
    assert layout.CHAMPION.read_text() == "{}"


@pytest.mark.slow
@pytest.mark.parametrize("best", ["foo", "mean"])
def test_a_best_that_is_no_trainer_is_refused(
    judged: Judge, run: Run, workspace: Path, best: str
) -> None:
    judged()
    verdicts = json.loads(layout.VERDICT.read_text())
    verdicts["datasets"]["synthetic"]["best"] = best
    write_json(layout.VERDICT, verdicts)
    code, message = run("promote synthetic")
    assert code == 2
    assert f"best: {best!r} is no model of" in message or f"{best!r} is not a trained" in message
    assert layout.CHAMPION.read_text() == "{}"
    if best == "foo":
        with pytest.raises(PipelineError, match="best: 'foo' is no model of synthetic"):
            champion_model("synthetic")


@pytest.mark.slow
def test_a_champion_that_diverges_is_named(judged: Judge, run: Run) -> None:
    judged()
    entry = {"trainer": "manual_gd", "params": GRADIENT | {"lr": 1e200}}
    write_json(layout.CHAMPION, {"synthetic": GOOD | entry})
    code, message = run("evaluate synthetic")
    assert code == 2
    assert "metrics/champion.json: synthetic: cross-validation of manual_gd, fold 1" in message
