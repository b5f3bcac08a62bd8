"""The target as numbers: of classes the place of each label among their names."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.columns import as_text
from pipeline.core.errors import PipelineError
from pipeline.core.tables import Array, column_values
from pipeline.core.text import nearest


def label_names(target: pa.DataType, classes: Sequence[str] | None) -> list[str] | None:
    """What a file calls the classes, where the target is text; None where it has other labels."""
    return [*classes] if classes and pa.types.is_string(target) else None


def target_values(column: pa.ChunkedArray, classes: Sequence[str] | None, where: str) -> Array:
    """The target as numbers: of classes the place of each label among their names.

    Labels are matched by name where all of them are names of classes. Else they are places already.

    Parameters
    ----------
    column : ChunkedArray
    classes : sequence of str or None
        The names of the classes; None of a regression.
    where : str
        To name in messages.

    Returns
    -------
    ndarray of shape (n_rows,)
        nan where a value is missing.

    Raises
    ------
    PipelineError
        For text that is the name of no class, and text where numbers are wanted.
    """
    text = pa.types.is_string(column.type)
    if classes is None:
        if text:
            raise PipelineError(f"{where} is text; a regression needs numbers")
        return column_values(column)
    known = column.drop_null().unique()
    labels = as_text(pa.chunked_array([known])).to_pylist()
    strange = sorted(set(labels).difference(classes))
    if not strange:
        place = pa.array([float(classes.index(label)) for label in labels])
        found = pc.index_in(column, known)
        return column_values(pa.chunked_array([place]).take(found))
    if text:
        raise PipelineError(
            f"{where} is {strange[0]!r} in some rows, expected one of evaluate.classes: "
            f"{', '.join(classes)}{nearest(strange[0], classes)}"
        )
    return column_values(column)
