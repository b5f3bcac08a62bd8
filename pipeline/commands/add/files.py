"""The files of a new dataset: all of them are there afterwards, or none is."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from filecmp import cmp
from pathlib import Path
from subprocess import PIPE

from pipeline.core import layout
from pipeline.core.checked_inputs import State, refuse_changed
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write

LARGE = 10_000_000  # bytes, from which a file goes to DVC and not to git
LATER = """
import sys
import dvc.commands.add, dvc.repo.add, dvc.repo.remove
from dvc.cli import main
sys.exit(main(sys.stdin.read().split("\\0")))
"""


def place(
    file: Path, before: State, source: Path, schema: tuple[Path, str], params: str,
    large: int = LARGE,
) -> None:  # fmt: skip
    """Copy the file, hand a large one to DVC, and write schema and params.yaml.

    All are written under other names first, and params.yaml, which makes a dataset of the rest,
    gets its own last.

    Parameters
    ----------
    file : Path
    before : State
        Of the file, when it was looked at.
    source : Path
        Its copy in data/raw; may be the file itself.
    schema : (Path, str)
        Where it goes, and its text.
    params : str
        The text of params.yaml.
    large : int
        Bytes from which the file goes to DVC.

    Raises
    ------
    PipelineError
        When the disk refuses, or the file has changed; everything is then as it was.
    """
    path, text = schema
    with _all_or_none([source, path], params), contextlib.ExitStack() as last:
        for target, content in ((layout.PARAMS, params), (path, text)):
            part = last.enter_context(atomic_write(target))
            part.write_bytes(content.encode())
        dvc = last.enter_context(dvc_at_hand()) if file.stat().st_size > large else None
        if not same(file, source):
            with atomic_write(source) as part:
                shutil.copyfile(file, part)
                refuse_changed(file, before)
        if dvc:
            dvc("add", "--quiet", str(source))


def same(file: Path, source: Path) -> bool:
    """Whether the copy is there already."""
    return source.is_file() and (source.samefile(file) or cmp(file, source, shallow=False))


@contextlib.contextmanager
def _all_or_none(paths: list[Path], params: str) -> Iterator[None]:
    """Remove what is new of some files, and of DVC's beside them, where the block does not end."""
    ignored = paths[0].with_name(".gitignore")
    new = [path for path in (*paths, tracked(paths[0]), ignored) if not path.exists()]
    listed = ignored.read_bytes() if ignored.exists() else None
    try:
        yield
    except BaseException:
        if layout.PARAMS.read_bytes() != params.encode():
            for path in filter(Path.exists, new):
                path.unlink()
            if listed is not None and ignored.read_bytes() != listed:
                ignored.write_bytes(listed)
        raise


def tracked(source: Path) -> Path:
    """The file by which DVC knows one that it was given."""
    return source.with_name(f"{source.name}.dvc")


@contextlib.contextmanager
def dvc_at_hand() -> Iterator[Callable[..., None]]:
    """Start dvc, which takes a second, while something else is done; it runs when it is called.

    Yields
    ------
    callable
        Takes the words of one command. Raises PipelineError with what dvc says, where it fails.
    """
    with subprocess.Popen(
        [sys.executable, "-c", LATER], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
    ) as process:

        def run(*words: str) -> None:
            said = process.communicate("\0".join(words))
            if process.returncode:
                why = (said[1] or said[0]).strip().removeprefix("ERROR: ")
                raise PipelineError(f"dvc {words[0]} {words[-1]}: {why}")

        try:
            yield run
        finally:
            if process.poll() is None:
                process.kill()
