"""What ends a command: each error is one readable message and an exit code."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

SHOWN = 20
GAPS = "gaps need nullable: true in the schema"


class PipelineError(ValueError):
    """Bad input or a bad setting: what, where, what was expected, what to do."""

    exit_code = 2


class PipelineWarning(UserWarning):
    """Something that the result may suffer from: what, where, what to do."""


@contextmanager
def _saying(change: Callable[[str], str]) -> Iterator[None]:
    """Change what an error, and a warning, says; the exit code stays."""
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
        ours = issubclass(category, PipelineWarning)
        shown(category(change(str(message))) if ours else message, category, *where, **how)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    except PipelineError as error:
        changed = PipelineError(change(str(error)))
        changed.exit_code = error.exit_code
        raise changed from None


def naming(what: str) -> AbstractContextManager[None]:
    """Say in front of an error, and of a warning, what it is about."""
    return _saying(lambda text: f"{what}: {text}")


def calling(path: str, name: str) -> AbstractContextManager[None]:
    """Write the name that a person knows for a path in an error, and in a warning."""
    return _saying(lambda text: text.replace(path, name))


class Diverged(PipelineError):
    """A training loss stopped being finite.

    Parameters
    ----------
    epoch : int
        Steps of all rows, or passes over the batches, up to then; 0 before the first step.
    stable : callable
        Gives the largest stable lr, or None where there is no bound.
    """

    exit_code = 3

    def __init__(self, epoch: int, lr: float, stable: Callable[[], float | None]) -> None:
        if epoch == 0:
            super().__init__(
                "the loss is not finite before the first step: values of the target or the "
                "features are too large; rescale them"
            )
            return
        bound = stable()
        rows = "on these training rows, for steps on all of them (batches bear less),"
        known = f"; the largest stable lr {rows} is {bound:.6g}" if bound else ""
        super().__init__(
            f"diverged at epoch {epoch}: the loss is no longer finite with lr {lr:g}{known}. "
            "Lower it (params.yaml: lr, of a network network.lr, or the model's own)."
        )


class Problems:
    """Problems of one input, of which the first 20 are kept and all are counted."""

    def __init__(self) -> None:
        self._texts, self._count = list[str](), 0

    def add(self, text: str, final: bool = False) -> None:
        """Take one more; one that ended the reading is shown in any case."""
        self._count += 1
        if final or len(self._texts) < SHOWN:
            self._texts.append(text)

    def __len__(self) -> int:
        return self._count

    def __str__(self) -> str:
        return counted(self._texts, self._count)


def counted(shown: Sequence[str], count: int) -> str:
    """The first problems, one a line, and how many there are beside them."""
    rest = count - len(shown)
    return "\n".join([*shown, *([f"... and {rest} more"] if rest > 0 else [])])


def listed(problems: Iterable[str]) -> str:
    """Join problems, one a line: the first 20 and a count of the rest."""
    every = [*problems]
    return counted(every[:SHOWN], len(every))
