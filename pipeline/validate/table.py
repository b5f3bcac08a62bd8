"""A Parquet file against its schema, a row group at a time; pandera makes every check."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pipeline.core.errors import SHOWN
from pipeline.core.tables import read_groups, read_table, table_schema
from pipeline.validate.profile import Profile
from pipeline.validate.schema import across_rows, row_by_row, settled_by_extremes
from pipeline.validate.values import Problem, Source, check_values


@dataclass
class Found:
    """How many there are, and the first of them in the file's order."""

    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, first: Sequence[Problem], count: int) -> None:
        """Take more; what is wrong with a column as a whole counts once."""
        self.count += count - len([p for p in first if p[0] < 0 and p in self.first])
        self.first = sorted({*self.first, *first})[:SHOWN]


def check_table(path: Path, schema: pa.DataFrameSchema, source: Source, profile: Profile) -> Found:
    """Every place where the values break the schema.

    Where the checks of a column are bounds, pandera judges its smallest and its largest value; only
    where one of these fails, or there are other checks, it sees the column, a row group at a time.
    What is asked of the rows together (`unique`) needs the columns that it is about whole.

    Parameters
    ----------
    path : Path
        The ingested table.
    schema : DataFrameSchema
    source : Source
        How to name its rows in the messages.
    profile : Profile
        Of the same table: it knows the extremes.
    """
    found, rows, table = Found(), row_by_row(schema, target=None), table_schema(path)
    known = [name for name in table.names if name in schema.columns]
    wanted = [name for name in schema.columns if name in known]
    if schema.ordered and known != wanted:
        a, b = next(pair for pair in zip(known, wanted, strict=True) if pair[0] != pair[1])
        text = f"{source.path}: column {a} stands where the schema (ordered: true) has {b}"
        found.add([(-1, "", f"{text}; reorder them")], 1)
    settled = _passing(rows, settled_by_extremes(rows, table), profile)
    columns = [n for n in rows.columns if n in table.names and n not in settled]
    if columns:
        part, start = rows.select_columns(columns), 0
        for group in read_groups(path, columns):
            frame = group.to_pandas(split_blocks=True, use_threads=False)
            frame.index += start
            found.add(*check_values(frame, part, source, SHOWN)[1:])
            start += len(group)
    for together in across_rows(schema):
        names = [*together.columns]
        if set(names) <= set(table.names):
            whole = read_table(path, names).to_pandas(split_blocks=True, use_threads=False)
            found.add(*check_values(whole, together, source, SHOWN)[1:])
    return found


def _passing(schema: pa.DataFrameSchema, names: Sequence[str], profile: Profile) -> set[str]:
    """The columns of which the smallest and the largest value fit the schema."""
    of = {name: profile.numbers[name] for name in names}
    # the mean tells of nan and infinite values, which extremes may hide
    ends = {n: [c.low, c.high] for n, c in of.items() if not c.missing and np.isfinite(c.mean)}
    if not ends:
        return set()
    frame, everywhere = pd.DataFrame(ends), Source(Path(), "", range(2))
    part = schema.select_columns([*ends])
    problems = check_values(frame, part, everywhere, frame.size).first
    return ends.keys() - {column for _, column, _ in problems}
