"""The commands that bring a run back: those alone that work here and now."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.commands.runs.find import DIFF, Found
from pipeline.tracking.committed import committed_params, committed_scores, git, given_params

REPRO = "dvc repro"


@dataclass(frozen=True)
class Way:
    """Commands to type, one after the other, and what to know of them."""

    commands: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Experiment(NamedTuple):
    """A DVC experiment that is in git."""

    name: str
    baseline: str
    ref: str


def way_back(run: Found) -> Way:
    """How to get the files of a run again, by the surest way.

    The experiment, if git still has it; else a commit that has the run's scores or was clean; else
    the commit and the run's uncommitted changes.
    """
    head = git("rev-parse", "--verify", "-q", "HEAD")
    if head is None:
        return Way(remarks=["There is no git repository here, or no git: nothing to check out."])
    way = _way(run, head.strip())
    # At this very commit what stages made is made again; a checkout stops at it.
    here = ["--", ".", ":(exclude)dvc.lock", ":(exclude)metrics"] if way.commands == [REPRO] else []
    if way.commands and git("status", "--porcelain", "--untracked-files=no", *here):
        way.remarks.append(
            "Files here have uncommitted changes, which would be overwritten or in the way: first "
            "`git stash`, or commit them and ask again."
        )
    return way


def known(commit: str) -> bool:
    """Whether git has a commit."""
    return git("cat-file", "-e", f"{commit}^{{commit}}") is not None


def dvc_experiments() -> list[Experiment]:
    """Every DVC experiment in git; `dvc exp list` takes seconds for it."""
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps") or ""
    found = re.finditer("(?m)^refs/exps/(..)/([0-9a-f]{38,62})/(.+)$", refs)
    return [Experiment(m[3], m[1] + m[2], m[0]) for m in found]


def _way(run: Found, head: str) -> Way:
    commits = [commit for commit in run.commits if known(commit)]
    experiments = [e for e in dvc_experiments() if e.name in run.experiments]
    there = [e for e in experiments if _agrees(e.ref, run) is not False]
    others = [e.name for e in experiments if e not in there]
    remarks = [f"Experiment {name} is of other params or scores by now." for name in others]
    if there:
        one = min(there, key=lambda e: e.baseline != head)
        apply = f"dvc exp apply {shlex.quote(one.name)}"
        return Way([*_checkout(one.baseline, head), apply], remarks)
    for commit in commits:
        if _agrees(commit, run) or (run.dirty is False and commit == run.commits[0]):
            return Way([*_checkout(commit, head), REPRO], remarks)
    if lost := _lost(run, commits):
        return Way([], [*remarks, lost])
    commands = [
        *_checkout(commits[0], head),
        f"mlflow artifacts download -r {run.id} -a {DIFF} -d .",
        f"git apply {DIFF} && rm {DIFF}",
        REPRO,
    ]
    return Way(commands, remarks)


def _lost(run: Found, commits: list[str]) -> str | None:
    """What keeps the first commit and the run's changes from bringing it back."""
    if not run.commits:
        return "The run names no commit."
    first = run.commits[0]
    if first not in commits:
        missing = ", ".join(commit for commit in run.commits if commit not in commits)
        return f"Not in this repository: commit {missing}."
    if run.dirty is None:
        return f"Whether there were changes to {first} was not recorded; it has no such scores."
    if not run.changes_kept:
        why = "are not kept whole" if run.changes else f"are not in the store ({DIFF})"
        return f"It was made with changes to {first}, which {why}."
    return None


def _checkout(commit: str, head: str) -> Iterator[str]:
    if commit != head:
        yield f"git checkout {commit}"


def _agrees(ref: str, run: Found) -> bool | None:
    """Whether a commit has the params and scores of a run; None where that cannot be told."""
    params = committed_params(ref)
    scores = committed_scores(ref, run.dataset).get(run.model_name)
    if params is None or not scores:
        return None
    given = given_params(run.dataset, run.model_name, params)
    same_params = all(str(given.get(k, v)) == v for k, v in run.params.items())
    both = [name for name in scores if name in run.metrics]
    if same_params and not both:
        return None  # of a training that failed MLflow has no scores
    return same_params and all(scores[name] == run.metrics[name] for name in both)
