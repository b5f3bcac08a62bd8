"""Where predictions go: a file, whole or not at all, or stdout; and what a spreadsheet may see."""

import contextlib
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from pipeline.committed import git
from pipeline.core.errors import PipelineError
from pipeline.core.files import whole
from pipeline.core.numbers import is_number

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that a spreadsheet would compute begins so


def harmless(records: list[list[str]], texts: Collection[int]) -> list[list[str]]:
    """The records, with a quote before what a spreadsheet would execute in the columns `texts`."""
    if not texts:
        return records
    return [
        [_quoted(cell) if k in texts else cell for k, cell in enumerate(record)]
        for record in records
    ]


def _quoted(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) and not is_number(cell) else cell


def refuse_place(source: Path, output: Path | None) -> None:
    """Refuse an output that is the input, or no file: a device would be replaced by one."""
    try:
        if output is None or not output.exists():
            return
    except OSError as error:
        raise PipelineError(f"{output}: cannot be written: {error.strerror or error}") from None
    if not output.is_file():
        raise PipelineError(f"{output}: is not a file; name one, or leave -o out for stdout")
    if source.exists() and output.samefile(source):
        raise PipelineError(f"{output}: is the input; name another file")
    if git("ls-files", "--error-unmatch", "--", str(output)) is not None:
        raise PipelineError(f"{output}: is a file of this repository; name another file")


@contextlib.contextmanager
def opened(output: Path | None) -> Iterator[IO[str]]:
    """A text file that becomes `output`, or is copied to stdout, when the block succeeds."""
    if output is not None:
        # resolved, so that a link stays one
        with whole(output.resolve()) as part, _text(part.open("wb")) as file:
            yield file
        return
    if sys.stdout is None:
        raise PipelineError("stdout is closed; name a file with -o")
    try:
        with tempfile.TemporaryFile() as kept, _text(kept) as file:
            yield file
            file.flush()
            kept.seek(0)
            shutil.copyfileobj(kept, sys.stdout.buffer)
            sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; Python would flush again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise PipelineError(f"stdout: cannot be written: {error.strerror or error}") from None


def _text(file: IO[bytes]) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8", newline="")
