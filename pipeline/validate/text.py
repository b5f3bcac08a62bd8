"""The report of a validation as text that people read; the JSON beside it has the same."""

from tabulate import tabulate

from pipeline.core.artifacts.validated import Validated
from pipeline.core.text import in_one_line

COUNTS = ("missing", "empty")
FIGURES = (*COUNTS, "min", "max", "mean", "sd")


def as_text(found: Validated, schema: str) -> str:
    """Render the report.

    Parameters
    ----------
    found : Validated
        What stands in the JSON beside it.
    schema : str
        The schema's file, to name in the text.

    Returns
    -------
    str
        Lines that end with LF; the columns are aligned, also where characters take two places.
    """
    lines = [
        f"Validation of {found.dataset}",
        "",
        *([f"{_several(found.set_aside, 'damaged record')} set aside"] if found.set_aside else []),
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
    rows = [
        [
            in_one_line(name),
            *(_figure(key, values.get(key)) for key in shown),
            ", ".join(found.checks[name]),
        ]
        for name, values in found.columns.items()
    ]
    # The names stand in the first row: tabulate would pad headers.
    table = tabulate(
        [["column", *shown, "checked"], *rows],
        tablefmt="plain",
        colalign=("left", *("right" for _ in shown), "left"),
        disable_numparse=True,
    )
    return "\n".join([*lines, table, ""])


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _figure(key: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if key in COUNTS else f"{value:.6g}"
