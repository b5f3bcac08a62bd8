"""Days that stand for no date, such as 9999-12-31."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.dates import days_of
from pipeline.core.oddities import Oddity
from pipeline.core.preprocessing import thinned
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.split import is_date
from pipeline.core.tables import Array, read_groups, row_groups, table_schema
from pipeline.validate.profile import SAMPLE
from pipeline.validate.sentinels import day_of, sentinel_dates


def placeholders(path: Path, settings: Dataset) -> Iterator[Oddity]:
    """A warning for each day of a column of dates that seems to stand for none.

    Parameters
    ----------
    path : Path
        Of the ingested table.
    settings : Dataset
    """
    schema, split = table_schema(path), settings.split
    dates = [name for name, kind in split.columns.items() if is_date(kind)]
    dates += [] if split.time is None or split.time in dates else [split.time]
    for name in (name for name in dates if name in schema.names):
        if not pa.types.is_string(schema.field(name).type):  # without any value
            continue
        days, all_rows = _days(path, name)
        for one in sentinel_dates(days):
            day, ends = day_of(one.value), f"{day_of(one.low)} to {day_of(one.high)}"
            where = "" if all_rows else " looked at"
            yield Oddity(
                "sentinel",
                f"{settings.ingest.path}: column {name}: {one.times} of {len(days)} dates{where} "
                f"are {day}, all but such lie in {ends}: if it stands for no value, declare "
                f'missing: ["{day}"] (as the file writes it; params.yaml: ingest.csv), or take '
                "these rows out",
            )


def _days(path: Path, name: str) -> tuple[Array, bool]:
    """The days since 1970-01-01 of evenly spaced rows that have one, and whether of all rows."""
    _, stops = row_groups(path)
    picked, start, found = thinned(stops[-1], SAMPLE), 0, list[Array]()
    for group, stop in zip(read_groups(path, [name]), stops, strict=True):
        rows = picked[(start <= picked) & (picked < stop)] - start
        found.append(days_of(group[name].take(pa.array(rows)))[0])
        start = stop
    days = np.concatenate(found)
    return days[~np.isnan(days)], len(picked) == start
