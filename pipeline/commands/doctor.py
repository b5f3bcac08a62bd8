"""What stops or spoils the work of DVC in this folder, and what mends it."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.error import YAMLError

from pipeline.core import layout
from pipeline.core.errors import PipelineError, listed
from pipeline.core.files import md5
from pipeline.core.params import load_params
from pipeline.core.yaml import load_yaml

LOCK = Path("dvc.lock")
GUARD = Path(".dvc/guard.py")
RWLOCK = Path(".dvc/tmp/rwlock")
CACHE = Path(".dvc/cache/files/md5")
RECEIPTS = {layout.RECEIPT}
NOT_OURS = {".git", ".venv", "cache", "mlartifacts", "raw"}


class Output(NamedTuple):
    """A file that a stage has made, as dvc.lock or DVC's list of a folder records it."""

    stage: str
    path: Path
    digest: str


def doctor() -> str:
    """Look for what a killed command, a hand or another program has left.

    Raises
    ------
    PipelineError
        When something is found: what, and what mends it, one a line.
    """
    found = [*_dvc(), *_processes(), *_rwlock(), *_lock(), *_parts(), *_waiting()]
    findings = [*found, *_params()]
    if findings:
        raise PipelineError(listed(findings))
    return "nothing found that stops or spoils work"


def _dvc() -> Iterator[str]:
    found = shutil.which("dvc")
    if not GUARD.is_file():
        yield f"{GUARD} is missing: go to the folder of dvc.yaml, or `git checkout {GUARD}`"
    elif found is None or Path(found).read_bytes() != GUARD.read_bytes():
        yield (
            f"dvc is {found or 'not on the PATH'}, expected a copy of {GUARD}, which mends what a "
            "killed dvc leaves: run `make setup`, then `source .venv/bin/activate`"
        )


def _processes() -> Iterator[str]:
    """Stages without a dvc above them, and a dvc that is stopped and keeps the others out."""
    here = Path.cwd()
    for process in _running():
        variables = dict(
            line.split(b"=", 1) for line in _read(process, "environ").split(b"\0") if b"=" in line
        )
        works_here = variables.get(b"DVC_ROOT") == os.fsencode(here)
        if works_here and b"DVC_STAGE" in variables and not any(map(_is_dvc, _above(process))):
            stage = os.fsdecode(variables[b"DVC_STAGE"])
            yield f"process {process} still runs stage {stage}, but its dvc is gone: kill {process}"
        if _is_dvc(process) and _is_stopped_in(here, process):
            yield (
                f"dvc, process {process}, is stopped and keeps others out: `fg` in its terminal, "
                f"or kill -9 {process}"
            )


def _rwlock() -> Iterator[str]:
    """DVC's note of who works on what; one with dead processes is mended by DVC itself."""
    try:
        noted = json.loads(RWLOCK.read_bytes())
        entries = [entry for infos in noted.get("read", {}).values() for entry in infos]
        entries += noted.get("write", {}).values()
        processes = {entry["pid"] for entry in entries}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield f"{RWLOCK} is damaged, and dvc will not start: rm {RWLOCK}"
        return
    for process in sorted(processes & _running()):
        if not _is_dvc(process):
            yield (
                f"{RWLOCK} names process {process}, which is no dvc; it was left by a dvc that was "
                f"killed: rm {RWLOCK}"
            )


def _lock() -> Iterator[str]:
    try:
        text = LOCK.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            raise ValueError("cut short where what is left can be read")
        stages = load_yaml(text)["stages"]
        outputs = [
            Output(stage, Path(out["path"]), _digest(out["md5"]))
            for stage, made in stages.items()
            for out in made.get("outs", [])
        ]
    except (OSError, ValueError, YAMLError, KeyError, TypeError, AttributeError):
        yield f"{LOCK} is damaged or cut short: git checkout {LOCK}, then dvc repro"
        return
    for output in _files(outputs):
        cached = CACHE / output.digest[:2] / output.digest[2:]
        if cached.is_file() and f"{md5(cached)}{cached.suffix}" != output.digest:
            yield (
                f"{cached}, DVC's copy of {output.path}, is damaged: "
                f"rm -f {cached}, then dvc repro -f -s {output.stage}"
            )
        if output.path in RECEIPTS:  # of this workspace; `dvc checkout` cannot bring them back
            continue
        if output.path.is_file() and md5(output.path) != output.digest:
            yield (
                f"{output.path} is not what {LOCK} records: "
                f"`dvc repro` makes it anew, and whatever changed it is lost"
            )


def _files(outputs: list[Output]) -> Iterator[Output]:
    """The outputs, and after a folder its files, as DVC's list of it has them."""
    for output in outputs:
        yield output
        if output.digest.endswith(".dir"):
            # a damaged one is found by its own md5
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                listing = json.loads((CACHE / output.digest[:2] / output.digest[2:]).read_bytes())
                files = [(Path(file["relpath"]), _digest(file["md5"])) for file in listing]
                yield from (Output(output.stage, output.path / path, md5) for path, md5 in files)


def _digest(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError(f"expected an md5, got {found!r}")
    return found


def _parts() -> Iterator[str]:
    """Files that a killed process has begun."""
    for folder, below, names in os.walk("."):
        below[:] = sorted(set(below) - NOT_OURS)
        for name in names:
            words = name.split(".")
            if name.startswith(".") and ".part" in name and len(words) > 3:
                path = Path(folder, name)
                process = words[-2]
                if process.isdecimal() and int(process) not in _running():
                    yield f"{path} was begun by a process that was killed: rm '{path}'"


def _waiting() -> Iterator[str]:
    number = len(list(layout.UNPUBLISHED.glob("*.json")))
    if number:
        yield (
            f"{number} results wait in {layout.UNPUBLISHED} because MLflow could not take them: "
            "python -m pipeline sync"
        )


def _params() -> Iterator[str]:
    """Faults of params.yaml, which dvc may not have come to yet."""
    try:
        load_params()
    except PipelineError as error:
        yield str(error)


def _running() -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*")}


def _above(process: int) -> Iterator[int]:
    """The parent of a process, its parent, and so on."""
    with contextlib.suppress(OSError):
        while (process := int(_stat(process)[1])) > 0:
            yield process


def _stat(process: int) -> list[str]:
    """State, parent and more; the name before them may hold spaces."""
    return _read(process, "stat").decode(errors="replace").rpartition(")")[2].split()


def _is_dvc(process: int) -> bool:
    """Whether its command begins with dvc, or python and dvc, or python -m dvc."""
    words = _read(process, "cmdline").split(b"\0")[:3]
    return any(word.rpartition(b"/")[2] == b"dvc" for word in words)


def _is_stopped_in(folder: Path, process: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{process}/cwd").readlink() == folder and _stat(process)[0] == "T"
    return False


def _read(process: int, name: str) -> bytes:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        return Path(f"/proc/{process}/{name}").read_bytes()
    return b""
