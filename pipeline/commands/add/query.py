"""Keep what a query of a database gives: a Parquet file, in which all values are what they were.

The address of the database, which may hold a password, is taken from the environment by its name
and stands nowhere: in no file, and in no message.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pipeline.core.errors import PipelineError

ROWS = 65_536  # at once
EXACT = 2**53  # below it a float is one integer
QUERY = "query"  # key of the file's metadata


def snapshot(query: str, connection: str, path: Path) -> None:
    """Write the rows of a query, in the order that the database gives them.

    Parameters
    ----------
    query : str
        SQL of that database; as its own driver takes it.
    connection : str
        The name of an environment variable that holds an address as SQLAlchemy writes it:
        sqlite:///file.db, postgresql+psycopg://user:password@host/database.
    path : Path

    Raises
    ------
    PipelineError
        When the name is not set, the database refuses, or a column holds values of several kinds.
    """
    url = os.environ.get(connection)
    if not url:
        form = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        raise PipelineError(f"--connection {connection}: is not set; expected `export` of {form}")
    try:
        names, parts = _rows(sa.create_engine(url), query)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = _without(url, str(getattr(error, "orig", None) or error).split("\n")[0])
        raise PipelineError(f"--connection {connection}: {reason}") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PipelineError(f"--query: has two columns {', '.join(twice)}; name them by AS")
    columns = [_column(name, [part[k] for part in parts]) for k, name in enumerate(names)]
    schema = pa.schema([(n, c.type) for n, c in zip(names, columns, strict=True)])
    pq.write_table(pa.Table.from_arrays(columns, schema=schema.with_metadata({QUERY: query})), path)


def _rows(engine: sa.Engine, query: str) -> tuple[list[str], list[list[pa.Array]]]:
    """The names of the columns, and these, some rows at a time."""
    try:
        with engine.connect() as database:
            found = database.execution_options(stream_results=True).exec_driver_sql(query)
            if not found.returns_rows:
                raise ValueError("the query gives no rows; expected a SELECT")
            names = [*map(str, found.keys())]
            parts = [
                [_array(name, [row[k] for row in rows]) for k, name in enumerate(names)]
                for rows in found.partitions(ROWS)
            ]
            return names, parts or [[pa.nulls(0)] * len(names)]
    finally:
        engine.dispose()


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):
        kinds = ", ".join(sorted({type(value).__name__ for value in values if value is not None}))
        raise PipelineError(f"--query: column {name} holds {kinds}; CAST it to one type") from None


def _column(name: str, parts: Sequence[pa.Array]) -> pa.ChunkedArray:
    """The parts of a column, of one kind; integers are no floats unless these are exact."""
    kinds = {part.type for part in parts} - {pa.null()}
    exact = all(_fits(part) for part in parts) or pa.float64() not in kinds
    try:
        kind = pa.unify_schemas(
            [pa.schema([("a", kind)]) for kind in kinds or {pa.null()}],
            promote_options="permissive" if exact else "default",
        )
        return pa.chunked_array([part.cast(kind.types[0]) for part in parts])
    except pa.ArrowException:
        several = ", ".join(sorted(map(str, kinds)))
        text = f"--query: column {name} holds {several}; CAST it to one type"
        raise PipelineError(text) from None


def _fits(part: pa.Array) -> bool:
    if part.type != pa.int64():
        return True
    return all(value is None or abs(value) <= EXACT for value in part.to_pylist())


def _without(url: str, text: str) -> str:
    """A message that tells nothing of the address."""
    password = None
    with suppress(SQLAlchemyError, ValueError):
        password = sa.make_url(url).password
    for secret in filter(None, (url, password)):
        text = text.replace(secret, "...")
    return text
