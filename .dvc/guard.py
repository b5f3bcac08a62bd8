#!/bin/sh
# fmt: off
'''exec' "$(dirname "$(readlink -f "$0")")/python" "$0" "$@"
' '''  # sh runs the line above, wherever .venv lies, and Python the rest
# fmt: on
# DVC's command, after a look at what a killed one has left: `make setup` installs this as
# .venv/bin/dvc.
#
# DVC notes in .dvc/tmp/rwlock what it works on, and opens that file for writing ten times a stage;
# dvc.lock it writes anew after each stage, block by block. Killed meanwhile, it leaves the first
# empty or the second cut short, and from then on refuses to start.

import contextlib
import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


def mend_rwlock(rwlock: Path) -> None:
    """Remove the file if it is empty and no dvc is about to write it: that one holds `.lock`."""
    with contextlib.suppress(OSError):  # not there, or not to be removed: dvc has its own message
        if is_json(rwlock):
            return
        with Path(f"{rwlock}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if rwlock.stat().st_size == 0:
                rwlock.unlink()
            elif not is_json(rwlock):
                say(f"{rwlock} is damaged; if no other dvc is at work here, remove it")


def is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def noted(temporary: Path) -> Iterator[bool]:
    """Note that a dvc runs, until it has ended; tells whether one was killed before."""
    ours = temporary / f"{os.getpid()}.begun"
    killed = [note for note in temporary.glob("*.begun") if not runs(int(note.stem))]
    with contextlib.suppress(OSError):
        temporary.mkdir(exist_ok=True)
        ours.touch()
        for note in killed:
            note.unlink(missing_ok=True)
    try:
        yield bool(killed)
    finally:
        ours.unlink(missing_ok=True)


def mend_lock(lock: Path, temporary: Path, killed: bool) -> None:
    """Put dvc.lock back if a killed dvc has cut it short, as it was when that dvc began.

    What the killed dvc had finished is in its run cache, or runs again.
    """
    kept = temporary / "dvc.lock"
    with contextlib.suppress(OSError):  # not there, or another dvc is at work: it holds `lock`
        now, before = lock.read_bytes(), kept.read_bytes() if kept.exists() else b""
        if now == before:
            return
        with (temporary / "lock").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            now = lock.read_bytes()
            fewer = killed and stages(before) - stages(now) and not committed(lock)
            if ends_well(now) and not fewer:
                replace(kept, now)
            elif before:
                replace(lock, before)
                say("dvc.lock was cut short by a killed dvc; it is as it was when that one began")


def ends_well(lock: bytes) -> bool:
    """Whether it ends as dvc ends it. What dvc has written by then ends anywhere."""
    return lock.endswith(b"\n") and not lock.endswith(b":\n")


def committed(lock: Path) -> bool:
    """Whether git has it so: it was checked out, not cut."""
    command = ["git", "diff", "--quiet", "HEAD", "--", lock.name]
    return subprocess.run(command, cwd=lock.parent, capture_output=True).returncode == 0


def stages(lock: bytes) -> set[bytes]:
    return set(re.findall(rb"^  \S+:$", lock, re.MULTILINE))


def replace(path: Path, content: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.replace(path)


def remove_begun(folder: Path) -> None:
    """Remove the files that killed stages have begun.

    The next to write there would; where DVC's run cache has the answer, no stage runs.
    """
    for pattern in ("data/[1-5]_*/**/.*.part*", "metrics/**/.*.part*"):
        for path in folder.glob(pattern):
            process = path.name.rpartition(".part")[0].rpartition(".")[2]
            if process.isdecimal() and not runs(int(process)):
                path.unlink(missing_ok=True)


def runs(process: int) -> bool:
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)  # asks without sending
        except ProcessLookupError:
            return False
    return True


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    here = Path.cwd()
    root = next((f for f in (here, *here.parents) if (f / ".dvc").is_dir()), None)
    with noted(root / ".dvc/tmp") if root else contextlib.nullcontext(False) as killed:
        if root:
            mend_rwlock(root / ".dvc/tmp/rwlock")
            mend_lock(root / "dvc.lock", root / ".dvc/tmp", killed)
            remove_begun(root)
        from dvc.cli import main

        sys.exit(main())
