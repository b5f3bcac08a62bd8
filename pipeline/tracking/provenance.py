"""Where a run comes from: the commit and experiment it belongs to, and what brings it back."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core import layout
from pipeline.core.dvc_lock import lock_checksum
from pipeline.core.params import Params
from pipeline.tracking.committed import base_commit, base_revision, committed_params, git

# What stages write and git keeps: it differs as soon as anything else does.
MADE = ("dvc.lock", "docs/textbook.md", "docs/house.png", "docs/learning_rates.png")
MOST = 1_000_000  # characters of a diff, bytes of a new file
FILES = 200  # new files: git is asked for each
# What a user's configuration may change is set here.
DIFF = (
    *("-c", "core.quotePath=false", "diff", "--binary", "--no-color", "--no-ext-diff"),
    *("--no-textconv", "--relative", "--src-prefix=a/", "--dst-prefix=b/"),
)


class Origin(NamedTuple):
    """The tags that say where a run comes from.

    Attributes
    ----------
    links : dict
        The commit and the DVC experiment, where there are any: a run can belong to several.
    tags : dict
        Whether files differ from the commit, and the hash of dvc.lock.
    files : dict
        uncommitted.diff, where files differ.
    params : Params or None
        The committed ones; None where there is nothing to differ from.
    """

    links: dict[str, str]
    tags: dict[str, str]
    files: dict[str, str]
    params: Params | None


def origin(datasets: Sequence[str]) -> Origin:
    """Describe where the files on disk come from.

    Parameters
    ----------
    datasets : list of str
        Their metrics are in git and made by stages: that they differ makes nothing dirty.
    """
    commit = base_commit()
    links = {"git_commit": commit, "dvc_experiment": os.environ.get("DVC_EXP_NAME", "")}
    tags = {"dvc_lock": lock_checksum()}
    files = {}
    if commit:
        diff = _uncommitted(commit, datasets)
        tags["git_dirty"] = "true" if diff else "false"
        tags["mlflow.source.git.commit"] = commit  # which MLflow shows
        if diff:
            files["uncommitted.diff"] = diff
    links = {name: value for name, value in links.items() if value}
    return Origin(links, tags, files, committed_params(base_revision()))


def _uncommitted(commit: str, datasets: Sequence[str]) -> str:
    """Write what was changed by hand since a commit as one diff that `git apply` takes.

    New files that git does not ignore are part of it. A comment in its place, or at its head, says
    what is left out: a file above 1 MB, more than 200 new files, a diff above 1,000,000 characters.
    """
    made = [*MADE, *map(str, (layout.VERDICT, layout.SUMMARY, layout.METRICS / "textbook.json"))]
    made += [str(layout.metrics(name)) for name in datasets]
    where = ["--", ".", *(f":(exclude){path}" for path in made)]
    parts = [git(*DIFF, commit, *where) or ""]
    new = git("ls-files", "-z", "--others", "--exclude-standard", *where) or ""
    paths = [path for path in new.split("\0") if path]
    if len(paths) > FILES:
        parts.insert(0, f"# left out, {len(paths) - FILES} more new files\n")
    for path in paths[:FILES]:
        if Path(path).is_file() and Path(path).stat().st_size > MOST:
            parts.insert(0, f"# left out, too large: {path}\n")
            continue
        # it ends with 1, because the files differ
        parts.append(git(*DIFF, "--no-index", "--", os.devnull, path, allowed=(0, 1)) or "")
    diff = "".join(parts)
    plain = diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if plain != diff:  # JSON and MLflow hold no bytes that are not UTF-8
        diff = f"# not UTF-8 in places: the bytes there are lost\n{plain}"
    if len(diff) > MOST:
        return f"# {len(diff)} characters of changes since {commit}, too many to keep\n"
    return diff
