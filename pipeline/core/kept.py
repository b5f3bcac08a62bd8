"""Rows that belong together, and that neither a split nor a fold may part."""

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core.columns import as_text
from pipeline.core.dates import days_of
from pipeline.core.errors import PipelineError
from pipeline.core.settings.split import SplitRows
from pipeline.core.tables import as_array
from pipeline.core.text import nearest

Codes = NDArray[np.intp]


class Kept(NamedTuple):
    """What rows belong to.

    Attributes
    ----------
    kind : str
        `groups`: those of one group stay together; `moments`: those of one moment do, and what
        comes before trains for what comes after.
    codes : ndarray of shape (n_rows,)
        The number of each row's group, or of its moment, in the order of time, from 0.
    """

    kind: Literal["groups", "moments"]
    codes: Codes

    def of(self, rows: NDArray[np.intp]) -> "Kept":
        """The same of some of the rows."""
        return self._replace(codes=np.unique(self.codes[rows], return_inverse=True)[1])


def kept_together(
    table: pa.Table, used: NDArray[np.intp], split: SplitRows, where: str
) -> Kept | None:
    """What the rows belong to by split.group or split.time; None where neither is declared.

    Parameters
    ----------
    table : Table
        As ingested.
    used : ndarray of shape (n_rows,)
        Which of its rows are asked for.
    split : SplitRows
    where : str
        The dataset's block of params.yaml, to name in messages.

    Raises
    ------
    PipelineError
        When there is no such column, it has gaps, or a time is neither number nor date.
    """
    key, name = ("group", split.group) if split.group is not None else ("time", split.time)
    if name is None:
        return None
    if name not in table.column_names:
        hint = nearest(name, table.column_names)
        raise PipelineError(f"{where}.split.{key}: there is no column {name}{hint}")
    column, named = table[name].take(pa.array(used)), f"{where}.split.{key}: {name}"
    if column.null_count:
        raise PipelineError(
            f"{named} is missing in {column.null_count} of {len(used)} rows; fill it in, or take "
            "these rows out"
        )
    if key == "group":
        found = as_text(column).combine_chunks().dictionary_encode()
        return Kept("groups", np.asarray(found.indices, dtype=np.intp))
    if not pa.types.is_string(column.type):  # integers as such: floats beyond 2^53 fall together
        return Kept("moments", np.unique(as_array(column), return_inverse=True)[1])
    days, bad = days_of(column)
    if bad.any():
        first = column[int(np.argmax(bad))].as_py()
        raise PipelineError(
            f"{named} is {first!r} in some rows, expected numbers, or dates of ISO 8601 such as "
            "2024-01-31 (ingest.csv.dates declares other forms)"
        )
    return Kept("moments", np.unique(days, return_inverse=True)[1])
