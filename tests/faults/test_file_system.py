"""Rows 72 to 77: full disks, folders that cannot be written, inputs that are no files."""

import contextlib
import gc
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Clone, copied, mount
from tests.kills import hashes, parts

Run = Callable[[str], tuple[int, str]]
STAGES = (
    "ingest house",
    "ingest synthetic",
    "validate house",
    "split house",
    "train house manual_gd",
    "evaluate house",
    "report",
)


@pytest.fixture(scope="module")
def clone(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return copied(reproduced, tmp_path_factory.mktemp("file system"))


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_fault_72_a_file_that_cannot_grow_leaves_the_earlier_one(clone: Clone, stage: str) -> None:
    before = hashes(clone.folder)
    done = clone.run(f"ulimit -f 0; python -m pipeline {stage}")  # a pipe may grow
    assert done.returncode == 2
    assert "Traceback" not in done.stdout
    message = done.stdout.splitlines()[-1]  # joblib warns before that it has no semaphores
    assert re.match(
        rf"error: {stage.split()[0]}: \S+: cannot be written: .*File too large", message
    )
    assert hashes(clone.folder) == before
    assert parts(clone.folder) == []


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A file system of one page, full, in place of a folder that is in the way of none."""
    folder.mkdir(parents=True)
    mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", folder)
    try:
        (folder / "full").write_bytes(b"x" * 4096)
        yield
    finally:
        gc.collect()  # on Python 3.13 an error that is over may keep its file open until then
        subprocess.run(["umount", folder], check=True)


def test_fault_72_a_full_disk_is_named(run: Run, workspace: Path) -> None:
    with full_disk(workspace / "data/1_ingested"):
        code, message = run("ingest house")
        left = [path.name for path in (workspace / "data/1_ingested").iterdir()]
    assert code == 2
    assert message.startswith("error: ingest: data/1_ingested/house.parquet: cannot be written: ")
    assert message.endswith("No space left on device\n")
    assert message.count("\n") == 1
    assert left == ["full"]


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Root passes over permissions, not over a read-only mount."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    mount("--bind", "-o", "ro", folder, folder)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_fault_73_a_read_only_folder_is_named(run: Run, workspace: Path) -> None:
    with read_only(workspace / "data/1_ingested"):
        code, message = run("ingest house")
    assert code == 2
    assert message.startswith("error: ingest: data/1_ingested/house.parquet: cannot be written: ")
    assert message.count("\n") == 1
    assert not list((workspace / "data/1_ingested").iterdir())


def test_fault_73_a_file_in_place_of_a_folder_is_named(run: Run, workspace: Path) -> None:
    (workspace / "data/1_ingested").write_text("")
    code, message = run("ingest house")
    assert code == 2
    assert message.startswith("error: ingest: data/1_ingested/house.parquet: cannot be written: ")


def test_fault_74_a_missing_input_is_named(run: Run, workspace: Path) -> None:
    (workspace / "data/raw/house.csv").unlink()
    code, message = run("ingest house")
    assert code == 2
    assert message == "error: ingest: data/raw/house.csv is missing; put the CSV file there\n"
    assert not (workspace / "data/1_ingested").exists()


@pytest.mark.parametrize("kind", ["directory", "fifo", "link"])
def test_fault_75_what_is_no_file_of_this_folder_is_refused(
    run: Run, workspace: Path, tmp_path_factory: pytest.TempPathFactory, kind: str
) -> None:
    raw = workspace / "data/raw/house.csv"
    outside = tmp_path_factory.mktemp("outside") / "house.csv"
    shutil.move(raw, outside)
    words = "is not a file; expected a CSV file there"
    if kind == "directory":
        raw.mkdir()
    elif kind == "fifo":
        os.mkfifo(raw)
    else:
        raw.symlink_to(outside)
        words = f"is a link to {outside}, outside of this folder; expected the file itself: copy it"
    code, message = run("ingest house")
    assert code == 2
    assert message == f"error: ingest: data/raw/house.csv: {words}\n"
    assert not (workspace / "data/1_ingested").exists()


def test_fault_75_a_link_within_the_folder_is_followed(run: Run, workspace: Path) -> None:
    raw = workspace / "data/raw/house.csv"
    raw.rename(raw.with_name("flats.csv"))
    raw.symlink_to("flats.csv")
    assert run("ingest house") == (0, "")


@pytest.mark.parametrize("way", ["append", "replace"])
def test_fault_76_an_input_that_changes_while_it_is_read_is_refused(
    run: Run, workspace: Path, way: str
) -> None:
    raw = workspace / "data/raw/house.csv"
    raw.write_text("area_m2,price_wan\n" + "95,230\n" * 3_000_000)

    def is_open() -> bool:
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                if link.readlink() == raw:
                    return True
        return False

    def change() -> None:
        while not is_open():
            time.sleep(0.001)
        if way == "append":
            with raw.open("a") as file:
                file.write("1,1\n")
        else:
            other = raw.with_name("other.csv")
            other.write_text("area_m2,price_wan\n1,1\n2,2\n")
            other.replace(raw)

    changing = threading.Thread(target=change, daemon=True)
    changing.start()
    code, message = run("ingest house")
    changing.join(60)
    assert not changing.is_alive()
    assert code == 2
    assert message == (
        "error: ingest: data/raw/house.csv: was changed while it was read; "
        "run again once nobody writes to it\n"
    )
    assert not list((workspace / "data/1_ingested").glob("*"))


@pytest.mark.slow
def test_fault_77_spaces_quotes_and_unicode_in_the_path(house_alone: Clone, tmp_path: Path) -> None:
    odd = tmp_path / "a 'b' \"c\" $HOME #1 温度"
    odd.mkdir()
    clone = copied(house_alone, odd)
    clone.ok("dvc repro -f -s ingest@house && dvc repro -f -s train_gradient@house-manual_gd")
    clone.ok("python -m pipeline evaluate house && python -m pipeline report")
    assert "7 runs added to MLflow" in clone.ok("dvc repro")
    assert "nothing found" in clone.ok("python -m pipeline doctor")
    assert hashes(clone.folder) == hashes(house_alone.folder)
