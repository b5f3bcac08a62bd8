"""`run diff`: the params, data, code and metrics in which two runs differ."""

from collections.abc import Iterator, Mapping

from pipeline.commands.runs.bring_back import known
from pipeline.commands.runs.find import CODE, Found, find, when
from pipeline.commands.runs.text import entry, few, table
from pipeline.tracking.committed import git

TAGS = {"data_md5": "data", "split_md5": "split", "dvc_lock": "dvc.lock"}


def diff(a: str, b: str) -> str:
    """How the runs whose ids begin so differ.

    Raises
    ------
    PipelineError
        When there is no such run, or more than one; when the store is missing or down.
    """
    first, second = find(a, b)
    lines, same = _heads(first, second), []
    for name, differing, alike in _subjects(first, second):
        if differing:
            lines += ["", *differing]
        if not differing or alike:
            same.append(f"{alike} of the {name}" if differing else name)
    return "\n".join([*lines, "", *entry("the same:", ", ".join(same) or "nothing")])


def _subjects(a: Found, b: Found) -> Iterator[tuple[str, list[str], int]]:
    """Each subject, lines on what differs in it, and how many of its values are the same."""
    yield "params", _params(a, b), _alike(a.params, b.params)
    for tag, name in TAGS.items():
        if tag in a.tags or tag in b.tags:
            values = [run.tags.get(tag, "not recorded") for run in (a, b)]
            same = values[0] == values[1]
            yield name, [] if same else entry(name, f"A {values[0]}", f"B {values[1]}"), 0
    yield "code", _code(a, b), 0
    yield "metrics", _metrics(a, b), _alike(a.metrics, b.metrics)


def _heads(a: Found, b: Found) -> list[str]:
    runs = (("A", a), ("B", b))
    lines = table([(k, run.id, run.experiment, run.name, when(run.start)) for k, run in runs])
    if a.experiment != b.experiment:
        lines += ["", f"They are of different datasets: {a.experiment} and {b.experiment}."]
    return lines


def _params(a: Found, b: Found) -> list[str]:
    names = _differing(a.params, b.params)
    rows = [(name, a.params.get(name, "-"), b.params.get(name, "-")) for name in names]
    return table([("params", "A", "B"), *rows]) if rows else []


def _code(a: Found, b: Found) -> list[str]:
    """Nothing where both ran the code of one commit, with the same changes to it."""
    shared = any(commit in b.commits for commit in a.commits)
    changes = a.changed_code, b.changed_code
    if shared and changes[0] == changes[1] and a.code_known and b.code_known:
        return []
    lines = [f"{key} {_commit(run)}" for key, run in (("A", a), ("B", b))]
    if not shared and a.commits and b.commits:
        lines += _stat(a.commits[0], b.commits[0])
    for key, change in zip("AB", changes, strict=True):
        lines += [f"{key} changes {name}, uncommitted" for name in change]
    return entry("code", *lines)


def _commit(run: Found) -> str:
    changes = {True: "with uncommitted changes", False: "clean", None: "clean or not: not recorded"}
    return f"{', '.join(run.commits) or 'no commit'}, {changes[run.dirty]}"


def _stat(a: str, b: str) -> list[str]:
    if not (known(a) and known(b)):
        return ["not compared: not both commits are in a git repository here"]
    stat = git("diff", "--stat=88", "--no-color", "--no-ext-diff", a, b, "--", CODE) or ""
    lines = [line.strip() for line in stat.splitlines()]
    return lines or ["the same files of pipeline/ in both commits"]


def _metrics(a: Found, b: Found) -> list[str]:
    names = _differing(a.metrics, b.metrics)
    both = [name for name in names if name in a.metrics and name in b.metrics]
    rows = [_metric(name, a.metrics[name], b.metrics[name]) for name in both]
    lines = table([("metrics", "A", "B", "B - A"), *rows]) if rows else []
    for key, run in (("A", a), ("B", b)):
        alone = [name for name in names if name in run.metrics and name not in both]
        lines += entry("", f"{key} alone has {few(alone)}") if alone else []
    return lines


def _metric(name: str, a: float, b: float) -> tuple[str, str, str, str]:
    return name, f"{a:.6g}", f"{b:.6g}", f"{b - a:+.6g}"


def _differing(a: Mapping[str, object], b: Mapping[str, object]) -> list[str]:
    """Sorted; by their text, so that nan is the same as nan."""
    return sorted(name for name in a.keys() | b.keys() if repr(a.get(name)) != repr(b.get(name)))


def _alike(a: Mapping[str, object], b: Mapping[str, object]) -> int:
    return len((a.keys() & b.keys()).difference(_differing(a, b)))
