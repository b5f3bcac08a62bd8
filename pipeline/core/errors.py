"""What ends a command: each error is one readable message and an exit code."""

from collections.abc import Sequence

SHOWN = 20


class PipelineError(Exception):
    """Bad input or a bad setting: what, where, what was expected, what to do."""

    exit_code = 2


class Diverged(PipelineError):
    """A training loss stopped being finite."""

    exit_code = 3

    def __init__(self, epoch: int, lr: float, stable: float) -> None:
        if epoch == 0:
            super().__init__(
                "the loss is not finite before the first step: values of the target or the "
                "features are too large; rescale them"
            )
            return
        super().__init__(
            f"diverged at epoch {epoch}: the loss is no longer finite with lr {lr:g}; the largest "
            f"stable lr on these training rows is {stable:.6g}. Lower it (params.yaml: lr)."
        )


def listed(problems: Sequence[str]) -> str:
    """Join problems, one a line: the first 20 and a count of the rest."""
    rest = len(problems) - SHOWN
    return "\n".join([*problems[:SHOWN], *([f"... and {rest} more"] if rest > 0 else [])])
