"""A progress bar of a training on the terminal: epochs, time left, loss."""

import contextlib
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any


class Bar:
    """A bar on stderr, where that is a terminal; tqdm is imported when it is first drawn.

    Parameters
    ----------
    name : str
        Stands in front of it.
    epochs : int
        The most there can be; with fewer the bar ends early.
    """

    def __init__(self, name: str, epochs: int) -> None:
        self._name, self._epochs = name, epochs
        self._lock = threading.Lock()
        self._bar: Any = None

    def draw(self, epoch: int, loss: float, elapsed: float) -> None:
        """Show how far it is after so many seconds."""
        with self._lock:
            if self._bar is None:
                self._bar = self._made()
            self._bar.start_t = time.time() - elapsed
            self._set(epoch, loss)
            self._bar.refresh()

    def close(self, latest: tuple[int, float] | None) -> None:
        """Leave the last state on a line of its own, if there is a bar."""
        with self._lock:
            if self._bar is not None and latest:
                self._set(*latest)
                self._bar.close()
                self._bar = None

    @contextlib.contextmanager
    def below_warnings(self) -> Iterator[None]:
        """Give warnings a line of their own; the bar comes back under them when next drawn."""
        others = warnings.showwarning

        def show(*warning: Any, **where: Any) -> None:
            with self._lock:
                if self._bar is not None:
                    self._bar.clear()
                others(*warning, **where)

        warnings.showwarning = show
        try:
            yield
        finally:
            warnings.showwarning = others

    def _set(self, epoch: int, loss: float) -> None:
        self._bar.n = epoch
        self._bar.set_postfix_str(f"loss {loss:.6g}", refresh=False)

    def _made(self) -> Any:
        from tqdm import tqdm

        return tqdm(
            desc=self._name,
            total=self._epochs,
            unit="epoch",
            file=sys.stderr,
            disable=None,  # where stderr is no terminal
            delay=1,  # until its clock is set
            dynamic_ncols=True,
        )
