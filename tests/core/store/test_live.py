import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import termios
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from pipeline.core import layout
from pipeline.core.errors import Diverged, PipelineWarning
from pipeline.core.files import md5
from pipeline.core.settings.descent import params_of
from pipeline.core.settings.models import Wanted
from pipeline.core.store import live
from pipeline.core.store.connection import open_store, training_key
from pipeline.core.store.live import MOST, Losses, end_abandoned, shown
from pipeline.solvers import stage as train
from pipeline.solvers.fit import fit
from pipeline.solvers.rows import ArrayRows
from tests.conftest import ROOT, descent
from tests.servers import silent_server

Command = Callable[[str], tuple[int, str]]
ENV = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
pytestmark = pytest.mark.filterwarnings(  # of MLflow's own imports
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)
PATIENCE = 240  # seconds after which something will not happen any more


def rows(classes: bool = False) -> ArrayRows:
    generator = np.random.default_rng(3)
    X = generator.normal(size=(40, 3))
    y = X @ [1.0, -2.0, 0.5] + generator.normal(size=40)
    return ArrayRows(X, (y > 0).astype(float) if classes else y)


TRAININGS: list[tuple[str, dict[str, object]]] = [
    ("manual_gd", {"epochs": 3000}),  # by powers of the step
    ("manual_gd", {"optimizer": "adam"}),
    ("manual_gd", {"loss": "mae"}),
    ("manual_gd", {"batch_size": 16}),
    ("manual_gd", {"batch_size": 16, "loss_threshold": 0.5}),
    ("torch_sgd", {"lr": 0.01}),
    ("torch_sgd", {"batch_size": 16}),
    ("bcpm", {}),
    ("bcpm", {"batch_size": 16}),
]


@pytest.mark.parametrize(("trainer", "changes"), TRAININGS)
def test_watching_changes_no_byte_and_tells_what_the_history_holds(
    trainer: str, changes: dict[str, object]
) -> None:
    params = params_of(trainer, descent(**changes))
    told: dict[int, float] = {}
    watched, history = fit(trainer, params, rows(trainer == "bcpm"), told.__setitem__)
    plain, same = fit(trainer, params, rows(trainer == "bcpm"))
    assert watched.form.coef.tobytes() == plain.form.coef.tobytes()
    assert (watched.form.intercept, watched.facts) == (plain.form.intercept, plain.facts)
    assert history.tobytes() == same.tobytes()

    first = 1 if "batch_size" in changes else 0
    known = dict(enumerate(history.tolist(), first))
    assert told.items() <= known.items()
    assert [*told][-1] == [*known][-1]
    assert [*told] == ([0, 1024, 2048, 3000] if params["epochs"] == 3000 else [*known])


def test_losses_are_kept_evenly_and_few() -> None:
    losses = Losses()
    for epoch in range(100_000):
        losses(epoch, 1 / (epoch + 1))
    epochs = [point[0] for point in losses.points]
    assert epochs[0] == 0
    assert MOST // 2 <= len(epochs) <= MOST
    assert len({b - a for a, b in pairwise(epochs)}) == 1
    after = losses.points_after(epochs[-3])
    assert [point[0] for point in after] == epochs[-2:]
    to_the_end = losses.points_after(epochs[-3], to_the_end=True)
    assert [point[0] for point in to_the_end] == [*epochs[-2:], 99_999]
    assert losses.points_after(99_999, to_the_end=True) == []


BAR = """
import time, warnings
now = 0.0
time.time = lambda: now
from pipeline.core.settings.models import Wanted
from pipeline.core.store import live
live.RUN = 600
model = Wanted("torch_sgd", "torch_sgd", {"epochs": 1000})
with live.shown("house", model) as tell:
    tell(0, 2.0)
    now = 10.0
    tell(250, 1.5)
    warnings.warn("lr is large")
    now = 20.0
    tell(500, 0.75)
    tell(600, 0.5)
print("next", flush=True)
"""


def on_terminal(command: list[str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command whose output goes to a terminal of 100 columns; its other end is given."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 100))
    process = subprocess.Popen(
        command,
        stdout=theirs,
        stderr=theirs,
        env=ENV,
        # what runs in the background ignores Ctrl-C, and its children do
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    os.close(theirs)
    return process, ours


def read_all(terminal: int) -> str:
    text = b""
    try:
        while part := os.read(terminal, 65536):
            text += part
    except OSError:  # how a terminal says that nobody writes to it any more
        pass
    os.close(terminal)
    return text.decode()


def test_the_bar_shows_loss_and_time_left_and_gives_warnings_a_line_of_their_own() -> None:
    process, terminal = on_terminal([sys.executable, "-c", BAR])
    written = read_all(terminal)
    assert process.wait() == 0, written
    states = [state for state in re.split("[\r\n]", written) if state.strip()]
    assert any("25%" in s and "250/1000 [00:10<00:30, 25.00epoch/s, loss 1.5]" in s for s in states)
    assert any("50%" in s and "[00:20<00:20" in s and "loss 0.75]" in s for s in states)
    warning = next(s for s in states if "lr is large" in s)
    assert "epoch" not in warning
    assert "600/1000" in states[-2]
    assert "loss 0.5]" in states[-2]
    assert states[-1] == "next"


def test_without_a_terminal_there_is_no_bar() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", BAR], env=ENV, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"next\n", b"")


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is the workspace's, also after MLflow has set the variable in this process."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


LONG = Wanted("torch_sgd", "torch_sgd", {"epochs": 10, "lr": 9.0})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show even what does not last."""
    for name, seconds in {"BAR": 0, "RUN": 0, "DRAW": 0.1, "EVERY": 0.1}.items():
        monkeypatch.setattr(live, name, seconds)


class Run(NamedTuple):
    name: str
    status: str
    tags: dict[str, str]
    params: dict[str, str]
    losses: dict[int, float]


def runs(folder: Path) -> list[Run]:
    """What the MLflow store of a folder holds, oldest first."""
    if not (folder / "mlflow.db").exists():
        return []
    with closing(sqlite3.connect(folder / "mlflow.db")) as db:

        def of(run: str, table: str, key: str) -> dict[Any, Any]:
            return dict(db.execute(f"SELECT {key}, value FROM {table} WHERE run_uuid = ?", (run,)))

        found = db.execute("SELECT run_uuid, name, status FROM runs ORDER BY start_time").fetchall()
        return [
            Run(
                name, status, of(run, "tags", "key"), of(run, "params", "key"),
                of(run, "metrics", "step"),
            )
            for run, name, status in found
        ]  # fmt: skip


def statuses(folder: Path) -> list[str]:
    return [run.status for run in runs(folder)]


def until(true: Callable[[], Any]) -> Any:
    """Wait until something is true, and give it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if result := true():
            return result
        time.sleep(0.1)
    raise AssertionError(f"{true} did not come true in {PATIENCE} s")


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Let the stage's trainings go on, with a loss of 0.5, until something is true."""

    def last(true: Callable[[], Any]) -> None:
        def longer(*arguments: Any) -> Any:
            result, callback = fit(*arguments), arguments[3]
            epoch = iter(range(1000, 10**9))

            def also() -> Any:
                callback(next(epoch), 0.5)
                return true()

            until(also)
            return result

        monkeypatch.setattr(train, "fit", longer)

    return last


@pytest.fixture
def house(prepared: Callable[[str], None], run: Command) -> tuple[bytes, bytes]:
    """House is split; the bytes of torch_sgd's model and history, trained out of sight."""
    prepared("house")
    assert run("train house torch_sgd") == (0, "")
    return outputs()


def outputs() -> tuple[bytes, bytes]:
    model, history = layout.model("house", "torch_sgd"), layout.history("house", "torch_sgd")
    return model.read_bytes(), history.read_bytes()


@pytest.mark.slow
def test_a_long_training_is_seen_while_it_runs_and_then_waits_for_track(
    workspace: Path,
    house: tuple[bytes, bytes],
    run: Command,
    lasting: Callable[[Callable[[], Any]], None],
) -> None:
    seen: list[int] = []

    def grown() -> bool:
        for found in runs(workspace):
            assert found.status == "RUNNING"
            seen.append(len(found.losses))
        return len(set(seen) - {0}) > 1

    lasting(grown)
    assert run("train house torch_sgd") == (0, "")
    assert outputs() == house
    assert seen == sorted(seen)
    (found,) = runs(workspace)
    assert (found.status, found.name) == ("SCHEDULED", "torch_sgd (training)")
    assert min(found.losses) == 0
    assert len(found.losses) > seen[-1]  # the last ones came at the end

    made = json.loads(house[0])["params"]
    assert found.params == {"trainer": "torch_sgd"} | {k: str(v) for k, v in made.items()}
    split = md5(layout.split_part("house", "train"))
    expected = {
        "dataset": "house",
        "trainer": "torch_sgd",
        "model": "torch_sgd",
        "training": training_key("house", "torch_sgd", made, split),
    }
    assert expected.items() <= found.tags.items()
    assert "fingerprint" not in found.tags


@pytest.mark.slow
def test_a_diverged_training_is_a_failed_run_that_says_why(
    workspace: Path, house: tuple[bytes, bytes], at_once: None
) -> None:
    with (
        pytest.raises(Diverged),
        shown("house", LONG) as callback,
    ):
        callback(0, 1.0)
        until(lambda: [run.losses for run in runs(workspace)] == [{0: 1.0}])
        raise Diverged(7, 9.0, lambda: 1.0)
    (found,) = runs(workspace)
    assert found.status == "FAILED"
    assert "diverged at epoch 7" in found.tags["error"]


@pytest.fixture
def start(workspace: Path, prepared: Callable[[str], None]) -> Iterator[Callable[[], Any]]:
    """Start a training without end on a terminal, wait until it is seen, and give both."""
    prepared("house")
    params = Path("params.yaml").read_text()
    for old, new in (
        ("epochs: 100\n", "epochs: 1000000000\n"),
        ("loss_threshold: 0.00001", "loss_threshold: 0"),
        ("optimizer: sgd", "optimizer: adam"),  # which no shortcut serves
    ):
        assert old in params
        params = params.replace(old, new)
    Path("params.yaml").write_text(params)
    started = []

    def begin() -> tuple[subprocess.Popen[bytes], int]:
        before = len(runs(workspace))
        command = [sys.executable, "-m", "pipeline", "train", "house", "manual_gd"]
        process, terminal = on_terminal(command)
        started.append(process)
        until(lambda: process.poll() or statuses(workspace)[before:] == ["RUNNING"])
        return process, terminal

    yield begin
    for process in started:
        process.kill()
        process.wait()


def killed(training: tuple[subprocess.Popen[bytes], int], number: signal.Signals) -> None:
    process, terminal = training
    process.send_signal(number)
    assert process.wait() == -number
    os.close(terminal)


@pytest.mark.slow
def test_the_run_of_a_killed_training_is_ended_by_the_next_one_or_by_track(
    workspace: Path, start: Callable[[], Any]
) -> None:
    killed(start(), signal.SIGKILL)
    assert statuses(workspace) == ["RUNNING"]
    training = start()
    assert statuses(workspace) == ["KILLED", "RUNNING"]
    killed(training, signal.SIGTERM)
    assert statuses(workspace) == ["KILLED", "RUNNING"]
    with open_store(workspace) as store:  # as track does
        end_abandoned(store, store.experiment("house"))
    assert statuses(workspace) == ["KILLED", "KILLED"]
    assert not layout.model("house", "manual_gd").exists()


@pytest.mark.slow
def test_the_run_of_a_training_goes_on_until_that_is_interrupted(
    workspace: Path, start: Callable[[], Any]
) -> None:
    process, terminal = start()
    tags = {"live_host": "another", "live_pid": "1", "training": "b" * 64}
    with open_store(workspace) as store:
        experiment = store.experiment("house")
        store.client.create_run(experiment, tags=tags)
        end_abandoned(store, experiment)
        assert statuses(workspace) == ["RUNNING", "RUNNING"]
        end_abandoned(store, experiment, "b" * 64)  # theirs begins anew, here
    assert statuses(workspace) == ["RUNNING", "KILLED"]

    process.send_signal(signal.SIGINT)
    written = read_all(terminal)
    assert process.wait() == 130
    assert statuses(workspace) == ["KILLED", "KILLED"]
    assert re.search(r"manual_gd:   0%.*/1000000000 \[00:.*epoch/s, loss [\d.]+\]", written)
    assert written.endswith("]\r\ntrain: interrupted\r\n")
    assert not layout.model("house", "manual_gd").exists()


@pytest.mark.slow
def test_a_store_that_is_down_is_one_warning_and_the_model_is_there(
    house: tuple[bytes, bytes],
    run: Command,
    lasting: Callable[[Callable[[], Any]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = ""

    def warned() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "warning" in said

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://you:secret@127.0.0.1:9")
    lasting(warned)
    code, rest = run("train house torch_sgd")
    said += rest
    assert code == 0
    beginning = (
        "warning: train: training is not shown in MLflow: MLflow store http://***@127.0.0.1:9: "
    )
    assert said.startswith(beginning)
    assert said.count("\n") == 1
    assert outputs() == house


@pytest.mark.slow
def test_a_silent_store_holds_up_the_end_for_a_bounded_time(
    workspace: Path, at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FLUSH", 1)
    with silent_server() as url, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", PipelineWarning)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        begun = time.monotonic()
        with shown("house", LONG) as callback:
            callback(0, 1.0)
            time.sleep(0.5)
        took = time.monotonic() - begun
    said = [str(one.message) for one in warned if one.category is PipelineWarning]
    assert said == ["training is not shown in MLflow: no answer within 1 s"]
    assert took < 4


def test_a_short_training_makes_no_run_and_waits_for_nothing(workspace: Path) -> None:
    with shown("house", LONG) as callback:
        callback(0, 1.0)
    assert runs(workspace) == []
    assert "live run" not in [thread.name for thread in threading.enumerate()]
