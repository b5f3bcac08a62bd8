"""Rows 80 to 85: whoever is killed, and when, one `dvc repro` gives a clean run's bytes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Clone, reduced
from tests.kills import Kill, Killer, commands_in, cover, hashes, parts, wait_for

Run = Callable[[str], tuple[int, str]]


@pytest.fixture(scope="module")
def killer(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Killer:
    folder = tmp_path_factory.mktemp("kills")
    return Killer(reduced(reproduced, folder, "breast_cancer"), seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("how", cover(), ids=str)
def test_fault_80_and_81_and_82_and_83_a_kill_is_mended_by_one_repro(
    killer: Killer, how: Kill
) -> None:
    """The others are in `make kills`."""
    assert killer.kill(how) == []


@pytest.mark.slow
def test_fault_83_ctrl_c_ends_a_stage_with_130_and_nothing_half_made(
    workspace: Path, run: Run
) -> None:
    for stage in ("ingest", "validate", "split"):
        assert run(f"{stage} house") == (0, "")
    before = hashes(workspace)
    params = workspace / "params.yaml"
    params.write_text(params.read_text().replace("epochs: 100", "epochs: 1000000000"))
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "train", "house", "torch_sgd"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        text=True,
        # what runs in the background ignores Ctrl-C, and its children do
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as stage_:
        # it trains: a thread shows it in MLflow
        begun = wait_for((workspace / "mlflow.db").exists, 300)
        stage_.send_signal(signal.SIGINT)
        _, said = stage_.communicate(timeout=60)
    assert begun, said
    assert stage_.returncode == 130
    assert said.endswith("train: interrupted\n")
    assert "Traceback" not in said
    assert hashes(workspace) == before
    assert parts(workspace) == []
    assert wait_for(lambda: not [c for c in commands_in(workspace) if "pipeline" in c])


# A stage with its libraries, and room for so many MiB more. Ingest reads 4 MiB at once, and lets
# threads parse them, each with a stack of 8 MiB.
SHORT_OF_MEMORY = """
import re, resource, sys
from importlib import import_module
from pathlib import Path
from pipeline.__main__ import main
from pipeline.core import params
from pipeline.core.run import STAGES
stage, room = sys.argv[1:]
import_module(STAGES[stage].module)
import_module("pipeline.ingest.reader")  # which ingest asks for by the kind of the file
params.load_params()
size = int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_AS, (size + (int(room) << 20),) * 2)
sys.exit(main([stage, "house"]))
"""


@pytest.mark.slow
def test_fault_84_out_of_memory_names_the_stage(workspace: Path, run: Run) -> None:
    for stage in ("ingest", "validate", "split"):
        assert run(f"{stage} house") == (0, "")
    before = hashes(workspace)
    big = workspace / "data/raw/house.csv"
    big.write_text("area_m2,price_wan\n" + "95,230\n" * 8_000_000)
    assert_out_of_memory(workspace, "ingest", 2, 6)
    grow(workspace)
    assert_out_of_memory(workspace, "validate", 8, 96)
    assert_out_of_memory(workspace, "split", 8, 96)
    assert hashes(workspace).keys() == before.keys()
    assert parts(workspace) == []


def assert_out_of_memory(workspace: Path, stage: str, *rooms: int) -> None:
    """With so many MiB, a stage ends with one message, and changes nothing."""
    kept = hashes(workspace)
    for room in rooms:
        ended = subprocess.run(
            [sys.executable, "-c", SHORT_OF_MEMORY, stage, str(room)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 2, (room, ended.stderr[-2000:])
        assert ended.stderr.startswith(f"error: {stage} house: out of memory"), room
        assert ended.stderr.count("\n") == 1
        assert hashes(workspace) == kept


def grow(workspace: Path) -> None:
    """Put 20 million rows into 1_ingested, and a report that belongs to them."""
    import numpy as np

    from pipeline.core import layout
    from pipeline.core.files import md5, write_json
    from pipeline.core.tables import number_table, write_table

    column = np.full(20_000_000, 95)
    write_table(layout.ingested("house"), number_table(["area_m2", "price_wan"], [column, column]))
    report = json.loads(layout.validated("house").read_text())
    write_json(layout.validated("house"), report | {"data_md5": md5(layout.ingested("house"))})
