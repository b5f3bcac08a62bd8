"""What became of each model that was made anew: the last lines of `dvc repro` and `dvc exp run`."""

import os
from collections.abc import Iterator, Mapping

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.core import layout
from pipeline.core.checked_inputs import checksum
from pipeline.core.dvc_lock import LOCK, outputs
from pipeline.core.files import write_json
from pipeline.core.params import Params
from pipeline.core.settings.block import Settings
from pipeline.core.trainers import Value
from pipeline.tracking.committed import (
    base_revision,
    committed_params,
    committed_scores,
    settings_of,
)


class Outcome(Settings):
    """What data/tracked.json, the receipt, holds of a model; another content reruns track.

    Attributes
    ----------
    fingerprint : str
        Of the result, as in MLflow; empty where a commit is all that is known.
    standing : list of str
        The verdict on it and its place in the registry.
    score : str
        Of held-out rows: `loo_mse`.
    value : float or None
    settings : dict
        What it was made and judged by; keys are those of params.yaml.
    remark : str
        How its training failed or did not come to an end; empty where all is well.
    """

    fingerprint: str = ""
    standing: list[str] = Field(default_factory=list)
    score: str
    value: float | None
    settings: dict[str, bool | Value]
    remark: str = ""


def outcomes_before(now: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """What stood here before the command that runs.

    The last receipt; or, where `git checkout` has gone back behind it, and in an experiment beside
    the workspace, what the commit has.

    Parameters
    ----------
    now : mapping
        The outcomes of today: those of whose models are wanted.
    """
    beside = "DVC_EXP_BASELINE_REV" in os.environ and not layout.RECEIPT.exists()
    if not beside and not _is_stale():
        return last_outcomes()
    params = committed_params(base_revision())
    return dict(_of_commit(params, now)) if params else {}


def _is_stale() -> bool:
    """Whether the receipt is of another state than dvc.lock."""
    if not (LOCK.exists() and layout.RECEIPT.is_file()):
        return False
    recorded = {output.path: output.md5 for output in outputs()}.get(layout.RECEIPT)
    return checksum(layout.RECEIPT) != recorded


def _of_commit(params: Params, now: Mapping[str, Outcome]) -> Iterator[tuple[str, Outcome]]:
    for name, one in now.items():
        dataset, _, model = name.partition(" ")
        scores = committed_scores(base_revision(), dataset).get(model)
        if scores and dataset in params.datasets and model in params.models_of(dataset):
            settings = settings_of(dataset, params.model_of(dataset, model).params, params)
            value = scores.get(one.score)
            yield name, Outcome(score=one.score, value=value, settings=settings)


def last_outcomes() -> dict[str, Outcome]:
    """Read the last receipt, by `DATASET MODEL`; without one that this code can read, nothing."""
    try:
        text = layout.RECEIPT.read_bytes()
        return TypeAdapter(dict[str, Outcome]).validate_json(text)
    except (OSError, ValidationError):
        return {}


def write_outcomes(outcomes: Mapping[str, Outcome]) -> None:
    """Write the receipt.

    Raises
    ------
    PipelineError
        When the disk refuses.
    """
    write_json(layout.RECEIPT, {name: one.model_dump() for name, one in outcomes.items()})


def changes(before: Mapping[str, Outcome], after: Mapping[str, Outcome]) -> Iterator[str]:
    """Say of every model whose result is another what its score was and is, and what changed.

    Yields
    ------
    line : str
        `house manual_gd: loo mse 149.9 -> 1011 (lr 0.1 -> 0.01)`
    """
    for name, one in after.items():
        last = before.get(name)
        if last is None or not _same(last, one):
            yield _line(name, last, one)


def _same(last: Outcome, one: Outcome) -> bool:
    if last.fingerprint:
        return last.fingerprint == one.fingerprint
    return (last.value, last.settings) == (one.value, one.settings)


def _line(name: str, last: Outcome | None, one: Outcome) -> str:
    score = _arrow(last.value if last and last.score == one.score else None, one.value)
    settings = last.settings if last else one.settings
    changed = [
        f"{key} {_arrow(settings.get(key), value)}"
        for key, value in one.settings.items()
        if settings.get(key) != value
    ]
    because = f" ({', '.join(changed)})" if changed else ""
    remark = f"; {one.remark}" if one.remark else ""
    return f"{name}: {one.score.replace('_', ' ', 1)} {score}{because}{remark}"


def _arrow(before: bool | Value | None, after: bool | Value | None) -> str:
    return _shown(after) if before is None else f"{_shown(before)} -> {_shown(after)}"


def _shown(value: bool | Value | None) -> str:
    """A number with four digits.

    >>> _shown(149.8961), _shown(100), _shown("adam"), _shown(None)
    ('149.9', '100', 'adam', '-')
    """
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
