"""What differs between the code of a run, of another, and of this working tree."""

import re

from pipeline.commands.runs.find import Found
from pipeline.tracking.committed import git

CODE = "pipeline"


def changed_here(commit: str) -> int:
    """How many files of pipeline/ differ between a commit and this working tree."""
    changed = git("diff", "--name-only", "--no-ext-diff", commit, "--", CODE) or ""
    new = git("ls-files", "--others", "--exclude-standard", "--", CODE) or ""
    return len(changed.splitlines()) + len(new.splitlines())


def changed_in(run: Found) -> dict[str, str]:
    """The uncommitted changes of a run, by file."""
    parts = re.split(r"(?m)^(?=diff --git )", run.changes or "")
    named = ((re.match(r'diff --git .* "?b/(.+?)"?\r?\n', part), part) for part in parts)
    return {match[1]: part for match, part in named if match}


def changes_known(run: Found) -> bool:
    """Whether `changed_in` has all that differed from the commit."""
    return run.dirty is False or bool(run.dirty and changes_kept(run))


def changes_kept(run: Found) -> bool:
    """Whether the store has its uncommitted changes; of too many it has a comment."""
    return run.changes is not None and not run.changes.startswith("#")


def uncommitted_code(run: Found) -> dict[str, str]:
    """Those of its uncommitted changes that are of pipeline/."""
    return {name: part for name, part in changed_in(run).items() if f"{CODE}/" in name}


def stat(a: str, b: str) -> list[str]:
    """What `git diff --stat` says of pipeline/ in two commits."""
    text = git("diff", "--stat=88", "--no-color", "--no-ext-diff", a, b, "--", CODE) or ""
    return [line.strip() for line in text.splitlines()]
