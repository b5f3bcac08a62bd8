"""Rows 86, 88 and 89: two at once, and params that are edited meanwhile."""

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Clone, copied
from tests.kills import hashes, stage_of, wait_for
from tests.test_experiments import when_done
from tests.test_main_job import runs

pytestmark = pytest.mark.slow
TORCH = "train_gradient@house-torch_sgd"


@pytest.fixture
def clone(house_alone: Clone, tmp_path: Path) -> Clone:
    return copied(house_alone, tmp_path)


def test_fault_86_of_two_dvc_repro_at_once_one_says_why_not(clone: Clone) -> None:
    before = hashes(clone.folder)
    first = clone.start(f"exec dvc repro -f -s {TORCH}", PIPELINE_PRELOAD="0")
    with held(first.pid):
        second = clone.run(f"dvc repro -f -s {TORCH}")
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert second.returncode != 0
    assert "is busy, it is being blocked by:" in second.stdout
    assert re.search(rf"\(PID {first.pid}\): \S*dvc repro", second.stdout)
    assert "Traceback" not in second.stdout
    assert hashes(clone.folder) == before


@contextlib.contextmanager
def held(dvc: int) -> Iterator[None]:
    """Hold the stage that a dvc runs, amid its import of torch: it has read its params by then.

    A stage that runs in a server's fork has torch already, so these run as plain processes.
    """

    def trains() -> bool:
        stage = stage_of(dvc)
        return stage is not None and "libtorch_cpu" in Path(f"/proc/{stage}/maps").read_text()

    assert wait_for(trains)
    stage = stage_of(dvc)
    assert stage
    os.kill(stage, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stage, signal.SIGCONT)


def through_the_queue(clone: Clone) -> str:
    """Run what is queued, two at a time; gives the status of all."""
    clone.ok("dvc queue start -j 2")
    return when_done(clone)


def test_fault_88_identical_params_in_a_queue_are_one_run(clone: Clone) -> None:
    clone.ok("dvc repro")
    before = {run["id"] for run in runs(clone)}
    clone.ok("dvc exp run --queue -S lr=0.02 --name a && dvc exp run --queue -S lr=0.02 --name b")
    status = through_the_queue(clone)
    for name in re.findall(r"(?m)^\S+ +(\w+) .* Failed", status):
        # DVC's own: of two processes that write one entry of its run cache, one may lose its file
        log = clone.run(f"dvc queue logs {name}").stdout
        assert re.search(r"No such file or directory: '.*/\.dvc/cache/runs/.*\.tmp'", log), log
        clone.ok(f"dvc exp run --queue -S lr=0.02 --name again_{name}")
        status = through_the_queue(clone)
    assert status.count("Success") == 2, status
    added = [run for run in runs(clone) if run["id"] not in before]
    assert len(added) == 2
    assert len({run["fingerprint"] for run in added}) == 2
    assert {run["status"] for run in added} == {"FINISHED"}
    locks = [clone.ok(f"git show refs/exps/{ref(clone, name)}:dvc.lock") for name in "ab"]
    assert locks[0] == locks[1]


def ref(clone: Clone, name: str) -> str:
    refs = clone.ok("git for-each-ref --format='%(refname)' refs/exps").split()
    (found,) = [one for one in refs if one.endswith(f"/{name}")]
    return found.removeprefix("refs/exps/")


def edited_while(clone: Clone, old: str, new: str) -> tuple[int, str]:
    """Train with torch, and edit params.yaml once it has read its params."""
    params = clone.folder / "params.yaml"
    dvc = clone.start(f"exec dvc repro -f -s {TORCH}", PIPELINE_PRELOAD="0")
    with held(dvc.pid):
        params.write_text(params.read_text().replace(old, new))
    output, _ = dvc.communicate()
    return dvc.returncode, output


def recorded(clone: Clone) -> tuple[float, float]:
    """The learning rate in the model, and that in dvc.lock."""
    model = json.loads((clone.folder / "data/4_models/house/house-torch_sgd.json").read_text())
    lock = (clone.folder / "dvc.lock").read_text().split(f"  {TORCH}:")[1]
    found = re.search(r"^ +lr: (\S+)$", lock, re.MULTILINE)
    assert found
    return model["params"]["lr"], float(found[1])


def test_fault_89_params_edited_during_a_run_are_not_taken_for_those_used(clone: Clone) -> None:
    code, output = edited_while(clone, "\nlr: 0.1", "\nlr: 0.5")
    assert code != 0
    assert "error: train: params.yaml was changed while this ran" in output
    assert "Run `dvc repro` again" in output
    assert recorded(clone) == (0.1, 0.1)
    clone.ok(f"dvc repro -s {TORCH}")
    assert recorded(clone) == (0.5, 0.5)


def test_fault_89_what_does_not_concern_the_dataset_may_be_edited(clone: Clone) -> None:
    code, output = edited_while(clone, "noise: 20", "noise: 21")
    assert code == 0, output
    code, output = edited_while(clone, "# Every knob", "# Each knob")
    assert code == 0, output
