"""The rows of a table in another order, on disk: memory holds a block of them at a time."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array

Rows = NDArray[np.int64]


class Shuffled:
    """Some rows of a table, in orders of their own.

    They come in the table's order, and each goes to the region of the file that its block has, so
    that a block is read in one piece; within it the order tells where a row belongs. The file has
    no name, and ends with the process.

    Parameters
    ----------
    folder : Path
        Where there is room: 8 bytes a number.
    orders : sequence of ndarray of int
        The numbers of the table's rows in each order; no row is in two.
    n_rows : int
        Of the table.
    n_columns : int
    size : int
        Rows of a block; the last of an order may have fewer.

    Attributes
    ----------
    blocks : list of list of ndarray of int
        Of each order its blocks: the numbers of their rows, as `read` takes them.

    Raises
    ------
    PipelineError
        When the disk refuses, here and in `take`.
    """

    def __init__(
        self, folder: Path, orders: Sequence[Rows], n_rows: int, n_columns: int, size: int
    ) -> None:
        self._folder, self._shape = folder, (size, n_columns)
        self.blocks = [
            [order[start : start + size] for start in range(0, len(order), size)]
            for order in orders
        ]
        self._block = np.full(n_rows, -1, dtype=np.int32)  # that a row is in
        self._number = dict[int, int]()  # of a block, by its first row
        for number, rows in enumerate(block for of_one in self.blocks for block in of_one):
            self._block[rows] = number
            self._number[int(rows[0])] = number
        self._taken = np.zeros(len(self._number), dtype=np.int64)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise self._refused(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def take(self, first: int, values: Array) -> None:
        """Take the next rows of the table.

        Parameters
        ----------
        first : int
            The number of the first of them.
        values : ndarray of shape (n, n_columns)
        """
        block = self._block[first : first + len(values)]
        order = np.argsort(block, kind="stable")
        numbers, starts = np.unique(block[order], return_index=True)
        size, width = self._shape
        for number, rows in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            if number >= 0:
                place = (number * size + int(self._taken[number])) * width * 8
                self._write(np.ascontiguousarray(values[rows]), place)
                self._taken[number] += len(rows)

    def read(self, rows: Rows) -> Array:
        """One of the blocks, in its order; on any thread.

        Returns
        -------
        ndarray of shape (n, n_columns)
        """
        size, width = self._shape
        found = np.empty((len(rows), width))
        place, left = self._number[int(rows[0])] * size * width * 8, found.data.cast("B")
        while len(left):
            count = os.preadv(self._file.fileno(), [left], place)
            if not count:
                raise PipelineError(f"{self._folder}: a file there was cut off; free some space")
            left, place = left[count:], place + count
        values = np.empty_like(found)
        values[np.argsort(rows)] = found
        return values

    def _write(self, values: Array, place: int) -> None:
        left = values.data.cast("B")
        try:
            while len(left):
                count = os.pwrite(self._file.fileno(), left, place)
                left, place = left[count:], place + count
        except OSError as error:
            raise self._refused(error) from None

    def _refused(self, error: OSError) -> PipelineError:
        return PipelineError(
            f"{self._folder}: cannot be written: {error.strerror or error}; shuffling the rows "
            "needs as much room there as they take in data/1_ingested"
        )
