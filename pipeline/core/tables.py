"""Tables between stages: Parquet with fixed row groups, and their view as arrays.

Arrays cross over as buffers: pyarrow's own conversions import pandas, 0.4 s a process.
"""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core.errors import PipelineError
from pipeline.core.files import missing, whole

ROW_GROUP = 65_536
TILE = 1024

Array = NDArray[np.float64]


def number_table(names: Sequence[str], columns: Sequence[NDArray[np.generic]]) -> pa.Table:
    """A table of float64 and int64 columns."""
    return pa.Table.from_arrays([number_column(column) for column in columns], names=list(names))


def number_column(values: NDArray[np.generic]) -> pa.Array:
    """A column of a float64 or int64 array, without a copy where it is contiguous."""
    if values.dtype not in (np.float64, np.int64):
        raise TypeError(f"expected float64 or int64, got {values.dtype}")
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    kind = pa.float64() if values.dtype == np.float64 else pa.int64()
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def write_table(path: Path, table: pa.Table) -> None:
    """Write Parquet: uncompressed, no dictionaries, row groups of 65,536 rows."""
    with whole(path) as part:
        pq.write_table(
            table, part, compression="none", use_dictionary=False, row_group_size=ROW_GROUP
        )


def read_table(path: Path) -> pa.Table:
    """Read a table that an earlier stage wrote."""
    with _opened(path) as file:
        return file.read(use_threads=False)


def read_group(path: Path, group: int) -> pa.Table:
    """Read one of its row groups."""
    with _opened(path) as file:
        return file.read_row_group(group, use_threads=False)


def row_groups(path: Path) -> tuple[list[str], list[int]]:
    """The names of its columns, and the number of rows up to the end of each row group."""
    with _opened(path) as file:
        groups = (file.metadata.row_group(k).num_rows for k in range(file.num_row_groups))
        return file.schema_arrow.names, list(accumulate(groups))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, pa.ArrowException) as error:
        raise PipelineError(f"{path}: damaged: {error}; `dvc repro` makes it again") from None


def as_arrays(table: pa.Table) -> tuple[Array, Array]:
    """The features and the target of one part of a split: numbers, the target last.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    *features, target = [_array(column) for column in table.columns]
    X = np.empty((len(target), len(features)))
    for start in range(0, len(target), TILE):  # what is read by column is written by row
        rows = slice(start, start + TILE)
        for k, feature in enumerate(features):
            X[rows, k] = feature[rows]
    return X, target.astype(np.float64)


def _array(column: pa.ChunkedArray) -> NDArray[np.generic]:
    chunks = [np.from_dlpack(chunk) for chunk in column.chunks if len(chunk)]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0), *chunks])
