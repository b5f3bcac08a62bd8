"""The command, as typed."""

import csv
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.core.params import load_params
from pipeline.core.store.connection import open_store
from tests.conftest import ROOT, Clone, copied

Prepare = Callable[[str], None]
Sweep = Callable[[str], tuple[int, str, str]]
TIMES = "\N{MULTIPLICATION SIGN}"
NOWHERE = "http://127.0.0.1:1"  # nothing listens there


@pytest.fixture
def sweep(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Sweep:
    """Run `sweep ...`: exit code, stdout, stderr."""

    def sweep(rest: str) -> tuple[int, str, str]:
        code = main(["sweep", *rest.split()])
        return code, *capsys.readouterr()

    return sweep


@pytest.fixture
def no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)


@pytest.fixture
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of the workspace, also after MLflow has set the variable in this process."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)  # so that the end puts it back
    monkeypatch.delenv("MLFLOW_TRACKING_URI")


def rows(folder: str) -> list[dict[str, str]]:
    with Path("data/sweeps", folder, "1/table.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("no_store")
def test_the_table_is_ranked_and_reaches_the_disk_where_the_store_is_down(
    sweep: Sweep, prepared: Prepare
) -> None:
    prepared("synthetic")
    code, out, err = sweep("synthetic manual_gd lr=0.001,1e200,0.4 epochs=10,40")
    assert code == 0
    assert err.startswith(f"warning: sweep: MLflow store {NOWHERE}: ")
    assert err.endswith(
        "All results are in data/sweeps/synthetic-manual_gd/1; once the store answers, the same "
        "command logs them\n"
    )
    assert out.startswith(
        "synthetic manual_gd: mse (lower is better), 5 folds of the 80 training rows, 1 repeat; "
        "95 % intervals; best of 7 points first\n\n"
    )
    assert "\n1e+200  40      diverged\n\nbest: lr=0.4 epochs=" in out
    assert re.search(r"\n0\.1 +100 .* +current\n", out)
    found = rows("synthetic-manual_gd")
    scores = [float(row["cv_mse"]) for row in found if row["cv_mse"]]
    assert scores == sorted(scores)
    assert [row["diverged"] for row in found] == ["0"] * 5 + ["1"] * 2
    assert [(r["lr"], r["epochs"]) for r in found if r["current"] == "1"] == [("0.1", "100")]


@pytest.mark.usefixtures("no_store")
def test_a_higher_score_wins_and_what_cannot_be_told_apart_is_said(
    sweep: Sweep, prepared: Prepare, workspace: Path
) -> None:
    prepared("breast_cancer")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 100", "epochs: 10", 1))
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 0.02", 1))
    code, out, _ = sweep("breast_cancer bcpm lr=1e-5,0.1")
    assert code == 0
    found = rows("breast_cancer-bcpm")
    scores = [float(row["cv_accuracy"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    assert [row["lr"] for row in found] == ["0.1", "0.02", "1e-05"]
    assert re.search(
        r"\nbest: lr=0\.1 \(accuracy 0\.98\d*\); not distinguishable from the current params "
        r"\(accuracy \+0\.00\d+, 95 % interval -0\.\d+ to \+0\.\d+\); --apply writes it to "
        r"params\.yaml all the same\n",
        out,
    )
    params.write_text(params.read_text().replace("lr: 0.02", "lr: 1e-05", 1))
    code, out, _ = sweep("breast_cancer bcpm lr=0.1 --apply")
    assert "better than the current params (accuracy +" in out
    said = "params.yaml: models.gradient.breast_cancer-bcpm has lr: 0.1 now; `dvc repro` judges it"
    assert out.endswith(f"{said}\n")
    assert load_params().model_of("breast_cancer", "bcpm").params["lr"] == 0.1
    code, out, _ = sweep("breast_cancer bcpm lr=1e-05 --apply")
    assert "\nbest: lr=0.1, the current params (accuracy 0.98" in out
    assert out.endswith("params.yaml stays as it is\n")


@pytest.mark.slow
@pytest.mark.usefixtures("own_store")
@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_layers_are_swept_shown_logged_and_applied(
    sweep: Sweep, prepared: Prepare, workspace: Path
) -> None:
    prepared("synthetic")
    params = workspace / "params.yaml"
    line = "{dataset: synthetic, trainer: network, hidden: [1], epochs: 3}"
    text = params.read_text().replace(
        "  network: {}\n", f"  network:\n    synthetic-deep: {line}\n"
    )
    params.write_text(text)
    code, out, err = sweep("synthetic deep hidden=[8],[8,4] activation=relu,tanh epochs=30 --apply")
    assert (code, err) == (0, "")
    found = rows("synthetic-deep")
    assert {row["hidden"] for row in found} == {"[1]", "[8]", "[8, 4]"}
    assert len(found) == 5
    svg = Path("data/sweeps/synthetic-deep/1/hidden.svg").read_text()
    assert all(text in svg for text in ("[8]", "[8, 4]", "[1]"))
    assert "params.yaml: models.network.synthetic-deep has hidden: [8" in out
    applied = load_params().model_of("synthetic", "deep").params
    assert str(applied["hidden"]) == found[0]["hidden"]
    with open_store(workspace) as store:
        runs = store.client.search_runs([store.experiment("synthetic sweeps")])
    assert "[8, 4]" in {run.data.params.get("hidden") for run in runs}
    assert [run.data.params["best_hidden"] for run in runs if "best_hidden" in run.data.params] == [
        found[0]["hidden"]
    ]


@pytest.mark.usefixtures("no_store")
def test_where_all_diverge_the_exit_code_says_so(
    sweep: Sweep, prepared: Prepare, workspace: Path
) -> None:
    prepared("synthetic")
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("lr: 0.1", "lr: 1e199", 1))
    before = params.read_bytes()
    code, out, err = sweep("synthetic manual_gd lr=1e200 --apply")
    assert code == 3
    assert err.endswith("error: sweep: every point diverged; lower lr\n")
    assert out.count("diverged") == 2
    assert params.read_bytes() == before


@pytest.mark.usefixtures("no_store")
def test_pictures_are_the_same_bytes_and_earlier_ones_stay(sweep: Sweep, prepared: Prepare) -> None:
    prepared("synthetic")
    folder = Path("data/sweeps/synthetic-manual_gd/1")
    many = "synthetic manual_gd lr=0.01,0.05,0.1,1e200 epochs=1,2,3,4,5,6 batch_size=16,full"
    assert sweep(many)[0] == 0
    assert sorted(p.name for p in folder.iterdir()) == [
        "batch_size.svg",
        "epochs.svg",
        "lr.svg",
        "table.csv",
    ]
    before = {path: path.read_bytes() for path in folder.iterdir()}
    texts = {
        path.stem: [e.text for e in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
        for path in folder.glob("*.svg")
    }
    for name, words in texts.items():
        assert {name, "mse", "best", "current", "best of each"} <= set(words)
    assert {"16", "full"} <= set(texts["batch_size"])
    assert {"1e+25", "1e+62"} <= set(texts["lr"])
    assert "12 of 49 points diverged" in (folder / "lr.svg").read_text()
    assert sweep(many)[0] == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert sweep("synthetic manual_gd lr=0.01,0.1 epochs=2,10")[0] == 0
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    second = folder.with_name("2")
    assert sorted(p.name for p in second.iterdir()) == ["epochs.svg", "lr.svg", "table.csv"]
    assert "epochs: 10" in (second / "lr.svg").read_text()  # few others: a line each
    assert not folder.with_name("3").exists()
    (second / "table.csv").write_bytes(b"\xff")  # by another program
    assert sweep("synthetic manual_gd lr=0.01,0.1 epochs=2,10")[0] == 0
    assert folder.with_name("3").exists()


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("hous torch_sgd lr=1", "unknown dataset 'hous' (did you mean house?); params.yaml has"),
        ("house torch_sg lr=1", "'torch_sg' is no model of house (did you mean torch_sgd?)"),
        ("house bcpm lr=1", "'bcpm' is no model of house; params.yaml: models has "),
        ("house closed_form lr=1", "closed_form has no params to sweep; those of"),
        ("house torch_sgd lr=0.1..1", "lr=0.1..1: a range needs --trials N"),
        ("house torch_sgd lr=0.1 device=cuda", "device cuda: torch finds no CUDA device here"),
    ],
)
def test_a_refusal_is_one_message(sweep: Sweep, prepared: Prepare, rest: str, message: str) -> None:
    if "cuda" in rest:
        prepared("house")
    code, out, err = sweep(rest)
    assert (code, out) == (2, "")
    assert err.startswith("error: sweep: ")
    assert message in err
    assert "Traceback" not in err
    assert not Path("data/sweeps").exists()


def test_without_a_split_it_says_what_to_run(sweep: Sweep) -> None:
    assert sweep("house torch_sgd lr=1")[2] == (
        "error: sweep: data/1_ingested/house.parquet is missing; an earlier stage makes it: run "
        "`dvc repro`, or `dvc pull` what others have pushed\n"
    )


def active(experiment: str) -> Iterator[object]:
    with open_store(Path.cwd()) as store:
        found = store.client.get_experiment_by_name(experiment)
        yield from store.client.search_runs([found.experiment_id], max_results=1000)


@pytest.mark.slow
@pytest.mark.usefixtures("own_store")
@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_a_sweep_is_one_run_with_a_run_for_each_point(sweep: Sweep, prepared: Prepare) -> None:
    git = "git init -q && git add . && git -c user.name=n -c user.email=a@b.c commit -q -m start"
    subprocess.run(git, shell=True, check=True)
    prepared("synthetic")
    typed = "synthetic manual_gd lr=0.001,1e200,0.4 epochs=10"
    code, out, err = sweep(typed)
    assert (code, err) == (0, "")
    assert f"MLflow: experiment `synthetic sweeps`, run `manual_gd lr {TIMES} epochs`\n" in out

    def runs() -> tuple[list, list]:
        found = list(active("synthetic sweeps"))
        parents = [r for r in found if "mlflow.parentRunId" not in r.data.tags]
        return parents, [r for r in found if r not in parents]

    (parent,), children = runs()
    assert (parent.info.run_name, parent.info.status) == (
        f"manual_gd lr {TIMES} epochs",
        "FINISHED",
    )
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    assert {
        "dataset": "synthetic",
        "trainer": "manual_gd",
        "git_commit": commit,
    }.items() <= parent.data.tags.items()
    assert {"sweep", "data_md5"} <= parent.data.tags.keys()
    assert parent.data.params == {
        "metric": "cv_mse",
        "folds": "5",
        "repeats": "1",
        "cv_seed": "0",
        "points": "4",
        "sweep_lr": "0.001,1e200,0.4",
        "sweep_epochs": "10",
        "best_lr": "0.1",
        "best_epochs": "100",
    } | {f"best_{k}": v for k, v in best_params().items()}
    best = float(rows("synthetic-manual_gd")[0]["cv_mse"])
    assert parent.data.metrics["best_cv_mse"] == best
    with open_store(Path.cwd()) as store:
        kept = [file.path for file in store.client.list_artifacts(parent.info.run_id)]
    assert sorted(kept) == ["epochs.svg", "lr.svg", "table.csv"]
    assert {r.data.tags["mlflow.parentRunId"] for r in children} == {parent.info.run_id}
    assert {(r.info.run_name, r.info.status) for r in children} == {
        ("lr=0.001 epochs=10", "FINISHED"),
        ("lr=1e+200 epochs=10", "FAILED"),
        ("lr=0.4 epochs=10", "FINISHED"),
        ("lr=0.1 epochs=100", "FINISHED"),
    }
    for child in children:
        assert child.data.params["batch_size"] == "full"
        wanted = {"cv_mse", "cv_mse_sd", "cv_mae", "cv_mae_sd"}
        assert child.data.metrics.keys() == (wanted if child.info.status == "FINISHED" else set())

    code, out, _ = sweep(typed)
    assert out.endswith(f"run `manual_gd lr {TIMES} epochs`, was there already\n")
    assert [r.info.run_id for r in runs()[0]] == [parent.info.run_id]

    with open_store(Path.cwd()) as store:  # as a process leaves it that is killed on the way
        store.client.update_run(parent.info.run_id, status="RUNNING")
        store.client.delete_run(children[0].info.run_id)
    assert sweep(typed)[0] == 0
    (second,), again = runs()
    assert (second.info.status, len(again)) == ("FINISHED", 4)
    assert second.info.run_id != parent.info.run_id
    assert {r.data.tags["mlflow.parentRunId"] for r in again} == {second.info.run_id}


def best_params() -> dict[str, str]:
    first = rows("synthetic-manual_gd")[0]
    return {"lr": first["lr"], "epochs": first["epochs"]}


@pytest.mark.slow
@pytest.mark.usefixtures("own_store")
@pytest.mark.filterwarnings("ignore")
def test_ctrl_c_keeps_what_was_found(prepared: Prepare, workspace: Path) -> None:
    prepared("synthetic")
    values = ",".join(f"{k / 1000}" for k in range(1, 101))
    command = ["-m", "pipeline", "sweep", "synthetic", "manual_gd", f"lr={values}", "batch_size=8"]
    terminal, its_end = pty.openpty()
    termios.tcsetwinsize(its_end, (40, 120))
    env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    process = subprocess.Popen(
        [sys.executable, *command],
        env=env | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=its_end,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(its_end)
    seen = until(terminal, r"[1-9]\d*/101 ")
    assert "sweep: " in seen  # the progress bar
    process.send_signal(signal.SIGINT)
    seen += until(terminal, "sweep: interrupted")
    out, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 130
    assert "Traceback" not in seen
    assert out.startswith("interrupted: the points measured so far\nsynthetic manual_gd: mse")
    assert "best: " not in out
    found = rows("synthetic-manual_gd")
    assert 1 <= len(found) < 100
    runs = list(active("synthetic sweeps"))
    (parent,) = [run for run in runs if run.data.tags.get("interrupted") == "true"]
    assert parent.info.status == "KILLED"
    assert len(runs) == 1 + len(found)
    assert parent.data.params["points"] == str(len(found))


def until(terminal: int, pattern: str) -> str:
    """What a terminal shows until the pattern appears."""
    seen = ""
    while not re.search(pattern, seen):
        assert select.select([terminal], [], [], 60)[0], seen
        seen += os.read(terminal, 4096).decode()
    return seen


@pytest.mark.slow
def test_the_winner_is_what_dvc_trains_next(house_alone: Clone, tmp_path: Path) -> None:
    clone = copied(house_alone, tmp_path)
    before = clone.ok("git status --short").splitlines()
    out = clone.ok(
        "python -m pipeline sweep house manual_gd lr=0.1,1 epochs=50,60 --apply",
        MLFLOW_TRACKING_URI=NOWHERE,
    )
    assert "\nbest: lr=0.1 epochs=50 (mse 149.9); not distinguishable from" in out
    # lr is 0.1 already, and needs no entry
    diff = clone.ok("git diff --unified=0 params.yaml")
    line = "    house-manual_gd: {dataset: house, trainer: manual_gd"
    assert re.findall("(?m)^[-+] .*", diff) == [f"-{line}}}", f"+{line}, epochs: 50}}"]
    now = clone.ok("git status --short").splitlines()
    assert set(now) - set(before) == {" M params.yaml"}  # its results are not for git
    said = clone.ok("dvc repro train_gradient@house-manual_gd")
    assert "Running stage 'train_gradient@house-manual_gd'" in said
    assert "Running stage 'split@house'" not in said
    model = (clone.folder / "data/4_models/house/house-manual_gd.json").read_text()
    assert '"epochs": 50,' in model
