"""Each state that the doctor names is made for real, named, and mended by what it says."""

import contextlib
import fcntl
import io
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.conftest import Clone, copied
from tests.kills import stage_of, wait_for

pytestmark = [
    pytest.mark.slow,
    # MLflow's registry asks SQLAlchemy for something that is to go.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]
NOTHING = "nothing found that stops or spoils work\n"
DOCTOR = "python -m pipeline doctor"
DOCTOR_MENDS = f"{DOCTOR} --mend"
MEND = f"{DOCTOR_MENDS}, then dvc repro"
UP_TO_DATE = "Data and pipelines are up to date.\n"
CACHE = ".dvc/cache/files/md5"


@pytest.fixture(scope="module")
def shared(house_alone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = copied(house_alone, tmp_path_factory.mktemp("doctor"))
    clone.ok("dvc repro")
    assert clone.ok(DOCTOR) == NOTHING
    return clone


@pytest.fixture
def clone(shared: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """A clone in which the doctor finds nothing, before the test and after it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it for good
    yield shared
    assert nothing(shared)


def doctor(clone: Clone, *options: str) -> tuple[int, str]:
    """Exit code and all that is said, in this process, which has MLflow loaded after the first."""
    with contextlib.chdir(clone.folder), io.StringIO() as said:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = main(["doctor", *options])
        return code, said.getvalue()


def nothing(clone: Clone) -> bool:
    return doctor(clone) == (0, NOTHING)


def mended(clone: Clone) -> str:
    code, said = doctor(clone, "--mend")
    assert code == 0, said
    return said


def found(clone: Clone) -> str:
    """The one finding."""
    code, said = doctor(clone)
    assert code == 2
    assert said.count("\n") == 1, said
    assert said.startswith("error: doctor: ")
    return said.removeprefix("error: doctor: ").strip()


def digest(clone: Clone, output: str) -> str:
    lock = (clone.folder / "dvc.lock").read_text()
    match = re.search(
        rf"outs:(?:(?!deps:).)*?- path: {output}\n +hash: md5\n +md5: (\S+)", lock, re.S
    )
    assert match
    return match[1]


@pytest.mark.parametrize("content", ["", '{"write": {"/a"', "[]"])
def test_fault_78_an_rwlock_that_cannot_be_read(clone: Clone, content: str) -> None:
    """A dvc that is killed while it writes its note of who works on what leaves such a one."""
    rwlock = clone.folder / ".dvc/tmp/rwlock"
    rwlock.write_text(content)
    done = clone.run("dvc repro -s params")
    assert done.returncode != 0
    assert "RWLock-file" in done.stdout
    assert found(clone) == f".dvc/tmp/rwlock is damaged, and dvc will not start: {MEND}"
    assert mended(clone).startswith("mended: .dvc/tmp/rwlock is damaged")
    clone.ok("dvc repro -s params")


def test_an_rwlock_that_is_being_written_is_waited_for(clone: Clone) -> None:
    rwlock = clone.folder / ".dvc/tmp/rwlock"
    with Path(f"{rwlock}.lock").open("a") as lock, rwlock.open("w") as writing:
        written = rwlock.stat().st_ino
        fcntl.flock(lock, fcntl.LOCK_EX)
        doctor = clone.start(f"exec {DOCTOR_MENDS}")
        with pytest.raises(subprocess.TimeoutExpired):
            doctor.wait(8)
        writing.write("{}")
    assert doctor.wait(60) == 0
    doctor.communicate()
    assert rwlock.stat().st_ino == written, "it was removed, and made anew"


def test_a_damaged_list_of_a_folder(clone: Clone) -> None:
    listing = next((clone.folder / CACHE).glob("*/*.dir"))
    good, mode = listing.read_bytes(), listing.stat().st_mode
    listing.chmod(0o644)
    for bad in (
        good.replace(b"relpath", b"relqath"),
        b"5",
        b"[1]",
        b'[{"relpath": "a", "md5": 1}]',
    ):
        listing.write_bytes(bad)
        assert "DVC's copy of" in found(clone)
    listing.write_bytes(good)
    listing.chmod(mode)


def test_a_lock_with_a_digest_that_is_none(clone: Clone) -> None:
    lock = clone.folder / "dvc.lock"
    good = lock.read_text()
    lock.write_text(good.replace(digest(clone, "data/1_ingested/house.parquet"), "12345"))
    assert found(clone).startswith("dvc.lock is damaged")
    lock.write_text(good)


def test_another_folder(clone: Clone) -> None:
    done = clone.run("cd docs && PYTHONPATH=.. python -m pipeline doctor")
    assert done.returncode == 2
    assert "params.yaml is missing here; run from the folder that holds dvc.yaml" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_rwlock_that_names_a_stranger_keeps_dvc_out(clone: Clone) -> None:
    """A killed dvc's number may be given to another process; DVC takes that one for itself."""
    rwlock = clone.folder / ".dvc/tmp/rwlock"
    busy = str(clone.folder / "data/1_ingested/house.parquet")
    info = {"pid": os.getpid(), "cmd": "dvc repro"}
    rwlock.write_text(json.dumps({"write": {busy: info}, "read": {}}))
    assert "is busy" in clone.run("dvc repro -f -s ingest@house").stdout
    assert f"names process {os.getpid()}, which is no dvc" in found(clone)
    mended(clone)
    clone.ok("dvc repro -s ingest@house")


@pytest.mark.parametrize("left", [0, 1, 40, 4096, 8192, -1])
def test_fault_79_a_lock_file_cut_short_is_put_together_again(clone: Clone, left: int) -> None:
    """DVC writes it block by block; no stage has to run anew, nor was one forgotten."""
    lock = clone.folder / "dvc.lock"
    good = lock.read_bytes()
    lock.write_bytes(good[:left])
    assert found(clone) == f"dvc.lock is damaged or cut short: {MEND}"
    mended(clone)
    assert lock.read_bytes() == good
    assert "Running stage" not in clone.ok("dvc repro")


def test_a_lock_file_keeps_the_stages_that_the_killed_dvc_had_finished(clone: Clone) -> None:
    lock = clone.folder / "dvc.lock"
    good = lock.read_text()
    made = good.replace("  ingest@house:\n", "  ingest@house:\n    # made by it\n")
    lock.write_text(made[: made.index("outs:", made.index("  split@house:"))])
    mended(clone)
    assert lock.read_text() == made
    lock.write_text(good)


@pytest.mark.parametrize("at", [0, 9000])
def test_a_lock_file_with_a_conflict_of_git_is_as_it_was_committed(clone: Clone, at: int) -> None:
    lock = clone.folder / "dvc.lock"
    good = lock.read_bytes()
    at = good.rindex(b"\n", 0, at) + 1 if at else 0
    lock.write_bytes(good[:at] + b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" + good[at:])
    assert found(clone) == f"dvc.lock is damaged or cut short: {MEND}"
    mended(clone)
    clone.ok("dvc repro")
    assert clone.ok("git status --porcelain") == ""


def test_a_lock_file_that_is_being_written_is_left_alone(clone: Clone) -> None:
    lock = clone.folder / "dvc.lock"
    good = lock.read_bytes()
    with (clone.folder / ".dvc/tmp/lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lock.write_bytes(b"")
        done = clone.run(DOCTOR_MENDS)
    assert done.returncode == 2
    assert "dvc.lock: a dvc is at work on it; try again when it ends" in done.stdout
    assert lock.read_bytes() == b""
    lock.write_bytes(good)


@pytest.mark.parametrize(
    ("output", "file"),
    [
        ("data/1_ingested/house.parquet", None),
        ("metrics/report", None),
        ("metrics/report", "x.svg"),
    ],
)
def test_a_damaged_file_of_the_cache_is_named_with_what_mends_it(
    clone: Clone, output: str, file: str | None
) -> None:
    digest_ = digest(clone, output)
    if file:
        listing = json.loads((clone.folder / CACHE / digest_[:2] / digest_[2:]).read_text())
        digest_ = listing[0]["md5"]
        output = f"{output}/{listing[0]['relpath']}"
    cached = clone.folder / CACHE / digest_[:2] / digest_[2:]
    cached.chmod(0o644)
    content = bytearray(cached.read_bytes())
    content[-1] ^= 1
    cached.write_bytes(content)
    finding = found(clone)
    assert f"{digest_[2:]}, DVC's copy of {output}, is damaged: " in finding
    clone.ok(finding.split("is damaged: ")[1].replace(", then", " &&"))
    assert cached.is_file()


def test_an_output_that_was_changed_by_hand(clone: Clone) -> None:
    path = clone.folder / "data/3_split/house/scaler.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b"mean", b"mist"))
    assert found(clone).startswith("data/3_split/house/scaler.json is not what dvc.lock records")
    clone.ok("dvc repro")
    assert path.read_bytes() == good


def test_what_a_killed_process_has_begun(clone: Clone) -> None:
    script = (
        "import os, signal, pathlib; from pipeline.core.files import atomic_write\n"
        "with atomic_write(pathlib.Path('data/4_models/house/house-closed_form.json')) as part:\n"
        "    part.write_text('{'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=clone.folder)
    assert ended.returncode == -signal.SIGKILL
    finding = found(clone)
    assert re.search(
        r"closed_form\.json\.\d+\.part was begun by a process that was killed", finding
    )
    assert clone.ok("git status --porcelain && dvc status") == UP_TO_DATE
    assert finding.endswith(f": {MEND}")
    clone.ok(DOCTOR_MENDS)


def test_what_is_being_written_now_is_no_finding(clone: Clone) -> None:
    part = clone.folder / f"data/4_models/house/.closed_form.json.{os.getpid()}.part"
    part.write_text("{")
    assert nothing(clone)
    part.unlink()


def test_a_stage_whose_dvc_is_gone(clone: Clone) -> None:
    env = {"DVC_ROOT": str(clone.folder), "DVC_STAGE": "train@x"}
    with subprocess.Popen(["sleep", "600"], env=os.environ | env) as orphan:
        assert f"process {orphan.pid} still runs stage train@x, but its dvc is gone" in found(clone)
        clone.ok(f"kill {orphan.pid}")


def test_a_dvc_that_is_stopped_keeps_others_out(clone: Clone) -> None:
    dvc = clone.start("exec dvc repro -f -s train_gradient@house-torch_sgd")
    assert wait_for(lambda: stage_of(dvc.pid) is not None)
    dvc.send_signal(signal.SIGSTOP)
    try:
        assert wait_for(lambda: stage_of(dvc.pid) is None)
        assert "is busy" in clone.run("dvc repro -f -s train_gradient@house-torch_sgd").stdout
        finding = found(clone)
    finally:
        dvc.send_signal(signal.SIGCONT)
        dvc.communicate()
    assert finding.startswith(f"dvc, process {dvc.pid}, is stopped and keeps others out")


def test_a_receipt_of_an_experiment_is_no_finding(clone: Clone) -> None:
    """`git checkout . && dvc checkout` leaves it: DVC's cache does not have it."""
    receipt = clone.folder / "data/tracked.json"
    kept = receipt.read_bytes()
    receipt.write_text("{}\n")
    assert nothing(clone)
    receipt.write_bytes(kept)


def test_results_that_wait_for_mlflow(clone: Clone) -> None:
    clone.ok("python -m pipeline track", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    finding = found(clone)
    assert finding.startswith("7 results wait in data/unpublished because MLflow could not take")
    assert finding.endswith("python -m pipeline sync")
    clone.ok("python -m pipeline sync")


def test_a_fault_of_params_is_named(clone: Clone) -> None:
    params = clone.folder / "params.yaml"
    good = params.read_text()
    params.write_text(good.replace("\nlr: 0.1", "\nlr: -1"))
    assert found(clone).startswith("params.yaml: lr: expected ")
    params.write_text(good)


def test_a_folder_that_was_moved_finds_its_models_again(
    house_alone: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    before = copied(house_alone, tmp_path)
    before.ok("dvc repro")
    moved = Clone(before.folder.rename(tmp_path / "moved_on here"))
    with sqlite3.connect(moved.folder / "mlflow.db") as store:
        ((run,),) = store.execute(
            "select run_uuid from tags where key = 'model' and value = 'closed_form'"
        ).fetchall()
    (moved.folder / "rows.csv").write_text("area_m2\n100\n")
    predict = f"python -m pipeline predict house rows.csv --run {run}"
    assert moved.run(predict).returncode == 2
    code, said = doctor(moved)
    assert (code, "which is gone: this folder was moved: " in said) == (2, True)
    code, said = doctor(moved, "--mend")
    assert (code, said.startswith("mended: mlflow.db says")) == (0, True)
    assert moved.ok(predict).splitlines()[1].startswith("100,")
    assert doctor(moved) == (0, NOTHING)
