"""Keep what a query of a database gives: a Parquet file, in which all values are what they were.

The address of the database, which may hold a password, is taken from the environment by its name
and stands nowhere: in no file, and in no message.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from pipeline.core.errors import PipelineError
from pipeline.core.text import EXACT

ROWS = 65_536  # at once
SQLITE = "sqlite"
QUERY = "query"  # key of the file's metadata
FORM = "sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


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
    url = _address(connection)
    try:
        names, parts = _rows(sa.create_engine(url), query)
    except (SQLAlchemyError, ImportError) as error:
        reason = _without(url, str(getattr(error, "orig", None) or error).split("\n")[0])
        install = "; install the driver" * isinstance(error, ImportError)
        raise PipelineError(f"--connection {connection}: {reason}{install}") from None
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise PipelineError(f"--query: has two columns {', '.join(twice)}; name them by AS")
    columns = [_column(name, [part[k] for part in parts]) for k, name in enumerate(names)]
    schema = pa.schema([(n, c.type) for n, c in zip(names, columns, strict=True)])
    pq.write_table(pa.Table.from_arrays(columns, schema=schema.with_metadata({QUERY: query})), path)


def _address(connection: str) -> sa.URL:
    """The address that a variable holds; no message shows a part of one that cannot be taken."""
    where = f"--connection {connection}"
    text = os.environ.get(connection)
    if not text:
        raise PipelineError(f"{where}: is not set; expected `export` of {FORM}")
    try:
        url = sa.make_url(text)
    except (SQLAlchemyError, ValueError):
        url = None
    if url is None or "@" in (url.host or ""):
        signs = "in a password @ is written %40, / %2F, : %3A"
        raise PipelineError(f"{where}: is no address; expected {FORM}; {signs}")
    file = url.database if url.get_backend_name() == SQLITE else None
    if file and not (file == ":memory:" or "uri" in url.query or Path(file).is_file()):
        raise PipelineError(f"{where}: there is no such file")  # which SQLite would make
    return url


def _rows(engine: sa.Engine, query: str) -> tuple[list[str], list[list[pa.Array]]]:
    """The names of the columns, and these, some rows at a time. Nothing is changed."""
    try:
        with engine.connect() as connected:
            options = {"stream_results": True, "no_parameters": True}  # a % is one
            if engine.name == "postgresql":
                options["postgresql_readonly"] = True
            database = connected.execution_options(**options)
            if engine.name == SQLITE:
                database.exec_driver_sql("pragma query_only = on")
            found = database.exec_driver_sql(query.strip().removesuffix(";"))
            if not found.returns_rows:
                raise PipelineError("--query: gives no table; expected a SELECT")
            names = [*map(str, found.keys())]
            parts = [
                [_array(name, [row[k] for row in rows]) for k, name in enumerate(names)]
                for rows in found.partitions(ROWS)
            ]
    finally:
        engine.dispose()
    if not parts:
        raise PipelineError("--query: gives no row")
    return names, parts


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    try:
        found = pa.array(values)
        if pa.types.is_time(found.type) and any(value and value.tzinfo for value in values):
            raise pa.ArrowInvalid("times of day with a zone")  # which Arrow drops
        return found
    except (pa.ArrowException, OverflowError) as error:
        kinds = ", ".join(sorted({type(value).__name__ for value in values if value is not None}))
        reason = str(error).split("\n")[0]
        text = f"--query: column {name} holds {kinds} ({reason}); CAST it to one type"
        raise PipelineError(text) from None


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
    ends = pc.min_max(part).as_py().values()
    return all(value is None or abs(value) <= EXACT for value in ends)


def _without(url: sa.URL, text: str) -> str:
    """A message without a password."""
    hidden = [url.password, *(value for key, value in url.query.items() if "pass" in key)]
    for secret in filter(None, map(str, hidden)):
        text = text.replace(secret, "...")
    return text
