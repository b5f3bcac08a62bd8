"""The commands that bring a run back: those alone that work here and now."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.commands.runs.find import DIFF, Found
from pipeline.core import layout
from pipeline.tracking.committed import committed_params, git, given_params

REPRO = "dvc repro"


@dataclass(frozen=True)
class Way:
    """Commands to type, one after the other, and what to know of them."""

    commands: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Experiment:
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
        in_the_way = (
            "Files here have uncommitted changes, which would be overwritten or in the way: first "
            "`git stash`, or commit them and ask again."
        )
        return Way(way.commands, [*way.remarks, in_the_way])
    return way


def known(commit: str) -> bool:
    """Whether git has a commit."""
    return git("cat-file", "-e", f"{commit}^{{commit}}") is not None


def dvc_experiments() -> list[Experiment]:
    """Every DVC experiment in git; `dvc exp list` takes seconds for it."""
    refs = git("for-each-ref", "--format=%(refname)", "refs/exps") or ""
    parts = [
        (ref, re.fullmatch("refs/exps/(..)/([0-9a-f]{38,62})/(.+)", ref)) for ref in refs.split()
    ]
    return [Experiment(m[3], m[1] + m[2], ref) for ref, m in parts if m]


def _way(run: Found, head: str) -> Way:
    commits = [commit for commit in run.commits if known(commit)]
    experiments = [e for e in dvc_experiments() if e.name in run.experiments]
    there = [e for e in experiments if _agrees(e.ref, run) is not False]
    remarks = [
        f"Experiment {e.name} is of other params or scores by now."
        for e in experiments
        if e not in there
    ]
    if there:
        one = min(there, key=lambda e: e.baseline != head)
        apply = f"dvc exp apply {shlex.quote(one.name)}"
        return Way([*_checkout(one.baseline, head), apply], remarks)
    for commit in commits:
        if _agrees(commit, run) or (run.dirty is False and commit == run.commits[0]):
            return Way([*_checkout(commit, head), REPRO], remarks)
    return Way(*_by_changes(run, head, commits, remarks))


def _by_changes(
    run: Found, head: str, commits: list[str], remarks: list[str]
) -> tuple[list[str], list[str]]:
    if not run.commits:
        return [], [*remarks, "The run names no commit."]
    first = run.commits[0]
    if first not in commits:
        missing = [c for c in run.commits if c not in commits]
        return [], [*remarks, f"Not in this repository: commit {', '.join(missing)}."]
    if run.dirty is None:
        unsure = f"Whether there were changes to {first} was not recorded; it has no such scores."
        return [], [*remarks, unsure]
    if not run.changes_kept:
        why = "are not kept whole" if run.changes else f"are not in the store ({DIFF})"
        return [], [*remarks, f"It was made with changes to {first}, which {why}."]
    commands = [
        *_checkout(first, head),
        f"mlflow artifacts download -r {run.id} -a {DIFF} -d .",
        f"git apply {DIFF} && rm {DIFF}",
        REPRO,
    ]
    return commands, remarks


def _checkout(commit: str, head: str) -> Iterator[str]:
    if commit != head:
        yield f"git checkout {commit}"


def _agrees(ref: str, run: Found) -> bool | None:
    """Whether a commit has the params and scores of a run; None where that cannot be told."""
    params = committed_params(ref)
    scores = _scores(ref, run.dataset).get(run.model_name)
    if params is None or not scores:
        return None
    given = given_params(run.dataset, run.model_name, params)
    same_params = all(str(given.get(k, v)) == v for k, v in run.params.items())
    both = [name for name in scores if name in run.metrics]
    return same_params and bool(both) and all(scores[name] == run.metrics[name] for name in both)


def _scores(ref: str, dataset: str) -> dict[str, dict[str, float | None]]:
    text = git("show", "--end-of-options", f"{ref}:./{layout.metrics(dataset)}")
    try:
        content = json.loads(text or "")
    except ValueError:
        return {}
    blocks = content.items() if isinstance(content, dict) else ()
    return {trainer: scores for trainer, scores in blocks if isinstance(scores, dict)}
