"""The files of a new dataset: all of them are there afterwards, or none is."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from filecmp import cmp, cmpfiles
from pathlib import Path
from subprocess import PIPE

from pipeline.core import layout
from pipeline.core.checked_inputs import State, refuse_changed, state
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write, runs
from pipeline.ingest.parts import parts_of

RAW = Path("data/raw")
LARGE = 10_000_000  # bytes, from which a file goes to DVC and not to git
LATER = """
import sys
import dvc.commands.add, dvc.repo.add, dvc.repo.remove
from dvc.cli import main
sys.exit(main(sys.stdin.read().split("\\0")))
"""


def files_of(file: Path) -> dict[Path, State]:
    """The file, or the parts in a folder, and the state of each."""
    return {path: state(path) for path in (parts_of(file)[0] if file.is_dir() else [file])}


def place(
    file: Path, before: Mapping[Path, State], source: Path, schema: tuple[Path, str], params: str,
    large: int = LARGE, fetched: bool = False,
) -> None:  # fmt: skip
    """Copy the file, or the parts, hand a large one to DVC, and write schema and params.yaml.

    All are written under other names first, and params.yaml, which makes a dataset of the rest,
    gets its own last.

    Parameters
    ----------
    file : Path
        Or a folder of parts.
    before : dict
        Its `files_of`, when it was looked at.
    source : Path
        Its copy in data/raw; may be the file itself.
    schema : (Path, str)
        Where it goes, and its text.
    params : str
        The text of params.yaml.
    large : int
        Bytes from which the file goes to DVC, which may have it already, by `dvc import-url`.
    fetched : bool
        Whether it may be moved rather than copied.

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
        to_dvc = sum(path.stat().st_size for path in before) > large
        known = source.exists() and tracked(source).exists()
        dvc = last.enter_context(dvc_at_hand()) if to_dvc and not known else None
        if not same(file, source):
            if fetched:
                file.rename(source)
            elif file.is_dir():
                with staged(source.name) as folder:
                    _copy(before, folder)
                    folder.rename(source)
            else:
                with atomic_write(source) as part:
                    shutil.copyfile(file, part)
                    refuse_changed(file, before[file])
        if dvc:
            dvc("add", "--quiet", str(source))


@contextlib.contextmanager
def staged(name: str) -> Iterator[Path]:
    """Give an empty folder in data/raw, which may be renamed; it is gone afterwards.

    Raises
    ------
    PipelineError
        When the disk refuses.
    """
    folder = RAW / f".{name}.{os.getpid()}.part"
    try:
        for left_over in RAW.glob(f".{name}.*.part"):
            process = left_over.suffixes[-2][1:]
            if process.isdecimal() and not runs(int(process)):
                shutil.rmtree(left_over)  # by a process that was killed
        folder.mkdir(parents=True)
        yield folder
    except OSError as error:
        raise PipelineError(f"{RAW / name}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(before: Mapping[Path, State], folder: Path) -> None:
    for path, was in before.items():
        shutil.copyfile(path, folder / path.name)
        refuse_changed(path, was)


def same(file: Path, source: Path) -> bool:
    """Whether the copy is there already."""
    if not source.exists() or source.is_dir() != file.is_dir():
        return False
    if source.samefile(file):
        return True
    if not file.is_dir():
        return cmp(file, source, shallow=False)
    names = [path.name for path in parts_of(file)[0]]
    there = sorted(path.name for path in source.iterdir())
    return there == names and not any(cmpfiles(file, source, names, shallow=False)[1:])


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
                remove_source(path)
            if listed is not None and ignored.read_bytes() != listed:
                ignored.write_bytes(listed)
        raise


def remove_source(path: Path) -> None:
    """Remove a file, or a folder of parts."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


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
