"""`.venv/bin/dvc`: what a killed dvc leaves behind does not stop the next one."""

import fcntl
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.kills import stage_of, wait_for

pytestmark = pytest.mark.slow  # each starts dvc some times


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for command in ("git init -q", "dvc init -q"):
        subprocess.run(command.split(), cwd=tmp_path, check=True)
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo 1 > one\n    outs: [one]\n")
    return tmp_path


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["dvc", *arguments], cwd=folder, capture_output=True, text=True)


def test_it_is_the_dvc_that_runs() -> None:
    found = subprocess.check_output(["which", "dvc"], text=True).strip()
    assert Path(found).read_bytes() == (ROOT / ".dvc/guard.py").read_bytes(), "run `make setup`"


@pytest.mark.parametrize("folder", [".", "below"])
def test_an_empty_rwlock_does_not_stop_dvc(project: Path, folder: str) -> None:
    (project / "below").mkdir()
    rwlock = project / ".dvc/tmp/rwlock"
    rwlock.write_bytes(b"")
    ended = dvc(project / folder, "repro", "--all-pipelines")
    assert ended.returncode == 0, ended.stderr
    assert (project / "one").read_text() == "1\n"


def test_fault_78_a_damaged_rwlock_is_left_where_it_is_with_a_hint(project: Path) -> None:
    rwlock = project / ".dvc/tmp/rwlock"
    rwlock.write_bytes(b'{"write": ')
    ended = dvc(project, "repro")
    assert ended.returncode != 0
    assert f"{rwlock} is damaged; if no other dvc is at work here, remove it" in ended.stderr
    assert rwlock.read_bytes() == b'{"write": '
    rwlock.unlink()
    assert dvc(project, "repro").returncode == 0


@pytest.mark.parametrize("left", [0, 1, 40, -1])
def test_fault_79_a_lock_file_cut_short_is_put_back(project: Path, left: int) -> None:
    assert dvc(project, "repro").returncode == 0
    assert dvc(project, "status").returncode == 0  # keeps a copy
    lock = project / "dvc.lock"
    good = lock.read_bytes()
    lock.write_bytes(good[:left])
    ended = dvc(project, "repro")
    assert ended.returncode == 0, ended.stderr
    assert "dvc.lock was cut short by a killed dvc" in ended.stderr
    assert "Running stage" not in ended.stdout
    assert lock.read_bytes() == good
    assert "cut short" not in dvc(project, "repro").stderr


@pytest.mark.parametrize(("killed", "committed"), [(True, False), (False, False), (True, True)])
def test_a_lock_file_without_its_last_stage_is_put_back_where_a_dvc_was_killed(
    project: Path, killed: bool, committed: bool
) -> None:
    """But not where git has it so: it may have been checked out."""
    stage = "  two:\n    cmd: exec sleep 60\n"
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + stage.replace("60", "0"))
    assert dvc(project, "repro").returncode == 0
    assert dvc(project, "status").returncode == 0  # keeps a copy
    lock = project / "dvc.lock"
    good = lock.read_bytes()
    (project / "dvc.yaml").write_text(
        (project / "dvc.yaml").read_text().replace("sleep 0", "sleep 60")
    )
    running = subprocess.Popen(["dvc", "repro"], cwd=project, stdout=subprocess.PIPE, text=True)
    assert wait_for(lambda: stage_of(running.pid) is not None)
    stage_process = stage_of(running.pid)
    assert stage_process
    if killed:
        running.kill()
        running.wait()
    os.kill(stage_process, signal.SIGKILL)
    running.communicate()
    lock.write_bytes(good[: good.index(b"  two:")])
    if committed:
        identity = ["-c", "user.name=You", "-c", "user.email=you@example.com"]
        for command in (["add", "dvc.lock"], [*identity, "commit", "-qm", "one stage"]):
            subprocess.run(["git", *command], cwd=project, check=True)
    put_back = killed and not committed
    assert ("cut short" in dvc(project, "status").stderr) == put_back
    assert (lock.read_bytes() == good) == put_back


def test_a_lock_file_that_is_being_written_is_left_alone(project: Path) -> None:
    assert dvc(project, "repro").returncode == 0
    lock = project / "dvc.lock"
    assert dvc(project, "status").returncode == 0
    with (project / ".dvc/tmp/lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lock.write_bytes(b"")
        ended = dvc(project, "repro")
    assert "Unable to acquire lock" in ended.stderr
    assert lock.read_bytes() == b""


def test_a_lock_file_damaged_otherwise_is_left_to_dvc(project: Path) -> None:
    assert dvc(project, "repro").returncode == 0
    lock = project / "dvc.lock"
    conflict = b"<<<<<<< ours\n" + lock.read_bytes() + b">>>>>>> theirs\n"
    lock.write_bytes(conflict)
    ended = dvc(project, "repro")
    assert ended.returncode != 0
    assert "dvc.lock" in ended.stderr
    assert lock.read_bytes() == conflict


def test_what_a_killed_stage_has_begun_is_removed(project: Path) -> None:
    folder = project / "data/4_models/house"
    folder.mkdir(parents=True)
    ended = subprocess.Popen("true")
    ended.wait()
    theirs, left = (folder / f".model.json.{pid}.part" for pid in (os.getpid(), ended.pid))
    for part in (theirs, left):
        part.write_text("{")
    assert dvc(project, "repro").returncode == 0
    assert [*folder.iterdir()] == [theirs]


def test_an_rwlock_that_is_being_written_is_waited_for(project: Path) -> None:
    rwlock = project / ".dvc/tmp/rwlock"
    with Path(f"{rwlock}.lock").open("a") as lock, rwlock.open("w") as writing:
        written = rwlock.stat().st_ino
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen(["dvc", "status"], cwd=project)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1.5)
        writing.write("{}")
    assert second.wait(60) == 0
    assert rwlock.stat().st_ino == written, "it was removed, and made anew"
