"""data/2_validated/<dataset>/rejected.csv: the damaged records that ingest has set aside."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from pipeline.core import layout
from pipeline.core.files import write_text
from pipeline.core.tables import Rejected
from pipeline.core.text import csv_writer, escape_formula

FIRST = 3


def write_rejected(dataset: str, rejected: Sequence[Rejected]) -> None:
    """Write them as they stand in the file, but for what a spreadsheet would execute.

    There is no file where there are none.
    """
    path = layout.rejected(dataset)
    if not rejected:
        path.unlink(missing_ok=True)
        return
    text = StringIO()
    rows = csv_writer(text)
    rows.writerow(Rejected._fields)
    rows.writerows(
        (one.line, escape_formula(one.reason), escape_formula(one.text)) for one in rejected
    )
    write_text(path, text.getvalue())


def said(path: Path, rejected: Sequence[Rejected], records: int) -> str:
    """What to say of the records that are set aside: how many of all, and the first of them."""
    first = "; ".join(f"line {one.line}: {one.reason}" for one in rejected[:FIRST])
    rest = len(rejected) - FIRST
    are = "is" if len(rejected) == 1 else "are"
    return (
        f"{path}: {len(rejected)} of {records} records {are} damaged and set aside, as declared: "
        f"{first}{f'; and {rest} more' if rest > 0 else ''}"
    )
