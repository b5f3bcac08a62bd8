"""Reading and writing stage files: whole or not at all, and the same bytes for the same values."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.core.checked_inputs import checksum, refuse_altered
from pipeline.core.dvc_lock import outputs, with_files
from pipeline.core.errors import PipelineError

T = TypeVar("T")
AGAIN = "`dvc repro` makes it again"


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary file name beside `path`, moved there when the block succeeds.

    Raises
    ------
    PipelineError
        When the disk refuses: `path` is then as it was before.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left_over in path.parent.glob(f".{escape(path.name)}.*.part*"):  # sqlite's journal, too
            process = left_over.suffixes[-2][1:]
            if process.isdecimal() and not runs(int(process)):
                left_over.unlink(missing_ok=True)  # by a process that was killed
        yield part
        part.replace(path)
    except OSError as error:
        raise PipelineError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def runs(process: int) -> bool:
    """Whether a process lives: signal 0 asks without sending."""
    with contextlib.suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with LF, whole or not at all.

    Raises
    ------
    PipelineError
        When the disk refuses.
    """
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON that people and diffs can read.

    Raises
    ------
    PipelineError
        For nan and inf, which JSON does not have, and when the disk refuses.
    """
    try:
        text = as_json(value)
    except ValueError:
        raise PipelineError(f"{path}: a value is nan or infinite; nothing was written") from None
    write_text(path, text)


def as_json(value: Any) -> str:
    """The one text that `write_json` gives a value."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path, remedy: str = AGAIN) -> Any:
    """Read JSON of any form; nan and inf are refused, as in writing.

    Parameters
    ----------
    path : Path
    remedy : str
        What the message of a damaged file ends with.

    Raises
    ------
    PipelineError
        When the file is missing, altered or no JSON.
    """
    refuse_altered(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, str(error), remedy) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def read_as(path: Path, form: type[T], remedy: str = AGAIN) -> T:
    """Read JSON of this form: every reader of a stage's file, or of a person's, says it.

    Parameters
    ----------
    path : Path
    form : type
        A pydantic model, or what a TypeAdapter takes; values are not converted.
    remedy : str
        What the message of a damaged file ends with.

    Raises
    ------
    PipelineError
        When the file is missing, no JSON or of another form; names the place, and the remedy.
    """
    content = read_json(path, remedy)
    try:
        return TypeAdapter(form).validate_python(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "top level"
        raise damaged(path, f"{place}: {first['msg']}", remedy) from None


def damaged(path: Path, problem: str, remedy: str = AGAIN) -> PipelineError:
    """The error for a file that is not as it was written."""
    return PipelineError(f"{path}: damaged: {' '.join(problem.split())}; {remedy}")


def md5(path: Path) -> str:
    """Compute the checksum by which DVC knows the file, once for each of its states."""
    refuse_altered(path)
    try:
        return checksum(path)
    except FileNotFoundError:
        raise missing(path) from None


def missing(path: Path) -> PipelineError:
    """The error for a file that an earlier stage should have made."""
    remedy = "run `dvc repro`, or `dvc pull` what others have pushed"
    return PipelineError(f"{path} is missing; an earlier stage makes it: {remedy}")


def restore_outputs() -> None:
    """Put back what dvc.lock records for the stage that DVC is running and that is gone.

    DVC removes a stage's outputs before it runs the command (all but those marked `persist`, which
    the run cache does not serve). A stage that then refuses its input would leave a hole: this
    fills it from DVC's cache.

    Does nothing outside `dvc repro`, or where the cache lies elsewhere: `dvc checkout` serves then.
    Where it cannot, it says nothing, since the stage's own message is what matters.
    """
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        return
    root = Path(os.environ["DVC_ROOT"])
    with contextlib.suppress(OSError, PipelineError):
        for output in with_files(outputs(), root):
            cached = root / output.cached
            gone = output.stage == stage and not output.path.exists()
            if gone and cached.is_file() and checksum(cached) == output.md5:
                with atomic_write(output.path) as part:
                    shutil.copyfile(cached, part)
