"""What git has of params.yaml, and how a run's settings differ from it."""

import os
import subprocess
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import (
    Dataset,
    Descent,
    Evaluate,
    Ingest,
    Params,
    Settings,
    SplitRows,
    parse_params,
)

if TYPE_CHECKING:
    from pipeline.core.trainers import Value  # which imports numpy

# Of all settings those that change a run and are no params of its trainer.
JUDGING = {"seed", "cross_validation", "intervals"}


def git(*arguments: str, allowed: Collection[int] = (0,)) -> str | None:
    """What a git command prints, unstripped; None where it fails or there is no git.

    `allowed` are the exit codes of a success: a diff that finds something may end with 1.

    Line ends and bytes that are no UTF-8 (as surrogates) are kept: a diff must apply again.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError:
        return None
    if done.returncode not in allowed:
        return None
    return done.stdout.decode("utf-8", "surrogateescape")


def baseline() -> str:
    """The commit that the work starts from: DVC's baseline within an experiment, else HEAD."""
    return os.environ.get("DVC_EXP_BASELINE_REV") or "HEAD"


def committed_params(commit: str = "HEAD") -> Params | None:
    """The params.yaml of a commit; None outside git, or where this code would refuse it."""
    where = f"{commit}:./{layout.PARAMS}"  # ./: dvc.yaml may lie in a folder of the repository
    text = git("show", "--end-of-options", where)
    try:
        return None if text is None else parse_params(text, where)
    except PipelineError:
        return None


def given_params(dataset: str, name: str, committed: Params) -> dict[str, "Value"]:
    """What a file gives a model; its top-level values where it has no line of it."""
    line = committed.models.lines.get(f"{dataset}-{name}")
    descent = committed.descent(line) if line else committed
    return {name: getattr(descent, name) for name in Descent.model_fields}


def differing(
    dataset: str, name: str, params: Mapping[str, "Value"], now: Params, committed: Params | None
) -> dict[str, "Value"]:
    """What made a model, and what it is judged by, that the committed file has not.

    Keys are those of params.yaml, without the dataset's name: `lr`, `test_size`,
    `make_regression.noise`, `cross_validation.repeats`.

    Parameters
    ----------
    params : dict
        Those of the trainer.
    now : Params
        For the rest: how rows are drawn, cut and judged.
    """
    if committed is None:
        return {}
    given = given_params(dataset, name, committed)
    of_trainer = {k: v for k, v in params.items() if v != given.get(k)}
    before, after = (dict(_leaves(of, JUDGING)) for of in (committed, now))
    if dataset in committed.datasets:
        before |= dict(_of_dataset(committed.datasets[dataset]))
        after |= dict(_of_dataset(now.datasets[dataset]))
    return of_trainer | {k: v for k, v in after.items() if before.get(k) != v}


def _of_dataset(dataset: Dataset) -> Iterator[tuple[str, "Value"]]:
    """Those of a dataset, without the names of its blocks; the metric changes no run."""
    yield from _leaves(dataset, {"task", "target"})
    yield from _leaves(dataset.ingest, Ingest.model_fields)
    yield from _leaves(dataset.split, SplitRows.model_fields)
    yield from _leaves(dataset.evaluate, Evaluate.model_fields.keys() - {"metric"})


def _leaves(settings: Settings, keys: Collection[str]) -> Iterator[tuple[str, "Value"]]:
    """Settings with their path: ("make_regression.noise", 20.0)."""
    for key, value in settings.model_dump(include=set(keys)).items():
        if isinstance(value, dict):
            yield from ((f"{key}.{inner}", of) for inner, of in value.items())
        else:
            yield key, _shown(value)


def _shown(value: "Value | list[str] | None") -> "Value":
    if value is None:
        return "none"
    return "/".join(value) if isinstance(value, list) else value
