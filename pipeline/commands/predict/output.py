"""Where predictions go: a file, whole or not at all, or stdout; and what a spreadsheet may see."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from errno import ELOOP
from pathlib import Path
from typing import IO

from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write
from pipeline.core.text import escape_formula
from pipeline.tracking.committed import git

OURS = {".dvc", ".git", ".venv", "data", "metrics", "mlartifacts", "mlflow.db"}


def quoted(records: list[list[str]], texts: Collection[int]) -> list[list[str]]:
    """Put a quote before what a spreadsheet would execute.

    Parameters
    ----------
    records : list of list of str
    texts : collection of int
        The columns, from 0, that hold text; numbers stay as they are.
    """
    if not texts:
        return records
    return [
        [escape_formula(cell) if k in texts else cell for k, cell in enumerate(record)]
        for record in records
    ]


def refuse_place(source: Path, output: Path | None) -> None:
    """Refuse an output that is the input, the project's, or no file: a device would become one.

    Parameters
    ----------
    source : Path
        The input.
    output : Path or None
        None is stdout, which is taken.

    Raises
    ------
    PipelineError
        Names the output, and says what to name instead.
    """
    if output is None:
        return
    place = Path(os.path.realpath(output))  # links lead there
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            output.stat()  # `Path.exists` takes a link to itself for none
    except OSError as error:
        if error.errno == ELOOP:
            raise PipelineError(f"{output}: is a link that leads to itself; name a file") from None
        raise PipelineError(f"{output}: cannot be written: {error.strerror or error}") from None
    here = Path.cwd().resolve()
    if place.is_relative_to(here) and OURS & {*place.relative_to(here).parts[:1]}:
        raise PipelineError(f"{output}: lies where the project keeps its own; name another file")
    if not place.exists() and place.parent.is_dir():
        return
    if not place.exists():
        raise PipelineError(f"{output}: cannot be written: there is no folder {output.parent}")
    if not place.is_file():
        raise PipelineError(f"{output}: is not a file; name one, or leave -o out for stdout")
    if source.exists() and place.samefile(source):
        raise PipelineError(f"{output}: is the input; name another file")
    if git("ls-files", "--error-unmatch", "--", str(place)) is not None:
        raise PipelineError(f"{output}: is a file of this repository; name another file")


@contextlib.contextmanager
def opened(output: Path | None) -> Iterator[IO[str]]:
    """Give a text file that becomes `output`, or is copied to stdout, when the block succeeds.

    Raises
    ------
    PipelineError
        When the file or stdout cannot be written.
    """
    if output is not None:
        place = Path(os.path.realpath(output))  # so that a link stays one
        with atomic_write(place) as part, part.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    if sys.stdout is None:
        raise PipelineError("stdout is closed; name a file with -o")
    try:
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
            yield file
            file.seek(0)
            shutil.copyfileobj(file.buffer, sys.stdout.buffer)
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; Python would flush again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise PipelineError(f"stdout: cannot be written: {error.strerror or error}") from None
