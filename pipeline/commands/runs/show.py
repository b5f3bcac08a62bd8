"""`run show`: what made a run, and what brings it back."""

from collections.abc import Iterator

from pipeline.commands.results import interval
from pipeline.commands.runs.bring_back import dvc_experiments, known, way_back
from pipeline.commands.runs.find import CODE, Found, find, when
from pipeline.commands.runs.text import entry, few, plain, shortened
from pipeline.core import layout
from pipeline.core.dvc_lock import lock_checksum
from pipeline.core.files import md5
from pipeline.core.params import Params
from pipeline.core.settings.evaluate import METRICS
from pipeline.tracking.committed import committed_params, git, given_params


def show(run_id: str) -> str:
    """What is known of the run whose id begins so.

    Raises
    ------
    PipelineError
        When there is no such run, or more than one; when the store is missing or down.
    """
    (run,) = find(run_id)
    return "\n".join([*_facts(run), "", *_way(run)])


def _facts(run: Found) -> Iterator[str]:
    committed = committed_params()
    yield from entry("run", run.id)
    yield from entry("name", run.name)
    yield from entry("experiment", run.experiment)
    if run.of_pipeline:
        yield from entry("model", run.model_name)
        yield from entry("trainer", run.tags.get("trainer", ""))
    else:
        yield from entry("", "not made by this pipeline: it has none of its tags")
    took = f", took {(run.end - run.start) / 1000:.3g} s" if run.end and run.start else ""
    yield from entry("status", f"{run.status}, {when(run.start)}{took}")
    yield from entry("params", *_params(run, committed))
    yield from entry("data", *_data(run))
    yield from entry("split", run.tags.get("split_md5", ""))
    yield from entry("code", *_code(run))
    yield from entry("dvc.lock", *_lock(run))
    yield from entry("DVC", *_experiments(run))
    if "verdict" in run.tags:
        yield from entry("verdict", run.tags["verdict"], run.tags.get("verdict_reason", ""))
    yield from entry("metrics", *_metrics(run, committed))
    yield from entry("registered", *run.versions)
    if run.model:
        yield from entry("load it", f'mlflow.sklearn.load_model("runs:/{run.id}/model")')


def _params(run: Found, committed: Params | None) -> Iterator[str]:
    """Each in a line, with the committed value where that is another."""
    given = given_params(run.dataset, run.model_name, committed) if committed else {}
    width = max(map(len, run.params), default=0)
    for name, value in run.params.items():
        line = f"{name.ljust(width)}  {shortened(value)}"
        other = name in given and str(given[name]) != value and run.of_pipeline
        yield f"{line}  (params.yaml of HEAD: {given[name]})" if other else line


def _data(run: Found) -> Iterator[str]:
    if not run.dataset or "data_md5" not in run.tags:
        return
    path = layout.ingested(run.dataset)
    digest = run.tags["data_md5"]
    here = _same(md5(path) == digest) if path.is_file() else "which is not here"
    yield f"md5 {digest}, {path}: {here}"


def _same(same: bool) -> str:
    return "the same here" if same else "another one here"


def _code(run: Found) -> Iterator[str]:
    for commit in run.commits:
        if not known(commit):
            yield f"commit {commit}, which git has not here"
            continue
        subject = (git("log", "-1", "--format=%s", commit) or "").strip()
        yield f'commit {commit}, "{shortened(subject, 36)}"'
        yield f"files of pipeline/ that differ between it and this tree: {_changed_here(commit)}"
    if run.dirty is False:
        yield "without changes to the commit"
    elif run.dirty:
        first = " first" if len(run.commits) > 1 else ""
        yield f"with changes to the{first} commit: {few([*run.changed]) or 'not kept'}"
    elif run.commits:
        yield "whether there were changes to the commit was not recorded"


def _changed_here(commit: str) -> int:
    """How many files of pipeline/ differ between a commit and this working tree."""
    changed = git("diff", "--name-only", "--no-ext-diff", commit, "--", CODE) or ""
    new = git("ls-files", "--others", "--exclude-standard", "--", CODE) or ""
    return len(changed.splitlines()) + len(new.splitlines())


def _lock(run: Found) -> Iterator[str]:
    if checksum := run.tags.get("dvc_lock"):
        yield f"md5 {checksum}, {_same(checksum == lock_checksum())}"


def _experiments(run: Found) -> Iterator[str]:
    there = {e.name for e in dvc_experiments()}
    for name in run.experiments:
        yield f"experiment {name}{'' if name in there else ', which is not in this repository'}"


def _metrics(run: Found, committed: Params | None) -> Iterator[str]:
    """What trainers are judged by, on held-out and test rows, with intervals."""
    names = [metric for task in METRICS.values() for metric in task]
    if committed and run.dataset in committed.datasets:
        names = [committed.datasets[run.dataset].evaluate.metric]
    for name in (f"{rows}_{metric}" for metric in names for rows in ("cv", "loo", "test")):
        if name in run.metrics:
            ends = interval(run.metrics, name)
            yield f"{name}  {run.metrics[name]:.6g}{f'  ({ends})' if ends != '-' else ''}"


def _way(run: Found) -> Iterator[str]:
    way = way_back(run)
    if way.commands:
        yield from ["To bring it back:", "", *(f"    {plain(one)}" for one in way.commands)]
    else:
        yield "It cannot be brought back from here:"
    if way.remarks:
        yield ""
    for remark in way.remarks:
        yield from entry("", remark)
