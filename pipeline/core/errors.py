"""What ends a command: each error is one readable message and an exit code."""

from collections.abc import Callable, Sequence

SHOWN = 20


class PipelineError(ValueError):
    """Bad input or a bad setting: what, where, what was expected, what to do."""

    exit_code = 2


class PipelineWarning(UserWarning):
    """Something that the result may suffer from: what, where, what to do."""


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
            "Lower it (params.yaml: lr)."
        )


def listed(problems: Sequence[str]) -> str:
    """Join problems, one a line: the first 20 and a count of the rest."""
    rest = len(problems) - SHOWN
    return "\n".join([*problems[:SHOWN], *([f"... and {rest} more"] if rest > 0 else [])])
