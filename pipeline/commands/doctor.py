"""Look for what stops or spoils work, and say what mends it.

What killed commands leave (locks, dvc.lock cut short, begun files, processes), damaged files of
DVC's cache, outputs that something else has changed, results that wait for MLflow, that it does not
have, or does not find since the folder was moved, faults of params.yaml. Says, too, when every
stage has to import its libraries anew.

Reads .dvc, dvc.lock, params.yaml, the outputs, the list of processes and MLflow. Changes nothing,
but with --mend a lock of DVC's that was left, a dvc.lock that was cut short (every stage that is
whole in it is kept, for the others the committed ones are taken), files that were begun, and where
mlflow.db looks for artifacts.
Exit codes: 0 nothing found, or all mended; 2 something is left.
"""

import contextlib
import fcntl
import json
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import psutil

from pipeline.core import layout
from pipeline.core.dvc_lock import LOCK, mended, outputs, whole, with_files
from pipeline.core.errors import PipelineError, listed
from pipeline.core.files import md5, write_text
from pipeline.core.params import load_params
from pipeline.core.preload import is_dvc, unavailable
from pipeline.core.run import say
from pipeline.core.store.connection import StoreError, main_repository
from pipeline.core.store.moved import follow, moved_from
from pipeline.params import absent
from pipeline.tracking.committed import git
from pipeline.tracking.stage import missing_from_store

TEMPORARY = Path(".dvc/tmp")
RWLOCK = TEMPORARY / "rwlock"
NOT_OURS = {".git", ".venv", "cache", "mlartifacts", "raw"}
BEGUN = re.compile(r"\..+\.(\d+)\.part[^.]*")  # of sqlite's journal, too
EMPTY = "schema: '2.0'\nstages: {}\n"
MEND = "python -m pipeline doctor --mend, then dvc repro"


class Finding(NamedTuple):
    """What is wrong, with what mends it; or a function that does, and `doctor --mend` calls it."""

    text: str
    mend: Callable[[], None] | None = None

    def __str__(self) -> str:
        return f"{self.text}: {MEND}" if self.mend else self.text


def doctor(mend: bool = False) -> Iterator[str]:
    """Look for what a killed command, a hand or another program has left.

    Parameters
    ----------
    mend : bool
        Mend a note of DVC's that keeps it out, a dvc.lock that was cut short, begun files, and the
        paths of a store that was moved.

    Yields
    ------
    line : str
        What was mended, and a note where stages run slower than they could; that all is well.

    Raises
    ------
    PipelineError
        When something is found and not mended: what, and what mends it, one a line.
    """
    if reason := unavailable():
        yield f"note: every stage imports its libraries anew, which is slower: {reason}"
    left = []
    looks = _processes(), of_dvc(), _outputs(), _parts(), _waiting(), _store(), _params()
    for finding in chain.from_iterable(looks):
        if mend and finding.mend:
            finding.mend()
            yield f"mended: {finding.text}"
        else:
            left.append(str(finding))
    if left:
        raise PipelineError(listed(left))
    yield "nothing found that stops or spoils work"


def of_dvc() -> Iterator[Finding]:
    """Find DVC's own files that keep it out, or that it takes for others, after a kill."""
    yield from _rwlock()
    if not whole():
        what = "damaged or cut short" if LOCK.exists() else "missing"
        yield Finding(f"{LOCK} is {what}", _mend_lock)


def _processes() -> Iterator[Finding]:
    """Stages without a dvc above them, and a dvc that is stopped and keeps the others out."""
    here = str(Path.cwd())
    for process in psutil.process_iter(["cwd", "environ", "status"]):
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            variables = process.info["environ"] or {}
            works_here = variables.get("DVC_ROOT") == here and "DVC_STAGE" in variables
            if works_here and not any(is_dvc(above.pid) for above in process.parents()):
                yield Finding(
                    f"process {process.pid} still runs stage {variables['DVC_STAGE']}, but its "
                    f"dvc is gone: kill {process.pid}"
                )
            stopped = process.info["status"] == psutil.STATUS_STOPPED
            if stopped and process.info["cwd"] == here and is_dvc(process.pid):
                yield Finding(
                    f"dvc, process {process.pid}, is stopped and keeps others out: `fg` in its "
                    f"terminal, or kill -9 {process.pid}"
                )


def _rwlock() -> Iterator[Finding]:
    """Look at DVC's note of who works on what; one with dead processes is mended by DVC itself."""
    try:
        noted = json.loads(RWLOCK.read_bytes())
        entries = [*noted.get("write", {}).values(), *chain(*noted.get("read", {}).values())]
        processes = {entry["pid"] for entry in entries}
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        yield Finding(f"{RWLOCK} is damaged, and dvc will not start", _mend_rwlock)
        return
    strangers = [pid for pid in psutil.pids() if pid in processes and not is_dvc(pid)]
    if strangers:
        yield Finding(
            f"{RWLOCK} names process {strangers[0]}, which is no dvc; it was left by a dvc that "
            "was killed",
            _mend_rwlock,
        )


def _mend_rwlock() -> None:
    """Remove the note, unless a dvc, which holds rwlock.lock while it writes, has made it whole."""
    with Path(f"{RWLOCK}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if [*_rwlock()]:
            RWLOCK.unlink()


def _mend_lock() -> None:
    """Put together dvc.lock from the committed one and what is whole in the one that was cut."""
    with (TEMPORARY / "lock").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PipelineError(f"{LOCK}: a dvc is at work on it; try again when it ends") from None
        cut = LOCK.read_text(encoding="utf-8", errors="replace") if LOCK.exists() else ""
        committed = git("show", f"HEAD:./{LOCK}") or EMPTY
        write_text(LOCK, mended(cut, committed))
        if not whole():
            write_text(LOCK, committed)


def _outputs() -> Iterator[Finding]:
    """Compare the outputs, and DVC's copies of them, with dvc.lock."""
    for output in with_files(outputs()) if whole() else ():
        cached = output.cached
        if cached.is_file() and f"{md5(cached)}{cached.suffix}" != output.md5:
            yield Finding(
                f"{cached}, DVC's copy of {output.path}, is damaged: "
                f"rm -f {cached}, then dvc repro -f -s {output.stage}"
            )
        # `dvc checkout` cannot bring back the receipt, which is of this folder
        receipt = output.path == layout.RECEIPT
        if not receipt and output.path.is_file() and md5(output.path) != output.md5:
            yield Finding(
                f"{output.path} is not what {LOCK} records: "
                f"`dvc repro` makes it anew, and whatever changed it is lost"
            )


def _parts() -> Iterator[Finding]:
    """Look for files that a killed process has begun; git and DVC ignore them."""
    for folder, below, names in os.walk("."):
        below[:] = sorted(set(below) - NOT_OURS)
        for begun in filter(None, map(BEGUN.fullmatch, names)):
            if not psutil.pid_exists(int(begun[1])):
                path = Path(folder, begun[0])
                what = f"{path} was begun by a process that was killed"
                yield Finding(what, partial(path.unlink, missing_ok=True))


def _waiting() -> Iterator[Finding]:
    if number := len([*layout.UNPUBLISHED.glob("*.json")]):
        yield Finding(
            f"{number} results wait in {layout.UNPUBLISHED} because MLflow could not take them: "
            "python -m pipeline sync"
        )


def _store() -> Iterator[Finding]:
    root = main_repository()
    if old := moved_from(root):
        what = f"mlflow.db says that artifacts lie in {old}, which is gone: this folder was moved"
        yield Finding(what, partial(follow, root, old))
    try:
        missing = missing_from_store()
    except StoreError as error:
        yield Finding(f"{error}. The results of this folder are on disk")
        return
    if missing:
        yield Finding(
            f"MLflow does not have {missing} of the results of this folder: python -m pipeline sync"
        )


def _params() -> Iterator[Finding]:
    try:
        yield from map(Finding, absent(load_params()))
    except PipelineError as error:
        yield Finding(str(error))


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `doctor`."""
    mend = "mend what was cut short or left, and the paths of a store that was moved"
    parser.add_argument("--mend", action="store_true", help=mend)


def run(options: Namespace) -> None:
    """Run the command."""
    for text in doctor(options.mend):
        say(text)
