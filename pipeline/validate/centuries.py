"""Dates whose years have two digits, where the century is in doubt."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.dates import CENTURIES, century_doubt
from pipeline.core.oddities import Oddity
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.split import is_date
from pipeline.core.tables import read_groups, table_schema

NEVER = "9999-12-31"


def centuries(path: Path, settings: Dataset) -> Iterator[Oddity]:
    """A warning for each column of dates that may lie in another century.

    Behind which day a date is odd the other columns tell, not the clock, which would give another
    report of the same table on another day.

    Parameters
    ----------
    path : Path
        Of the ingested table.
    settings : Dataset
    """
    forms, columns = settings.ingest.csv.dates, settings.split.columns.items()
    short = {name: form for name, form in forms.items() if "%y" in form}
    dates = [name for name, kind in columns if is_date(kind)]
    if short.keys().isdisjoint(dates):
        return
    ends = _ends(path, dates)
    latest = max((last for name, (_, last) in ends.items() if name not in short), default=NEVER)
    for name in sorted(short.keys() & ends):
        if doubt := century_doubt(name, short[name], ends[name], latest[:10]):
            remedy = "where that is wrong, write years of four digits into the file"
            text = f"dates as {short[name]}, and {doubt}: {CENTURIES}; {remedy}"
            yield Oddity("century", f"{settings.ingest.path}: column {name}: {text}")


def _ends(path: Path, names: Collection[str]) -> dict[str, tuple[str, str]]:
    """The first and the last date of the columns that have some."""
    kinds, found = table_schema(path), dict[str, tuple[str, str]]()
    texts = [name for name in names if pa.types.is_string(kinds.field(name).type)]
    for group in read_groups(path, texts):
        for name in texts:
            ends = pc.min_max(group[name]).as_py().values()
            known = [*filter(None, ends), *found.get(name, ())]
            if known:
                found[name] = min(known), max(known)
    return found
