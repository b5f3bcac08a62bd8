"""The committed results, made again from the committed state, and compared byte by byte."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.commands.verify.difference import difference
from pipeline.commands.verify.recorded import Checkout
from pipeline.core.errors import PipelineError


class Differs(PipelineError):
    """Results came out otherwise than committed."""

    exit_code = 1


def verify(threads: Sequence[int]) -> Iterator[str]:
    """Run every stage of HEAD anew, in a temporary clone, and compare with dvc.lock of HEAD.

    Once for each number of threads that the libraries may use, or once with one. Nothing comes
    from DVC's cache, and nothing goes to the MLflow store.

    Yields
    ------
    line : str
        What runs; then a table of the outputs, and how many are identical.

    Raises
    ------
    Differs
        When an output differs: the first, where and by how much.
    """
    if _git(Path(), "status", "--porcelain", "--untracked-files=no"):
        yield "uncommitted changes are no part of this: what is verified is HEAD"
    differing: list[str] = []
    for number in threads or (None,):
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            yield f"running every stage{f', {number} threads allowed' if number else ''}"
            clone = Path(folder) / "clone"
            _git(Path(), "clone", "--quiet", ".", str(clone))
            before = Checkout.of(clone, Path.cwd())
            _repro(clone, number)
            after = Checkout.of(clone, clone)
            paths = sorted(before.outputs.keys() | after.outputs.keys())
            width = max(map(len, paths))
            same = 0
            for path in paths:
                result = "identical"
                if before.outputs.get(path) == after.outputs.get(path):
                    same += 1
                else:
                    result = difference(path, before.content(path), after.content(path))
                    differing.append(f"{path}: {result}")
                yield f"{path:{width}}  {result}"
            yield f"{same}/{len(paths)} identical"
    if differing:
        raise Differs(
            f"{differing[0]}\nOn a CPU that is not x86-64 with AVX2 and FMA the last digits may "
            "differ; else the results do not follow from what is committed"
        )


def _repro(clone: Path, threads: int | None) -> None:
    users = ("DVC_", "MLFLOW_", "PIPELINE_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(users)}
    env |= {"PIPELINE_THREADS": str(threads)} if threads else {}
    env |= {"DVC_SITE_CACHE_DIR": str(clone.parent / "site")}
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
    ended = subprocess.run(
        ["dvc", "repro", "--force"], cwd=clone, env=env, capture_output=True, text=True
    )
    if ended.returncode:
        raise Differs(
            f"dvc repro ended with {ended.returncode} in a clone of HEAD:\n"
            f"{(ended.stdout + ended.stderr)[-2000:]}"
        )


def _git(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    if ended.returncode:
        raise PipelineError(f"git {arguments[0]}: {ended.stderr.strip()}")
    return ended.stdout
