"""A training that is killed goes on where it was, to the bytes of one that was not."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.artifacts.checkpoints import Checkpoint
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.errors import PipelineWarning
from pipeline.core.params import parse_params
from pipeline.core.settings.models import Wanted
from pipeline.solvers.network import Fit, fit
from pipeline.solvers.rows import ArrayRows
from tests.conftest import ROOT
from tests.solvers.test_network import rows_for, settings

ONE = Wanted("deep", "network", {"hidden": [16, 8], "lr": 0.1})
STATE = {"theta": np.arange(5.0), "history": np.array([0.5])}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checkpoint(**changes: Any) -> Checkpoint:
    model = ONE._replace(params=ONE.params | changes)
    return Checkpoint("rings", model, "0" * 32, every=0)


def bytes_of(found: Fit) -> bytes:
    arrays = [*found.layers.arrays.values(), found.history]
    return b"".join(one.tobytes() for one in arrays) + str(found[2:]).encode()


def test_a_state_is_read_as_it_was_written_by_the_same_training_alone(folder: Path) -> None:
    checkpoint().write(lambda: STATE)
    found = checkpoint().read()
    assert found is not None
    assert {name: one.tolist() for name, one in found.items()} == {
        name: one.tolist() for name, one in STATE.items()
    }
    for other in (
        checkpoint(lr=0.2),
        Checkpoint("moons", ONE, "0" * 32),
        Checkpoint("rings", ONE, "1" * 32),
        Checkpoint("rings", ONE._replace(name="wide"), "0" * 32),
    ):
        assert other.read() is None


def test_a_damaged_or_foreign_state_is_not_trusted(folder: Path) -> None:
    checkpoint().write(lambda: STATE)
    path, foreign = checkpoint().path, checkpoint(lr=0.2)
    whole = path.read_bytes()
    foreign.path.write_bytes(whole)
    with pytest.warns(PipelineWarning, match="is damaged, or of another training"):
        assert foreign.read() is None
    for content in (b"", whole[:-1], whole[:-9] + b"\1" + whole[-8:], b"no safetensors" * 20):
        path.write_bytes(content)
        with pytest.warns(PipelineWarning, match="is damaged, or of another training"):
            assert checkpoint().read() is None


def test_no_state_is_written_before_its_time_and_the_end_removes_all(folder: Path) -> None:
    seldom = Checkpoint("rings", ONE, "0" * 32, every=1000)
    seldom.write(lambda: pytest.fail("it is not time yet"))
    checkpoint().write(lambda: STATE)
    checkpoint(lr=0.3).write(lambda: STATE)
    other = Checkpoint("rings", ONE._replace(name="wide"), "0" * 32, every=0)
    other.write(lambda: STATE)
    checkpoint().remove()
    assert [*layout.checkpoint("a", "b", "c").parent.iterdir()] == [other.path]


def test_states_of_models_without_a_line_are_removed(workspace: Path) -> None:
    line = "    house-deep: {dataset: house, trainer: network, hidden: [2]}\n"
    text = layout.PARAMS.read_text().replace("  network: {}\n", f"  network:\n{line}")
    ours, gone = (Checkpoint("house", ONE._replace(name=n), "0" * 32, 0) for n in ("deep", "wide"))
    foreign = layout.checkpoint("nobody", "deep", "0")
    for one in (ours, gone):
        one.write(lambda: STATE)
    foreign.write_bytes(b"")
    mine = foreign.with_name("notes.txt")
    mine.write_text("mine")
    remove_strangers(parse_params(text, "params.yaml"))
    assert {*mine.parent.iterdir()} == {mine, ours.path}


def test_a_disk_that_refuses_does_not_end_the_training(folder: Path) -> None:
    (folder / "data").write_text("no folder")
    with pytest.warns(PipelineWarning, match="cannot be written.*the training goes on"):
        checkpoint().write(lambda: STATE)


@pytest.mark.parametrize(
    ("size", "optimizer", "early_stopping"),
    [*product([16, "full"], ["sgd", "momentum", "rmsprop", "adam"], [0.0, 0.2])],
)
def test_an_interrupted_training_goes_on_to_the_same_bytes(
    folder: Path, size: int | str, optimizer: str, early_stopping: float
) -> None:
    rows = rows_for("cross_entropy", 120)
    changes: dict[str, object] = {"batch_size": size, "optimizer": optimizer, "dropout": 0.2}
    ours = settings(early_stopping=early_stopping, lr=0.02, epochs=40, **changes)
    whole = fit(rows, ours, "cross_entropy")
    assert len(whole.history) > 9

    def killed(at: int) -> Callable[[int, float], None]:
        def callback(epoch: int, loss: float) -> None:
            if epoch == at:
                raise KeyboardInterrupt

        return callback

    told: list[int] = []
    for at in (3, 9):
        with pytest.raises(KeyboardInterrupt):
            fit(rows, ours, "cross_entropy", callback=killed(at), kept=checkpoint())
    found = fit(
        rows, ours, "cross_entropy", callback=lambda epoch, _: told.append(epoch), kept=checkpoint()
    )
    assert 1 < told[0] <= 9
    assert bytes_of(found) == bytes_of(whole)


class Keeps:
    """Keeps the state of every epoch; the training that comes after takes up one of them."""

    def __init__(self) -> None:
        self.states: list[dict[str, np.ndarray]] = []
        self.taken: dict[str, np.ndarray] | None = None

    def read(self) -> dict[str, np.ndarray] | None:
        return self.taken

    def write(self, state: Callable[[], dict[str, np.ndarray]]) -> None:
        if self.taken is None:
            self.states.append({name: one.copy() for name, one in state().items()})


@pytest.mark.parametrize(
    ("size", "changes"),
    [
        *product(
            [16, "full"],
            [
                {},
                {"early_stopping": 0.2, "lr": 0.1, "epochs": 60},
                {"loss_threshold": 0.7},
                {"tolerance": 0.01},
            ],
        )
    ],
)
def test_a_training_goes_on_from_any_of_its_states_also_from_the_last(
    size: int | str, changes: dict[str, Any]
) -> None:
    rows, kept, told = rows_for("cross_entropy", 120), Keeps(), list[int]()
    ours = settings(**{"lr": 0.02, "epochs": 25, "batch_size": size} | changes)
    whole = fit(rows, ours, "cross_entropy", kept=kept)
    assert len(kept.states) == len(whole.history) - 1  # what has ended is not kept
    for state in kept.states:
        kept.taken = state
        told.clear()
        found = fit(rows, ours, "cross_entropy", callback=lambda *of: told.append(1), kept=kept)
        assert len(told) == len(whole.history) - len(state["history"])
        assert bytes_of(found) == bytes_of(whole)


def test_a_training_of_numbers_goes_on_too() -> None:
    rows, kept = rows_for("mse", 200), Keeps()
    rows = ArrayRows(rows.X, 1000 * rows.y)
    whole = fit(rows, settings(epochs=30), "mse", kept=kept)
    kept.taken = kept.states[12]
    assert bytes_of(fit(rows, settings(epochs=30), "mse", kept=kept)) == bytes_of(whole)


@pytest.mark.slow
def test_a_killed_stage_goes_on_where_it_was(
    workspace: Path, prepared: Callable[[str], None]
) -> None:
    prepared("breast_cancer")
    yaml = YAML()
    content = yaml.load(layout.PARAMS.read_text())
    line = {"dataset": "breast_cancer", "trainer": "network", "hidden": [64, 64], "epochs": 2000}
    line |= {"early_stopping": 0, "batch_size": 32, "loss_threshold": 0}
    content["models"]["network"] = {"breast_cancer-network": line}
    yaml.dump(content, layout.PARAMS)
    command = [sys.executable, "-m", "pipeline", "train", "breast_cancer", "network"]
    env = {"PYTHONPATH": str(ROOT), "PATH": ""}
    model = layout.model("breast_cancer", "network")
    outputs = [model, layout.beside(model, "network"), layout.history("breast_cancer", "network")]
    subprocess.run(command, check=True, env=env)
    whole = [path.read_bytes() for path in outputs]
    kept = layout.checkpoint("breast_cancer", "network", "*")
    assert [*Path().glob(str(kept))] == []
    for path in outputs:
        path.unlink()
    with subprocess.Popen(command, env=env) as process:
        while not [*Path().glob(str(kept))]:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not model.exists()
    subprocess.run(command, check=True, env=env)
    assert [path.read_bytes() for path in outputs] == whole
    assert [*Path().glob(str(kept))] == []
