"""A progress bar of a training on the terminal: epochs, time left, loss."""

import contextlib
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm


class Bar:
    """A bar on stderr, where that is a terminal; it is there from the first `draw` on.

    Parameters
    ----------
    name : str
        Stands in front of it.
    epochs : int
        The most there can be; with fewer the bar ends early.
    """

    def __init__(self, name: str, epochs: int) -> None:
        self._look = {"desc": name, "total": epochs, "unit": "epoch", "dynamic_ncols": True}
        self._bar: Any = None

    def draw(self, epoch: int, loss: float, elapsed: float) -> None:
        """Show how far the training is after so many seconds."""
        if self._bar is None:
            # disable: None leaves it out where stderr is no terminal; delay: until its clock is set
            self._bar = tqdm(**self._look, file=sys.stderr, disable=None, delay=1)
        self._bar.start_t = time.time() - elapsed
        self._set(epoch, loss)
        self._bar.refresh()

    def close(self, epoch: int, loss: float) -> None:
        """Leave the last state on a line of its own, if there is a bar."""
        if self._bar is not None:
            self._set(epoch, loss)
            self._bar.close()

    def _set(self, epoch: int, loss: float) -> None:
        self._bar.n = epoch
        self._bar.set_postfix_str(f"loss {loss:.6g}", refresh=False)


@contextlib.contextmanager
def warnings_above_bars() -> Iterator[None]:
    """Give warnings a line of their own; a bar is drawn again below them."""
    others = warnings.showwarning

    def show(*warning: Any, **where: Any) -> None:
        with tqdm.external_write_mode(sys.stderr):
            others(*warning, **where)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = others
