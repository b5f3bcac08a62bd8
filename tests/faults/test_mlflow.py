"""Every run once and complete, whatever becomes of the server or of the process that tracks."""

import io
import json
import os
import pickle
import re
import shutil
import signal
import sqlite3
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Clone, copied, mount, reduced
from tests.servers import (
    Proxy,
    Server,
    dead_server,
    faulty,
    mlflow_server,
    postgresql,
    silent_server,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow's own imports
]

TRACK, SYNC = "python -m pipeline track", "python -m pipeline sync"
DATASETS = ("synthetic", "breast_cancer")
RUNS = 8 + 1  # a run a model of theirs, and that of the report
Runs = list[dict[str, Any]]


def stored(uri: str) -> Runs:
    """All runs of a store: id, status, fingerprint, and the content, which should not vary."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # read by the import
    from mlflow import MlflowClient

    client = MlflowClient(uri)

    def files(id_: str, folder: str | None = None) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for one in client.list_artifacts(id_, folder):
            found |= files(id_, one.path) if one.is_dir else {one.path: one.file_size}
        return found

    def content(run: Any, experiment: str) -> dict[str, Any]:
        id_, data = run.info.run_id, run.data
        history = client.get_metric_history(id_, "loss") if "loss" in data.metrics else []
        models = {}
        for output in run.outputs.model_outputs if run.outputs else []:
            model = client.get_logged_model(output.model_id)
            # MLmodel holds ids, times and places, model.skops the addresses of objects
            models[str(model.status)] = {
                one.path: one.file_size if one.path not in ("MLmodel", "model.skops") else None
                for one in client.list_logged_model_artifacts(model.model_id)
            } | {"numbers": numbers(f"{model.artifact_location}/model.skops", uri)}
        return {
            "experiment": experiment,
            "name": run.info.run_name,
            "tags": {k: v for k, v in data.tags.items() if not k.startswith("mlflow.")},
            "params": data.params,
            "metrics": data.metrics,
            "loss": [(point.step, point.value) for point in history],
            "files": files(id_),
            "models": models,
            "inputs": [(one.dataset.name, one.dataset.digest) for one in run.inputs.dataset_inputs],
        }

    return [
        {
            "id": run.info.run_id,
            "status": run.info.status,
            "fingerprint": run.data.tags["fingerprint"],
            "content": content(run, experiment.name),
        }
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id])
    ]


def numbers(artifact: str, uri: str) -> list[Any]:
    """All arrays of a model's file, in its order."""
    from mlflow.artifacts import download_artifacts

    def arrays(node: Any) -> Iterator[Any]:
        if isinstance(node, list):
            for one in node:
                yield from arrays(one)
        elif isinstance(node, dict):
            if "file" in node:
                yield np.load(io.BytesIO(file.read(node["file"])), allow_pickle=False).tolist()
            yield from arrays([*node.values()])

    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(artifact_uri=artifact, tracking_uri=uri, dst_path=folder)
        with zipfile.ZipFile(path) as file:
            return [*arrays(json.loads(file.read("schema.json")))]


def by_fingerprint(runs: Runs) -> dict[str, dict[str, Any]]:
    return {run["fingerprint"]: run["content"] for run in runs}


def assert_complete_once(found: Runs, expected: Runs) -> None:
    assert {run["status"] for run in found} == {"FINISHED"}
    assert sorted(run["fingerprint"] for run in found) == sorted(by_fingerprint(expected))
    assert by_fingerprint(found) == by_fingerprint(expected)


def local(clone: Clone) -> str:
    return f"sqlite:///{clone.folder / 'mlflow.db'}"


def waiting(clone: Clone) -> int:
    return len(list((clone.folder / "data/unpublished").glob("*.json")))


def assert_kept(clone: Clone, output: str, published: int = 0) -> None:
    """The results are on disk; one warning says how many wait, why, and what publishes them."""
    assert len(json.loads((clone.folder / "data/tracked.json").read_text())) == RUNS - 1
    assert waiting(clone) == RUNS - published
    (warning,) = [line for line in output.splitlines() if "warning: track:" in line]
    assert f"{RUNS - published} runs wait in data/unpublished" in warning
    assert "MLflow store http://127.0.0.1:" in warning
    assert "python -m pipeline sync" in warning
    assert "dvc repro" not in warning  # which is up to date, and publishes nothing
    assert "Traceback" not in output


@pytest.fixture(scope="module")
def project(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Of each task one dataset, tracked: two thirds of the runs, each of which is many requests."""
    made = reduced(reproduced, tmp_path_factory.mktemp("made"), *DATASETS)
    project = copied(made, tmp_path_factory.mktemp("project"))  # its runs are of a clean commit
    project.ok(TRACK)
    return project


@pytest.fixture(scope="module")
def expected(project: Clone) -> Runs:
    """What a store holds after an undisturbed track without any server."""
    runs = stored(local(project))
    assert len(runs) == RUNS
    assert {run["content"]["experiment"] for run in runs} == {*DATASETS, "report"}
    models = [run["content"] for run in runs if run["content"]["experiment"] != "report"]
    for content in models:
        assert [*content["models"]] == ["READY"]
        assert {"MLmodel", "model.skops", "input_example.json"} <= content["models"]["READY"].keys()
    assert_complete_once(runs, runs)
    return runs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[Proxy]:
    with faulty(server.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server_on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server on postgresql")
    with postgresql() as uri, mlflow_server(folder, uri) as server:
        yield server


@pytest.fixture
def clone(project: Clone, tmp_path: Path) -> Clone:
    return copied(project, tmp_path)


@pytest.mark.parametrize(
    "name", [pytest.param("server", marks=pytest.mark.nightly), "server_on_postgresql"]
)
def test_a_server_holds_what_a_local_store_does(
    name: str, clone: Clone, expected: Runs, request: pytest.FixtureRequest
) -> None:
    server, models = request.getfixturevalue(name), RUNS - 1
    output = clone.ok(TRACK, MLFLOW_TRACKING_URI=server.url)
    found = stored(server.url)
    assert_complete_once(found, expected)
    assert f"{models + 1} runs added to MLflow, 0 were there already" in output
    assert not (clone.folder / "mlflow.db").exists()
    assert waiting(clone) == 0
    # the server has the files
    assert len(list(server.artifacts.rglob("model.skops"))) == models
    again = clone.ok(TRACK, MLFLOW_TRACKING_URI=server.url)
    assert f"0 runs added to MLflow, {models + 1} were there already" in again
    assert stored(server.url) == found
    assert champions(server.url) == CHAMPIONS
    assert_downloads(server.url)


def assert_downloads(url: str) -> None:
    """The server hands out a model's file, whole."""
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    source = MlflowClient(url).get_model_version("synthetic", "1").source
    path = download_artifacts(artifact_uri=f"{source}/model.skops", tracking_uri=url)
    assert zipfile.ZipFile(path).testzip() is None


CHAMPIONS = {"synthetic": True, "breast_cancer": True}


def champions(uri: str) -> dict[str, bool]:
    """The registered models, and whether one of their versions is the champion."""
    from mlflow import MlflowClient

    models = MlflowClient(uri).search_registered_models()
    return {model.name: "champion" in model.aliases for model in models}


def test_fault_90_server_down_then_the_next_run_of_track_publishes(
    clone: Clone, expected: Runs
) -> None:
    lock = (clone.folder / "dvc.lock").read_bytes()

    def repro(options: str = "", **env: str) -> str:
        output = clone.ok(f"dvc repro {options}", **env)
        assert clone.ok("git status --porcelain") == ""
        assert (clone.folder / "dvc.lock").read_bytes() == lock
        return output

    assert_kept(clone, repro(MLFLOW_TRACKING_URI=dead_server()))
    assert (clone.folder / "metrics/synthetic.json").exists()
    assert not (clone.folder / "mlflow.db").exists()
    assert "Running stage" not in repro()
    assert f"{RUNS} results wait" in clone.run("python -m pipeline doctor").stdout
    assert f"{RUNS} runs added to MLflow" in repro("-f -s track")
    assert_complete_once(stored(local(clone)), expected)
    assert champions(local(clone)) == CHAMPIONS
    assert waiting(clone) == 0


def test_fault_90_server_down_then_sync_publishes(
    clone: Clone, server: Server, expected: Runs
) -> None:
    server.empty()
    dead = dead_server()
    assert_kept(clone, clone.ok(TRACK, MLFLOW_TRACKING_URI=dead))
    refused = clone.run(SYNC, MLFLOW_TRACKING_URI=dead)
    assert refused.returncode == 2
    assert re.search(rf"^error: sync: MLflow store {dead}: ", refused.stdout, re.MULTILINE)
    assert waiting(clone) == RUNS
    output = clone.ok(SYNC, MLFLOW_TRACKING_URI=server.url)
    assert f"{RUNS} runs added to MLflow, 0 were there already" in output
    assert_complete_once(stored(server.url), expected)
    again = clone.ok(SYNC, MLFLOW_TRACKING_URI=server.url)
    assert f"0 runs added to MLflow, {RUNS} were there already" in again
    assert clone.run(SYNC, MLFLOW_TRACKING_URI=dead).returncode == 2
    assert waiting(clone) == 0
    assert clone.ok("git status --porcelain") == ""


def test_a_new_server_is_named_by_the_doctor_and_filled_by_sync(
    clone: Clone, server: Server, expected: Runs
) -> None:
    server.empty()
    clone.ok("dvc repro")
    assert "up to date" in clone.ok("dvc repro", MLFLOW_TRACKING_URI=server.url)
    doctor = clone.run("python -m pipeline doctor", MLFLOW_TRACKING_URI=server.url)
    assert doctor.returncode == 2
    assert f"MLflow does not have {RUNS} of the results of this folder" in doctor.stdout
    output = clone.ok(SYNC, MLFLOW_TRACKING_URI=server.url)
    assert f"{RUNS} runs added to MLflow, 0 were there already" in output
    assert_complete_once(stored(server.url), expected)
    clone.ok("python -m pipeline doctor", MLFLOW_TRACKING_URI=server.url)


def test_results_of_other_params_are_not_published_by_sync(clone: Clone, server: Server) -> None:
    server.empty()
    clone.ok("dvc repro && sed -i 's/repeats: 10/repeats: 3/' params.yaml")
    refused = clone.run(SYNC, MLFLOW_TRACKING_URI=server.url)
    assert refused.returncode == 2
    assert "none of them was published: `dvc repro` makes" in refused.stdout
    assert stored(server.url) == []
    clone.ok("git checkout params.yaml")


def test_fault_91_a_silent_server_is_given_up(clone: Clone) -> None:
    with silent_server() as url:
        assert_kept(clone, clone.ok(TRACK, MLFLOW_TRACKING_URI=url))


# Request number so-and-so of a kind fails, and then every request of any kind, or some more. Each
# takes up where the one before has stopped.
Faults = list[tuple[str, int, dict[str, Any]]]
FAULTS: Faults = [
    ("POST .*/model-versions/create", 1, {}),  # of the first dataset
    ("POST .*/experiments/create", 1, {}),  # of the second
    ("PUT .*/artifacts/", 10, {}),
    ("PUT .*/artifacts/", 3, {"silent": True}),
    ("POST .*/runs/update", 2, {}),  # to FINISHED; the first is to RUNNING
    # with the one retry; that run can be called FAILED, the others stay RUNNING
    ("POST .*/runs/log-batch", 1, {"faults": 2}),
]


@pytest.mark.parametrize(
    "faults", [FAULTS[1::2], pytest.param(FAULTS, marks=pytest.mark.nightly)], ids=["some", "all"]
)
def test_fault_92_5xx_midway_leaves_no_half_run_called_finished(
    clone: Clone, server: Server, proxy: Proxy, expected: Runs, faults: Faults
) -> None:
    server.empty()
    left = []
    for pattern, number, how in faults:
        proxy.fail_from(pattern, number, **how)
        output = clone.ok(TRACK, MLFLOW_TRACKING_URI=proxy.url)
        assert proxy.failed, (pattern, proxy.seen)
        proxy.heal()
        found = stored(server.url)
        whole = [run for run in found if run["status"] == "FINISHED"]
        left += [run["status"] for run in found if run["status"] != "FINISHED"]
        assert by_fingerprint(whole).items() <= by_fingerprint(expected).items(), pattern
        assert_kept(clone, output, RUNS - waiting(clone))
        assert RUNS - waiting(clone) <= len(whole) < RUNS
    assert {"RUNNING", "FAILED"} == set(left)
    clone.ok(SYNC, MLFLOW_TRACKING_URI=proxy.url)
    assert_complete_once(stored(server.url), expected)
    assert champions(server.url) == CHAMPIONS


def test_what_a_temporary_experiment_could_not_publish_outlives_its_folder(
    clone: Clone, expected: Runs
) -> None:
    output = clone.ok(
        "dvc exp run --temp --name slow -S lr=0.01", MLFLOW_TRACKING_URI=dead_server()
    )
    assert f"{RUNS} runs wait in data/unpublished" in output
    clone.ok(SYNC)
    found = stored(local(clone))
    assert len(found) == RUNS
    assert {run["status"] for run in found} == {"FINISHED"}
    assert {run["content"]["tags"]["dvc_experiment"] for run in found} == {"slow"}
    new = by_fingerprint(found).keys() - by_fingerprint(expected).keys()
    assert len(new) == 3 + 1
    assert waiting(clone) == 0
    assert clone.ok("git status --porcelain") == ""


@pytest.mark.parametrize(
    "moments",
    [(-1, 1), pytest.param((-1, 0, 1, 4), marks=pytest.mark.nightly)],
    ids=["two", "four"],
)
def test_fault_85_a_track_that_is_killed_again_and_again_is_mended_by_the_next(
    clone: Clone, expected: Runs, moments: tuple[int, ...]
) -> None:
    for begun in moments:
        process = clone.start(f"exec {TRACK}")
        wait_for_runs(clone.folder, begun)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was too fast to be killed"
        assert clone.ok("git status --porcelain") == ""  # else the next runs would be called dirty
    clone.ok(TRACK)
    assert_complete_once(stored(local(clone)), expected)
    assert champions(local(clone)) == CHAMPIONS
    assert waiting(clone) == 0


def wait_for_runs(folder: Path, number: int) -> None:
    """Wait until a process has begun so many runs; -1: until it is amid making the store itself."""
    end = time.monotonic() + 240
    while runs_begun(folder) < number:
        assert time.monotonic() < end
        time.sleep(0.01)


def runs_begun(folder: Path) -> int:
    """Runs in a store that another process is writing; -1 when it is made, -2 before."""
    db = folder / "mlflow.db"
    if not db.exists():
        return -1 if list(folder.glob(".mlflow.db.*-journal")) else -2
    connection = sqlite3.connect(db)
    try:
        return int(connection.execute("select count(*) from runs").fetchone()[0])
    finally:
        connection.close()


def test_two_tracks_at_once_make_one_set_of_runs(clone: Clone, expected: Runs) -> None:
    both = [clone.start(TRACK), clone.start(TRACK)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    added = [int(re.findall(r"(\d+) runs added", output)[0]) for output in outputs]
    assert sum(added) == RUNS
    assert_complete_once(stored(local(clone)), expected)
    assert champions(local(clone)) == CHAMPIONS
    assert waiting(clone) == 0


MAKE_STORE = """
import pathlib
from pipeline.core.store.connection import open_store
list(open_store(pathlib.Path().resolve()).gen)
"""


def test_fault_93_the_stores_disk_is_full(clone: Clone, expected: Runs, tmp_path: Path) -> None:
    """As a server that is down: results complete, one warning, and sync publishes later."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=900k", "tmpfs", disk)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{disk}/mlflow.db"}
    try:
        for room in ("none for the tables", "none for the runs"):
            if room == "none for the runs":
                clone.ok(f"mount -o remount,size=20m '{disk}'")
                clone.ok(f"python -c '{MAKE_STORE}'", **store)
                free = shutil.disk_usage(disk).free
                (disk / "else").write_bytes(bytes(free - 40_000))
            output = clone.ok(TRACK, **store)
            receipt = json.loads((clone.folder / "data/tracked.json").read_text())
            assert len(receipt) == RUNS - 1
            (warning,) = [line for line in output.splitlines() if "warning: track:" in line]
            assert re.search("disk is full|No space left|disk I/O error", warning), warning
            assert f"{waiting(clone)} runs wait in data/unpublished" in warning
            assert "Traceback" not in output
            assert waiting(clone) > 0
            assert (disk / "mlflow.db").exists() == (room == "none for the runs")
        refused = clone.run(SYNC, **store)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stdout
        (disk / "else").unlink()
        clone.ok(SYNC, **store)
        found = stored(store["MLFLOW_TRACKING_URI"])
    finally:
        clone.ok(f"umount -l '{disk}'")
    assert_complete_once(found, expected)
    assert waiting(clone) == 0


def test_fault_94_an_experiment_deleted_in_the_ui_comes_back(clone: Clone, expected: Runs) -> None:
    from mlflow import MlflowClient

    clone.ok(TRACK)
    client = MlflowClient(local(clone))
    experiment = client.get_experiment_by_name("synthetic")
    client.delete_experiment(experiment.experiment_id)  # what the UI does; its name stays taken
    assert len(stored(local(clone))) < RUNS
    output = clone.ok(TRACK)
    assert "Traceback" not in output
    assert client.get_experiment_by_name("synthetic").lifecycle_stage == "active"
    assert_complete_once(stored(local(clone)), expected)


def test_fault_96_a_pickle_in_place_of_a_runs_model_is_not_executed(clone: Clone) -> None:
    from mlflow import MlflowClient

    clone.ok(TRACK)
    run = MlflowClient(local(clone)).get_model_version("synthetic", "1").run_id
    (clone.folder / "in.csv").write_text("x1\n0.5\n")
    predict = f"python -m pipeline predict synthetic in.csv --run {run}"
    assert "predicted_y" in clone.ok(predict)
    done = clone.folder / "executed"
    for model in (clone.folder / "mlartifacts").rglob("model.skops"):
        model.write_bytes(f"cos\nsystem\n(S'touch \"{done}\"'\ntR.".encode())
    pickles = [path.read_bytes() for path in (clone.folder / "mlartifacts").rglob("model.skops")]
    refused = clone.run(predict)
    assert refused.returncode == 2
    assert f"error: predict: --run {run}: its model cannot be used" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert not done.exists()
    pickle.loads(pickles[0])  # it would have been seen
    assert done.exists()
