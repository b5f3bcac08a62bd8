"""Experiments and mistakes, with real dvc and mlflow, in a project of one dataset."""

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Clone, copied
from tests.kills import commands_in, wait_for
from tests.test_main_job import back_to_the_start, metric, pairs, runs, stages_run

pytestmark = pytest.mark.slow

DESCENT = {("house", "manual_gd"), ("house", "torch_sgd")}
OTHERS = 4  # two that are solved directly, two that the others are measured by


@pytest.fixture(scope="module")
def clone(house_alone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy, with a store of its own."""
    clone = copied(house_alone, tmp_path_factory.mktemp("experiments"))
    assert stages_run(clone.ok("dvc repro")) == {"track"}
    return clone


def test_a_param_of_one_model_trains_that_model_alone_and_once(clone: Clone) -> None:
    output = clone.ok("dvc exp run -S +models.gradient.house-manual_gd.lr=0.3 --name one")
    later = {"evaluate@house", "report", "track"}
    assert stages_run(output) == {"params", "train_gradient@house-manual_gd", *later}
    assert metric(clone, "house", "torch_sgd", "train_mse") == pytest.approx(42.869848)
    back_to_the_start(clone)
    before = runs(clone)
    clone.ok("dvc exp run -S +models.gradient.house-manual_gd.lr=0.3 --name again")
    after = runs(clone)
    assert {run["id"] for run in after} == {run["id"] for run in before}
    linked = {run["dvc_experiment"] for run in after if run["mlflow.runName"] == "manual_gd lr=0.3"}
    assert linked == {"one, again"}
    back_to_the_start(clone)


def test_after_going_back_an_experiment_is_compared_with_the_commit(clone: Clone) -> None:
    """`git checkout` does not bring back the receipt, which is in neither git nor cache."""
    own = "models.gradient.house-manual_gd.lr"
    output = clone.ok(f"dvc exp run -S +{own}=0.05")
    assert "house manual_gd: loo mse 149.9 -> 149.9 (lr 0.1 -> 0.05)" in output
    back_to_the_start(clone)
    output = clone.ok(f"dvc exp run -S +{own}=0.01")
    assert "house manual_gd: loo mse 149.9 -> 1011 (lr 0.1 -> 0.01); its loss still falls" in output
    back_to_the_start(clone)
    assert "loo mse" not in clone.ok("dvc repro")


def test_a_logged_target_trains_anew_and_is_predicted_in_its_own_units(
    clone: Clone, tmp_path: Path
) -> None:
    output = clone.ok("dvc exp run -S +datasets.house.split.target_transform=log --name log")
    models = ("direct@house-pairwise_mean", "direct@house-closed_form",
              "gradient@house-manual_gd", "gradient@house-torch_sgd")  # fmt: skip
    others = {"params", "validate@house", "split@house", "evaluate@house", "report", "track"}
    assert stages_run(output) == others | {f"train_{model}" for model in models}
    assert re.search("house closed_form: loo mse .* [(]target_transform none -> log[)]", output)
    page = (clone.folder / "metrics/report.html").read_text()
    assert "mean squared error, log(price_wan)" in page
    assert "coefficient on the standardized feature, log(price_wan)" in page
    assert re.search(r"closed_form: exp\([\d.]+ x \+ [\d.]+\)", page)
    (tmp_path / "new.csv").write_text("area_m2\n140\n")
    predict = f"python -m pipeline predict house {tmp_path / 'new.csv'} 2> /dev/null"
    answer = clone.ok(f"{predict} --model closed_form")
    table = np.loadtxt(clone.folder / "data/raw/house.csv", delimiter=",", skiprows=1)
    slope, intercept = np.polyfit(table[:, 0], np.log(table[:, 1]), 1)
    expected = np.exp(slope * 140 + intercept)
    assert float(answer.splitlines()[1].split(",")[1]) == pytest.approx(expected, rel=1e-9)
    back_to_the_start(clone)
    assert clone.ok(f"{predict} --model closed_form") != answer
    name = "closed_form target_transform=log"
    [run] = [one for one in runs(clone) if one["mlflow.runName"] == name]
    assert clone.ok(f"{predict} --run {run['id']}") == answer
    assert "target_transform" not in clone.ok("dvc repro")
    assert clone.ok("git status --porcelain") == ""


def test_two_models_of_a_dataset_share_a_trainer(clone: Clone) -> None:
    line = "{dataset: house, trainer: manual_gd, optimizer: adam, epochs: 20}"
    change = f"+models.gradient.house-adam={line}"
    output = clone.ok(f"dvc exp run -S '{change}' --name two")
    assert "train_gradient@house-adam" in stages_run(output)
    assert "train_gradient@house-manual_gd" not in stages_run(output)
    scores = json.loads((clone.folder / "metrics/house.json").read_text())
    assert {"manual_gd", "adam"} <= scores.keys()
    assert scores["adam"] != scores["manual_gd"]
    added = [run for run in runs(clone) if run.get("model") == "adam"]
    assert [run["trainer"] for run in added] == ["manual_gd"]
    back_to_the_start(clone)
    assert "adam" not in clone.ok("dvc repro && python -m pipeline results")


def test_a_dataset_is_one_block(clone: Clone) -> None:
    """Without a model of its own, too, it is ingested, validated, split and measured."""
    for folder, suffix in (("raw", "csv"), ("schema", "yaml")):
        house = clone.folder / f"data/{folder}/house.{suffix}"
        shutil.copy(house, house.with_name(f"neu.{suffix}"))
    block = "{task: regression, target: price_wan, ingest: {source: data/raw/neu.csv}, split: {}"
    output = clone.ok(f"dvc exp run -S '+datasets.neu={block}, evaluate: {{}}}}' --name neu")
    ours = {f"{stage}@neu" for stage in ("ingest", "validate", "split")}
    later = {"params", "evaluate@neu", "report", "track"}
    assert stages_run(output) == ours | later
    assert "neu: linear_regression undecided: params.yaml: models has no model of this" in output
    back_to_the_start(clone)
    clone.ok("git clean -fdq data/raw data/schema metrics && dvc repro")


KNOBS = (
    "lr=1e-3 -S epochs=50 -S seed=7 -S optimizer=adam -S batch_size=4 -S weight_decay=0.01 "
    "-S loss=mae -S init=uniform -S loss_threshold=0.1 -S tolerance=1e-3 "
    "-S 'datasets.house.split.features={random: 1}'"
)


def test_every_top_level_knob_works_in_a_temporary_experiment(clone: Clone) -> None:
    before = {run["id"] for run in runs(clone)}
    clone.ok(f"dvc exp run --temp -S {KNOBS}")
    added = [run for run in runs(clone) if run["id"] not in before]
    assert pairs(added) >= DESCENT
    assert all(".dvc/tmp" not in run["artifacts"] for run in added)
    assert len({run["dvc_experiment"] for run in added}) == 1
    assert clone.ok("git status --porcelain") == ""


def test_fault_87_queued_experiments_run_two_at_a_time_on_a_fresh_store(clone: Clone) -> None:
    for path in clone.folder.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(clone.folder / "mlartifacts")
    clone.ok("dvc exp run --queue -S lr=0.02,0.03 && dvc queue start -j 2")
    status = when_done(clone)
    assert status.count("Success") == 2, status
    found = runs(clone)
    assert {run["status"] for run in found} == {"FINISHED"}
    assert len(found) == OTHERS + 2 * len(DESCENT)
    assert len({run["fingerprint"] for run in found}) == len(found)
    assert len({run["dvc_experiment"] for run in found if "lr" in run["mlflow.runName"]}) == 2
    assert all(run["artifacts"].startswith(clone.folder.as_uri()) for run in found)
    back_to_the_start(clone)


def when_done(clone: Clone) -> str:
    """The status of a queue of DVC's, all of it done."""
    end = time.monotonic() + 400
    while re.search("Running|Queued", status := clone.ok("dvc queue status")):
        assert time.monotonic() < end, status
        time.sleep(3)  # the status costs as much as a stage
    return status


def test_bad_input_stops_repro_there_and_everything_else_stays(clone: Clone) -> None:
    kept = {
        path: path.read_bytes()
        for folder in ("data", "metrics")
        for path in (clone.folder / folder).rglob("*")
        if path.is_file() and "raw" not in path.parts
    }
    raw = clone.folder / "data/raw/house.csv"
    good = raw.read_text()
    for bad in (good.replace("95,230", "95"), good.replace("95,230", "95,abc")):
        raw.write_text(bad)
        done = clone.run("dvc repro")
        assert done.returncode != 0
        assert "house.csv, line 3" in done.stdout
        assert "Traceback" not in done.stdout
        changed = {
            str(path.relative_to(clone.folder))
            for path, content in kept.items()
            if not path.exists() or path.read_bytes() != content
        }
        assert changed <= {"data/1_ingested/house.parquet"}  # ingest itself had nothing to refuse
    raw.write_text(good)
    clone.ok("dvc repro")
    assert clone.ok("git status --porcelain") == ""


def test_an_unknown_key_given_to_an_experiment_is_refused(clone: Clone) -> None:
    done = clone.run("dvc exp run -S +learning_rate=0.2")
    assert done.returncode != 0
    assert "params.yaml: learning_rate: unknown key" in done.stdout
    back_to_the_start(clone)


def test_a_stage_dies_with_dvc_and_the_next_repro_is_clean(clone: Clone) -> None:
    params = clone.folder / "params.yaml"
    good = params.read_text()
    params.write_text(good.replace("epochs: 100", "epochs: 1000000000"))
    dvc = clone.start("exec dvc repro")
    assert wait_for(lambda: any(map(trains, commands_in(clone.folder))))
    dvc.kill()
    dvc.communicate()
    assert wait_for(lambda: not commands_in(clone.folder), 5)
    params.write_text(good)
    clone.ok("dvc repro")
    assert clone.ok("git status --porcelain") == ""


def trains(command: str) -> bool:
    return " -m pipeline.core train_gradient@" in command
