"""Inputs that change while a stage runs: DVC hashes them afterwards, and records the new ones."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import PipelineError
from pipeline.core.layout import PARAMS

State = tuple[int, int, int] | None


@contextlib.contextmanager
def params_unchanged(dataset: str | None) -> Iterator[None]:
    """Refuse when params.yaml says something else after the block; of other datasets it may.

    Raises
    ------
    PipelineError
        dvc.lock would call the outputs results of the new values, and the next `dvc repro` call
        them up to date.
    """
    before = _text()
    yield
    after = _text()
    if before != after and _values(before, dataset) != _values(after, dataset):
        raise PipelineError(
            f"{PARAMS} was changed while this ran; what it made is of the values before. "
            "Run `dvc repro` again"
        )


def state(path: Path) -> State:
    """Which file it is, its size and its time; None where there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


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


def _text() -> str:
    return PARAMS.read_text(encoding="utf-8") if PARAMS.exists() else ""


def _values(text: str, dataset: str | None) -> Any:
    from ruamel.yaml.error import YAMLError

    from pipeline.core.yaml import load_yaml

    try:
        values = load_yaml(text)
        if dataset is not None:
            values["datasets"] = values["datasets"].get(dataset)
    except (YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return text  # half an edit is a change
    return values
