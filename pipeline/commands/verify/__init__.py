"""Make the committed results anew and compare every byte.

Clones HEAD to a temporary folder, runs every stage there, whatever DVC's cache holds, and compares
all outputs with those in git, and the others with dvc.lock. Where they differ it says in which
number, and by how much. Uncommitted changes are no part of it; the MLflow store is left alone. It
takes as long as a first `dvc repro`.

Reads the git repository, and DVC's cache for raw files under DVC and where something differs.
Writes nothing here.
Exit codes: 0 all identical; 1 something differs.
"""

import os
import re
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from pipeline.commands.verify.difference import difference
from pipeline.core.dvc_lock import LOCK, Output, outputs, with_files
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.run import say
from pipeline.tracking.committed import git


class Differs(PipelineError):
    """Results came out otherwise than committed."""

    exit_code = 1


def verify(threads: Sequence[int]) -> Iterator[str]:
    """Run every stage of HEAD anew, in a temporary clone, and compare with the outputs of HEAD.

    No output comes from DVC's cache, and nothing goes to the MLflow store.

    Parameters
    ----------
    threads : sequence of int
        How many threads the libraries may use: all stages run once for each number, or once with
        one thread where there is none.

    Yields
    ------
    line : str
        What runs; then a table of the outputs, and how many are identical.

    Raises
    ------
    Differs
        When an output differs: the first, where and by how much.
    """
    if _called("git", "status", "--porcelain", "--untracked-files=no"):
        yield "uncommitted changes are no part of this: what is verified is HEAD"
    differing: list[str] = []
    for number in threads or (None,):
        allowed = f", {number} thread{'s' * (number > 1)} allowed" if number else ""
        yield f"running every stage{allowed}"
        found = _compared(number)
        yield tabulate(found, tablefmt="plain", disable_numparse=True)
        different = [f"{path}: {result}" for path, result in found if result != "identical"]
        yield f"{len(found) - len(different)}/{len(found)} identical"
        differing += different
    if differing:
        raise Differs(
            f"{differing[0]}\nOn a CPU that is not x86-64 with AVX2 and FMA the last digits may "
            "differ; else the results do not follow from what is committed"
        )


def _compared(threads: int | None) -> list[tuple[str, str]]:
    """Every output's path, and `identical` or how it differs."""
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        clone = Path(folder) / "clone"
        _called("git", "clone", "--quiet", ".", str(clone))
        before = {str(output.path): _as_in_git(output, clone) for output in outputs(clone / LOCK)}
        (clone / LOCK).unlink()  # DVC keeps in it what stages made that are no more
        _bring_sources(clone)
        _repro(clone, threads)
        after = {str(output.path): output for output in outputs(clone / LOCK)}
        run = {output.stage for output in after.values()}
        return [
            (path, _result(clone, path, before.get(path), after.get(path)))
            for path, output in sorted((before | after).items())
            if output.stage in run
        ]


def _as_in_git(output: Output, clone: Path) -> Output:
    """The output with the checksum of what git has of it, where it does, whatever dvc.lock says."""
    file = clone / output.path
    return output._replace(md5=md5(file)) if file.is_file() else output


def _bring_sources(clone: Path) -> None:
    """Check out the files that `dvc add` has put under DVC, from the cache here."""
    if added := _called("git", "ls-files", "*.dvc").split("\n")[:-1]:
        cache = Path(_called("dvc", "cache", "dir").strip()).absolute()
        for command in (
            ["dvc", "cache", "dir", "--local", str(cache)],
            ["dvc", "checkout", *added],
            ["dvc", "cache", "dir", "--local", "--unset"],
        ):
            _called(*command, cwd=clone)


def _result(clone: Path, path: str, before: Output | None, after: Output | None) -> str:
    if before and after and before.md5 == after.md5:
        return "identical"
    held, made = _files(before, Path()), _files(after, clone)
    for name in sorted(held.keys() | made.keys()):  # of a folder the first that differs is told
        result = _result(clone, name, held.get(name), made.get(name))
        if result != "identical":
            return f"{Path(name).name}: {result}"
    old = before and (_kept(before) or _committed(path))
    return difference(path, old, after and (clone / path).read_bytes())


def _files(output: Output | None, root: Path) -> dict[str, Output]:
    """The files of a folder, by DVC's cache of a checkout; none of an output that is a file."""
    listed = [*with_files([output], root)] if output else []
    return {str(file.path): file for file in listed[1:]}


def _kept(output: Output) -> bytes | None:
    """What DVC's cache here has of an output, if it is undamaged."""
    cached = output.cached
    return cached.read_bytes() if cached.is_file() and md5(cached) == output.md5 else None


def _committed(path: str) -> bytes | None:
    text = git("show", f"HEAD:./{path}")
    return None if text is None else text.encode("utf-8", "surrogateescape")


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


def _called(*words: str, cwd: Path | None = None) -> str:
    ended = subprocess.run(words, cwd=cwd, capture_output=True, text=True)
    if ended.returncode:
        raise PipelineError(f"{' '.join(words[:2])}: {ended.stderr.strip()}")
    return ended.stdout


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `verify`."""
    once = "once with each, as 1,2"
    parser.add_argument("--threads", type=_counts, default=(), metavar="N,N", help=once)


def _counts(text: str) -> tuple[int, ...]:
    if not re.fullmatch("[1-9][0-9]?(,[1-9][0-9]?)*", text):
        raise ArgumentTypeError(f"expected numbers from 1 to 99, as 1,2, got {text!r}")
    return tuple(map(int, text.split(",")))


def run(options: Namespace) -> None:
    """Run the command."""
    for text in verify(options.threads):
        say(text)
