"""Run one stage, or another command: what ends it is one message on stderr and an exit code."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any, NamedTuple

from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.layout import NAME


class Stage(NamedTuple):
    """The module of a stage, and how many names it takes: 1 is a dataset, 2 a model of it, too."""

    module: str
    names: int


STAGES = {
    "params": Stage("pipeline.params", 0),
    "ingest": Stage("pipeline.ingest.stage", 1),
    "validate": Stage("pipeline.validate.stage", 1),
    "split": Stage("pipeline.split.stage", 1),
    "train": Stage("pipeline.solvers.stage", 2),
    "evaluate": Stage("pipeline.evaluate.stage", 1),
    "report": Stage("pipeline.report.stage", 0),
    "textbook": Stage("pipeline.textbook.stage", 0),
    "track": Stage("pipeline.tracking.stage", 0),
}
NO_RESULT_OF_PARAMS = {"textbook", "track"}
ELSEWHERE = "`make setup` installs all, `. .venv/bin/activate` lets dvc and python use it"
OF_DVC = re.compile(f"({NAME})@({NAME})(?:-({NAME}))?")


def run(words: Sequence[str]) -> int | None:
    """Run the stage that the words name.

    Parameters
    ----------
    words : sequence of str
        STAGE, DATASET and MODELs as each stage takes them, or all in one word as DVC names a stage:
        `ingest@house`, `train_gradient@house-manual_gd`.

    Returns
    -------
    int or None
        The exit code: 0 done; 2 bad input or a bad setting; 3 the training diverged; 130
        interrupted. None where the words are another command's.
    """
    if len(words) == 1 and "@" in words[0]:
        named = OF_DVC.fullmatch(words[0])
        if not named:
            form = "STAGE@DATASET or STAGE@DATASET-MODEL, each a name of a-z, 0-9 and _ that begins"
            error = PipelineError(f"{words[0]}: expected {form} with a letter")
            return ended(words, error)
        kind, *names = filter(None, named.groups())
        words = [kind if kind in STAGES else kind.partition("_")[0], *names]
    if not words or words[0] not in STAGES or any(word.startswith("-") for word in words):
        return None
    stage, *names = words
    if len(names) != STAGES[stage].names and not (stage == "train" and len(names) > 2):
        return None
    return guarded(words, lambda: call_stage(stage, names))


def call_stage(stage: str, names: Sequence[str], **options: Any) -> None:
    """Call a stage's function with the names of a dataset and models.

    Raises
    ------
    PipelineError
        When the stage refuses, or when params.yaml changed meanwhile.
    """
    function = getattr(import_module(STAGES[stage].module), stage)
    from pipeline.core.checked_inputs import params_unchanged  # what --help need not wait for

    with nullcontext() if stage in NO_RESULT_OF_PARAMS else params_unchanged(*names[:1]):
        function(*names, **options)


def guarded(words: Sequence[str], work: Callable[[], None]) -> int:
    """Do the work of a command; say on stderr what it warns of and what ends it.

    When a stage ends early its earlier outputs, which DVC has removed, are put back.

    Parameters
    ----------
    words : sequence of str
        The command line; the messages name its first word.
    """
    command = words[0]
    try:
        with _warnings_on_stderr(command):
            work()
        return 0
    except PipelineError as error:
        message, code = f"error: {command}: {error}", error.exit_code
    except KeyboardInterrupt:
        message, code = f"{command}: interrupted", 130
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("pipeline"):
            raise
        message = f"error: {command}: {sys.executable} has no {error.name}; {ELSEWHERE}"
        code = 2
    except BaseException as error:
        # A thread, too, may find no room for its stack, and a library none for its code.
        no_room = "can't start new thread", "failed to map segment from shared object"
        if not (isinstance(error, MemoryError) or str(error).endswith(no_room)):
            _restore()
            raise
        message = f"error: {' '.join(words)}: out of memory; free some, or give it fewer rows"
        code = 2
    print(_visible(message), file=sys.stderr)
    _restore()
    return code


def ended(words: Sequence[str], error: BaseException) -> int:
    """End a command by what came before its work began; returns the exit code."""

    def work() -> None:
        raise error

    return guarded(words, work)


def say(text: str) -> None:
    """Print; where nobody reads on, as behind `| head`, nothing is said of it."""
    try:
        print(text, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes at its end
        if not isinstance(error, BrokenPipeError):
            raise PipelineError(f"stdout: cannot be written: {error.strerror}") from None


def _visible(message: str) -> str:
    """A message in which what a terminal would obey is written out; names come from outside."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)


@contextmanager
def _warnings_on_stderr(command: str) -> Iterator[None]:
    """One line each, without Python's file names; other packages' warnings stay as they are."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", PipelineWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            if issubclass(category, PipelineWarning):
                print(_visible(f"warning: {command}: {message}"), file=sys.stderr)
            else:
                others(message, category, *where, **how)

        warnings.showwarning = show
        yield


def _restore() -> None:
    with suppress(ModuleNotFoundError):  # what ended the command: `guarded` says so
        from pipeline.core.files import restore_outputs

        restore_outputs()
