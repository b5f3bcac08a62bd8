"""Files that are not what dvc.lock says of them, within a stage that DVC runs.

DVC takes a read-only file of its cache for whole: one that was altered there is checked out, and
`dvc repro` calls it up to date. So each stage compares what it reads.
"""

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

from pipeline.core.errors import PipelineError

OUT = re.compile(r"(?m)^    - path: (.+)\n      hash: md5\n      md5: ([0-9a-f]{32})$")


def refuse_altered(path: Path) -> None:
    """Compare a file that another stage wrote with what dvc.lock records of it.

    Does nothing outside `dvc repro`, where a stage that was run by hand may have written it.

    Raises
    ------
    PipelineError
        When the file is another; says what removes it from DVC's cache, too.
    """
    if "DVC_STAGE" not in os.environ:
        return
    expected = _recorded(Path("dvc.lock").absolute()).get(path.as_posix())
    if expected and path.is_file() and (found := digest(path)) != expected:
        cached = f"{os.environ['DVC_ROOT']}/.dvc/cache/files/md5/{expected[:2]}/{expected[2:]}"
        raise PipelineError(
            f"{path}: has md5 {found}, and dvc.lock says {expected}: it was altered, here or in "
            f"DVC's cache; `rm -f '{path}' '{cached}'`, then `dvc repro` makes it again"
        )


def digest(path: Path) -> str:
    """The hash by which DVC knows a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@lru_cache
def _recorded(lock: Path) -> dict[str, str]:
    """The md5 of each stage's outputs; a YAML parser would take a second."""
    try:
        stages = lock.read_text(encoding="utf-8").split("\n    outs:\n")[1:]
    except (OSError, ValueError):
        return {}
    outs = [re.split(r"(?m)^  \S", stage)[0] for stage in stages]
    return {path: md5 for text in outs for path, md5 in OUT.findall(text)}
