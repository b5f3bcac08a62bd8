"""The same model by `predict`, in MLflow, behind its server, and in a notebook."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.__main__ import main
from pipeline.commands.predict.model import _load, _predictor
from pipeline.core.columns import of_numbers
from pipeline.core.errors import PipelineError
from pipeline.core.store.connection import open_store
from pipeline.evaluate.metrics import predicted_labels
from pipeline.tracking.entry import Fitted
from pipeline.tracking.sklearn_model import save_model
from tests.conftest import ROOT, Clone
from tests.servers import START, dead_server, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of MLflow's own imports
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
Columns = dict[str, list[str]]

of_libraries = pytest.mark.filterwarnings("ignore")  # of MLflow's own imports


def columns(path: Path) -> Columns:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


@pytest.fixture(scope="module")
def cancer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 569 rows without their diagnosis."""
    path = tmp_path_factory.mktemp("cancer") / "in.csv"
    lines = (ROOT / "data/raw/breast_cancer.csv").read_text().splitlines()
    path.write_text("".join(line.rpartition(",")[0] + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def predicted(reproduced: Clone, cancer: Path) -> Columns:
    """What `predict` says of them."""
    output = cancer.with_name("out.csv")
    said = reproduced.ok(f"python -m pipeline predict breast_cancer '{cancer}' -o '{output}'")
    assert "6 of 569 rows lie outside the range of the training rows, first on line 80" in said
    return columns(output)


@pytest.fixture
def store(reproduced: Clone, monkeypatch: pytest.MonkeyPatch) -> str:
    """The clone's store, in its folder."""
    monkeypatch.chdir(reproduced.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{reproduced.folder / 'mlflow.db'}"


@contextmanager
def served(model: str, store: str, folder: Path) -> Iterator[str]:
    """Run `mlflow models serve` on loopback; gives its address, and ends it with its workers."""
    port, log = free_port(), folder / "log"
    command = [
        *(sys.executable, "-m", "mlflow", "models", "serve", "-m", model),
        *("--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)),
    ]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=outside(store), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + START
        while not pings(url := f"http://127.0.0.1:{port}"):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.2)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def outside(store: str) -> dict[str, str]:
    """The environment of a user who knows where the store is, and has no copy of this package."""
    own = ("MLFLOW_", "PYTHONPATH", "DVC_", "SCIPY_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    # the server starts a program of the environment, uvicorn
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    told = {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}
    return kept | told


def pings(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/ping", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def test_the_server_of_mlflow_gives_the_labels_of_predict(
    reproduced: Clone, cancer: Path, predicted: Columns, store: str, tmp_path: Path
) -> None:
    rows = columns(cancer)
    data = [[float(cell) for cell in row] for row in zip(*rows.values(), strict=True)]
    body = json.dumps({"dataframe_split": {"columns": [*rows], "data": data}}).encode()
    with served("models:/breast_cancer@champion", store, tmp_path) as url:
        request = urllib.request.Request(
            f"{url}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            labels = json.load(answer)["predictions"]
    assert len(labels) == 569
    assert [str(label) for label in labels] == predicted["predicted_target"]
    assert set(labels) == {0, 1}


NOTEBOOK = """
import json, sys
import mlflow
import pandas as pd
model = mlflow.sklearn.load_model("models:/breast_cancer@champion")
X = pd.read_csv(sys.argv[1])
house = mlflow.sklearn.load_model("runs:/" + sys.argv[2] + "/model")
served = mlflow.pyfunc.load_model("runs:/" + sys.argv[2] + "/model")
areas = pd.DataFrame({"area_m2": [140.0]})
print("@@" + json.dumps({
    "labels": model.predict(X).tolist(),
    "probabilities": model.predict_proba(X).tolist(),
    "house": [*house.predict(areas), *served.predict(areas)],
    "modules": [name for name in sys.modules if name.split(".")[0] == "pipeline"],
}))
"""


def test_a_notebook_needs_nothing_of_this_package(
    cancer: Path, predicted: Columns, store: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(cancer), run_of(store)],
        cwd="/", env=outside(store), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.split("@@")[1])
    assert found["modules"] == []
    assert "feature names" not in done.stderr  # scikit-learn's warning where they do not fit
    assert [str(label) for label in found["labels"]] == predicted["predicted_target"]
    ours = [float(p) for p in predicted["probability_malignant"]]
    np.testing.assert_allclose(ours, np.array(found["probabilities"])[:, 0], atol=1e-12, rtol=0)
    np.testing.assert_allclose(found["house"], [274.7069697726705] * 2, rtol=1e-12)


def run_of(store: str, dataset: str = "house", trainer: str = "closed_form") -> str:
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(dataset)
    found = client.search_runs([experiment.experiment_id])
    runs = [run for run in found if run.data.params.get("trainer", dataset) == trainer]
    return str(runs[0].info.run_id)


def test_a_run_predicts_the_bytes_of_its_trainer(
    store: str, cancer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(store, "breast_cancer", "logistic_regression")
    for way in (["--run", run], ["--model", "logistic_regression"]):
        assert main(["predict", "breast_cancer", str(cancer), *way]) == 0
    shown = capsys.readouterr().out
    half = len(shown) // 2
    assert shown[:half] == shown[half:]


def test_a_run_that_cannot_be_used_is_named(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.csv"
    source.write_text("area_m2\n140\n")

    def refused(run: str) -> str:
        assert main(["predict", "house", str(source), "--run", run]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("error: predict: ")
        assert run in shown.err.splitlines()[0]
        return shown.err

    other = refused(run_of(store, "breast_cancer", "bcpm"))
    assert "is a run of breast_cancer, not of house" in other
    assert "is a run of no dataset, not of house" in refused(run_of(store, "report", "report"))
    assert "no run id begins so" in refused("0123")
    assert "is no run id" in refused("../0123")
    shutil.copy("mlflow.db", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with open_store(tmp_path) as other_store:
        experiment = other_store.experiment("house")
        live = other_store.client.create_run(experiment, tags={"dataset": "house"}).info.run_id
    assert "holds no model (status RUNNING)" in refused(live)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", dead_server())
    assert "Without --run, no MLflow is needed" in refused("0123")
    assert main(["predict", "house", str(source)]) == 0


def fitted(**changes: object) -> Fitted:
    of = {
        "task": "classification", "target": "y", "classes": ["no", "yes"], "threshold": 0.8,
        "features": ["a", "b"], "mean": [1.0, 2.0], "scale": [3.0, 0.5], "coef": [1.5, -0.5],
        "intercept": 0.25, "n_train": 9, "ranges": {"a": (0.0, 2.0), "b": (1.0, 3.0)},
        "example": [[1.0, 2.0], [0.0, 1.0]],
    }  # fmt: skip
    return Fitted.model_validate(of | changes)


@of_libraries
def test_a_threshold_is_part_of_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow
    import pandas as pd

    save_model(tmp_path, fitted(), {"dataset": "d", "trainer": "bcpm"}, "m-1", "0123")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")  # as it is by default
    theirs = mlflow.sklearn.load_model(str(tmp_path))
    estimator, metadata = _load(tmp_path, "0123")
    ours = _predictor(estimator, metadata, "0123")
    X = np.random.default_rng(0).normal([1, 2], [3, 0.5], size=(500, 2))
    frame = pd.DataFrame(X, columns=["a", "b"])
    p = theirs.predict_proba(frame)[:, 1]
    assert (theirs.predict(frame) == (p >= 0.8)).all()
    places = predicted_labels(ours.predict(of_numbers(["a", "b"], X)), ours.threshold)
    np.testing.assert_array_equal(places, theirs.predict(frame))
    assert (places != (p >= 0.5)).any()
    beyond = of_numbers(["a", "b"], np.array([[2.5, 2.0]]))
    np.testing.assert_array_equal(ours.outside(beyond), [[True, False]])


@of_libraries
def test_a_logged_target_comes_back_in_its_own_units(tmp_path: Path) -> None:
    import pandas as pd

    changes = {"task": "regression", "classes": None, "threshold": None, "logged": True}
    save_model(tmp_path, fitted(**changes), {"dataset": "d"}, "m-1", "0123")
    estimator, metadata = _load(tmp_path, "0123")
    ours = _predictor(estimator, metadata, "0123")
    X = np.random.default_rng(0).normal([1, 2], [3, 0.5], size=(500, 2))
    theirs = estimator.predict(pd.DataFrame(X, columns=["a", "b"]))
    found = ours.predict(of_numbers(["a", "b"], X))
    np.testing.assert_allclose(found, theirs, rtol=1e-12)
    assert (found > 0).all()
    estimator[-1].inverse_func = np.expm1
    with pytest.raises(PipelineError, match="its model is not of the form that `track` logs"):
        _predictor(estimator, metadata, "0123")


@of_libraries
def test_a_pickle_in_place_of_a_model_is_not_opened(tmp_path: Path) -> None:
    save_model(tmp_path, fitted(), {"dataset": "d", "trainer": "bcpm"}, "m-1", "0123")
    model = tmp_path / "model.skops"
    content, described = model.read_bytes(), (tmp_path / "MLmodel").read_text()
    model.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "done").encode() + b"'\ntR.")
    for text in (described, described.replace("format: skops", "format: pickle")):
        (tmp_path / "MLmodel").write_text(text)
        with pytest.raises(PipelineError, match="--run 0123: its model cannot be used"):
            _load(tmp_path, "0123")
    assert not (tmp_path / "done").exists()
    (tmp_path / "MLmodel").write_text(described)
    model.write_bytes(content)
    _load(tmp_path, "0123")


@pytest.fixture
def peak(reproduced: Clone, tmp_path: Path) -> Callable[[int], int]:
    """Memory of `predict` for so many rows, in MB, and the output checked to have them all."""

    def peak(rows: int) -> int:
        source, output = tmp_path / "in.csv", tmp_path / "out.csv"
        source.write_text("area_m2\n" + "101.5\n" * rows)
        said = reproduced.ok(
            "python -c 'import resource, sys; from pipeline.__main__ import main; "
            "assert main(sys.argv[1:]) == 0; "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)' "
            f"predict house '{source}' -o '{output}' --model closed_form"
        )
        with output.open() as file:
            assert sum(1 for _ in file) == rows + 1
        return int(said.split()[-1])

    return peak


def test_memory_does_not_grow_with_the_file(peak: Callable[[int], int]) -> None:
    assert peak(300_000) < peak(30_000) + 16


def test_stdout_may_close_early_or_be_full(reproduced: Clone, cancer: Path, tmp_path: Path) -> None:
    command = f"python -m pipeline predict breast_cancer '{cancer}'"
    reproduced.ok(f"{command} 2>'{tmp_path}/err' | head -c 1")
    said = (tmp_path / "err").read_text()
    assert "6 of 569 rows" in said
    assert "Error" not in said
    full = reproduced.run(f"{command} 2>&1 >/dev/full")
    assert full.returncode == 2
    assert "error: predict: stdout: cannot be written: No space left on device" in full.stdout
