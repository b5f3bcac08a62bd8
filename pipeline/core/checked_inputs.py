"""Inputs that are not what they should be: altered since a stage made them, or changed meanwhile.

DVC takes a read-only file of its cache for whole: it checks out one that was altered there, and
`dvc repro` calls it up to date. So each stage compares the files that it reads with dvc.lock. DVC
computes checksums of inputs when a stage has ended: what was edited meanwhile would be recorded as
what the stage has read.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from pipeline.core.dvc_lock import LOCK, made_of, outputs, with_files
from pipeline.core.errors import PipelineError
from pipeline.core.layout import PARAMS
from pipeline.core.text import load_yaml

State = tuple[int, int, int] | None
FRESH = 100_000_000  # ns; a file system's clock may not tell two writes apart that are nearer


def state(path: Path) -> State:
    """Give the file's inode, its size in bytes and its time in ns; None where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def checksum(path: Path) -> str:
    """Compute the MD5 by which DVC knows a file, once for each of its states in this process.

    A file that was written just now is read again each time, since its next state may look the
    same (git treats its index so).

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    found = state(path)
    if found is None or abs(time.time_ns() - found[2]) < FRESH:
        return _md5(path)
    return _remembered(path.absolute(), found)


def refuse_altered(path: Path) -> None:
    """Compare a file that another stage wrote with what dvc.lock records of it.

    Does nothing outside `dvc repro`, where a stage that was run by hand may have written it.

    Raises
    ------
    PipelineError
        When the file is another; says what removes it from DVC's cache, too.
    """
    if "DVC_STAGE" not in os.environ:
        return
    recorded = _recorded(LOCK.absolute(), state(LOCK))
    if path not in recorded and path.parent in recorded:  # DVC's list of it is in another cache
        path = path.parent
    expected = recorded.get(path)
    if expected and (found := _found(path)) not in ("", expected):
        cached = f"{os.environ['DVC_ROOT']}/.dvc/cache/files/md5/{expected[:2]}/{expected[2:]}"
        raise PipelineError(
            f"{path}: has md5 {found}, and dvc.lock says {expected}: it was altered, here or in "
            f"DVC's cache; `rm -f '{path}' '{cached}'`, then `dvc repro` makes it again"
        )


def known_as_made_of(made: Path, source: Path) -> bool:
    """Whether dvc.lock says that a stage made an output of a source as it is recorded now.

    What `refuse_altered` lets pass of both then belongs together. Outside `dvc repro` nothing is
    known.
    """
    return "DVC_STAGE" in os.environ and made_of(made, source)


def refuse_changed(path: Path, before: State) -> None:
    """Refuse a file whose state is another than before it was read.

    Raises
    ------
    PipelineError
        What was read may be half of the one and half of the other.
    """
    if state(path) != before:
        raise PipelineError(
            f"{path}: was changed while it was read; run again once nobody writes to it"
        )


@contextlib.contextmanager
def params_unchanged(dataset: str | None = None) -> Iterator[None]:
    """Refuse when params.yaml says something else after the block; of other datasets it may.

    Raises
    ------
    PipelineError
        dvc.lock would call the outputs results of the new values, and the next `dvc repro` would
        call them up to date.
    """
    before = _text()
    yield
    after = _text()
    if before != after and _values(before, dataset) != _values(after, dataset):
        raise PipelineError(
            f"{PARAMS} was changed while this ran; what it made is of the values before. "
            "Run `dvc repro` again"
        )


def _text() -> str:
    return PARAMS.read_text(encoding="utf-8") if PARAMS.exists() else ""


def _values(text: str, dataset: str | None) -> Any:
    """What concerns a dataset; the text where it cannot be read, since half an edit is a change."""
    try:
        values = load_yaml(text)
        if dataset is not None:
            values["datasets"] = values["datasets"].get(dataset)
            values["models"] = [
                (name, model)
                for family in values["models"].values()
                for name, model in family.items()
                if model["dataset"] == dataset
            ]
    except (YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return text
    return values


def _found(path: Path) -> str:
    """The checksum that DVC gives a file, or a folder: of the list of its files; "" for neither."""
    if not path.is_dir():
        return checksum(path) if path.is_file() else ""
    files = [file for file in path.rglob("*") if file.is_file() and file.name[0] != "."]
    found = [{"md5": checksum(file), "relpath": str(file.relative_to(path))} for file in files]
    listing = json.dumps(sorted(found, key=itemgetter("relpath")), sort_keys=True)
    return hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@lru_cache
def _remembered(path: Path, state: State) -> str:
    return _md5(path)


@lru_cache
def _recorded(lock: Path, state: State) -> Mapping[Path, str]:
    """The checksums that dvc.lock and DVC's lists of folders have; none where it cannot be read."""
    with contextlib.suppress(PipelineError):
        found = with_files(outputs(lock), Path(os.environ["DVC_ROOT"]))
        return {output.path: output.md5 for output in found}
    return {}
