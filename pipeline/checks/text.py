"""The report of a validation as text that people read; the JSON beside it has the same."""

import unicodedata

from pipeline.artifacts.validated import Validated
from pipeline.core.escape import in_one_line

COUNTS = ("missing", "empty")
FIGURES = (*COUNTS, "min", "max", "mean", "sd")


def as_text(found: Validated, schema: str) -> str:
    """Render the report; columns are aligned."""
    lines = [
        f"Validation of {found.dataset}",
        "",
        f"{_several(found.rows, 'row')}, of which {found.repeated_rows} repeat an earlier one",
        f"0 errors: every value is as {schema} expects",
        _several(len(found.warnings), "warning") + (":" if found.warnings else ""),
        *(f"  {text}" for text in found.warnings),
        "",
    ]
    if found.classes:
        shares = (f"{label}: {n} ({n / found.rows:.1%})" for label, n in found.classes.items())
        lines += [f"rows by class: {', '.join(shares)}", ""]
    shown = [key for key in FIGURES if any(key in values for values in found.columns.values())]
    table = [["column", *shown, "checked"]] + [
        [
            in_one_line(name),
            *(_figure(key, values.get(key)) for key in shown),
            ", ".join(found.checks[name]),
        ]
        for name, values in found.columns.items()
    ]
    widths = [max(map(_width, cells)) for cells in zip(*table, strict=True)]
    for name, *cells, checked in table:
        figures = zip(cells, widths[1:-1], strict=True)
        padded = [" " * (width - _width(cell)) + cell for cell, width in figures]
        lines.append("  ".join([name + " " * (widths[0] - _width(name)), *padded, checked]))
    return "\n".join([*lines, ""])


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if key in COUNTS else f"{value:.6g}"


def _width(text: str) -> int:
    """In columns of a terminal, where some characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
