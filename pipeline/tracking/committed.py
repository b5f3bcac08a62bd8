"""What git has of params.yaml, and how a run's settings differ from it."""

import json
import os
import subprocess
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import Params, parse_params
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.descent import Descent
from pipeline.core.settings.network import settings_form
from pipeline.core.trainers import TRAINERS, Value

# Of all settings those that change a run and are no params of its trainer.
JUDGING = {"seed", "cross_validation", "intervals"}


def git(*arguments: str, allowed: Collection[int] = (0,)) -> str | None:
    """Run a git command.

    Parameters
    ----------
    *arguments : str
        The command, without `git`; no shell reads it.
    allowed : collection of int
        The exit codes of a success: a diff that finds something may end with 1.

    Returns
    -------
    printed : str or None
        All that it prints, unstripped, with its line ends and with bytes that are no UTF-8 as
        surrogates: a diff must apply again. None where it fails or there is no git.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except OSError:
        return None
    if done.returncode not in allowed:
        return None
    return done.stdout.decode("utf-8", "surrogateescape")


def base_revision() -> str:
    """Name the commit that the work starts from: that of a DVC experiment, or else HEAD."""
    return os.environ.get("DVC_EXP_BASELINE_REV") or "HEAD"


def base_commit() -> str:
    """Give the full hash of that commit; "" outside git, and before the first commit."""
    return (git("rev-parse", "--verify", "-q", base_revision()) or "").strip()


def committed_params(commit: str = "HEAD") -> Params | None:
    """Read the params.yaml of a commit.

    Parameters
    ----------
    commit : str
        Whatever git takes for one; it is never read as an option.

    Returns
    -------
    params : Params or None
        None outside git, where the commit has no such file, and where this code would refuse it,
        because it has the form of another version.
    """
    where = f"{commit}:./{layout.PARAMS}"  # ./: dvc.yaml may lie in a folder of the repository
    text = git("show", "--end-of-options", where)
    try:
        return None if text is None else parse_params(text, where)
    except PipelineError:
        return None


def committed_scores(commit: str, dataset: str) -> dict[str, dict[str, float | None]]:
    """Read the scores that a commit has of a dataset, by model; none where it has no such file."""
    text = git("show", "--end-of-options", f"{commit}:./{layout.metrics(dataset)}")
    try:
        content = json.loads(text or "")
    except ValueError:
        return {}
    blocks = content.items() if isinstance(content, dict) else ()
    return {model: scores for model, scores in blocks if isinstance(scores, dict)}


def given_params(
    dataset: str, name: str, committed: Params, network: bool = False
) -> dict[str, Value]:
    """Give what a params.yaml says of a model.

    Returns
    -------
    params : dict
        Every param of a descent: what the model's line sets, and else the value at the top, or in
        the block of networks. Of an estimator of scikit-learn what its line sets.
    """
    line = committed.models.lines.get(f"{dataset}-{name}")
    if line and TRAINERS[line.trainer].form == "sklearn":
        return committed.model_of(dataset, name).params
    descent = committed.descent(line) if line else committed
    form = settings_form(line.trainer) if line else Descent
    of_block = committed.network.model_dump() if network and not line else {}
    return {name: getattr(descent, name) for name in form.model_fields} | of_block


def settings_of(dataset: str, params: Mapping[str, Value], of: Params) -> dict[str, Value]:
    """Give all that made a model, and all that it is judged by.

    Parameters
    ----------
    dataset : str
    params : dict
        The params of its trainer.
    of : Params
        For the rest: how rows are drawn, cut and judged.

    Returns
    -------
    settings : dict
        Keys are those of params.yaml, without the names of the dataset and its blocks: `lr`,
        `test_size`, `make_regression.noise`, `cross_validation.repeats`. Of a seed of the model's
        own that one.
    """
    others = dict(_leaves(of.model_dump(include=JUDGING)))
    if dataset in of.datasets:
        others |= _of_dataset(of.datasets[dataset])
    return dict(params) | {key: value for key, value in others.items() if key not in params}


def differing(
    dataset: str, name: str, settings: Mapping[str, Value], committed: Params | None
) -> dict[str, Value]:
    """Tell which of a model's settings the committed file does not have.

    Parameters
    ----------
    dataset, name : str
        Those of the model.
    settings : dict
        As `settings_of` gives them.
    committed : Params or None
        None where there is nothing to differ from. Of a dataset that it does not have the block is
        no difference.
    """
    if committed is None:
        return {}
    before = settings_of(
        dataset, given_params(dataset, name, committed, "hidden" in settings), committed
    )
    known = dataset in committed.datasets
    return {
        key: value
        for key, value in settings.items()
        if before.get(key) != value and (known or key in before or key == "hidden")
    }


def _of_dataset(dataset: Dataset) -> Iterator[tuple[str, Value]]:
    """Those of a dataset, without the names of its blocks; the metric changes no run."""
    content = dataset.model_dump(exclude={"evaluate": {"metric"}})
    blocks = [content.pop(name) for name in ("ingest", "split", "evaluate")]
    for block in (content, *blocks):
        yield from _leaves(block)


def _leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Value]]:
    """Give settings with their path: ("make_regression.noise", 20.0).

    >>> dict(_leaves({"threshold": {"recall": "benign"}, "classes": ["a", "b"], "positive": None}))
    {'threshold.recall': 'benign', 'classes': 'a/b', 'positive': 'none'}
    """
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        elif isinstance(value, list):
            yield path + key, "/".join(value)
        else:
            yield path + key, "none" if value is None else value
