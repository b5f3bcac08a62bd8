"""Plain text for a terminal of 100 columns."""

import textwrap
from collections.abc import Sequence

WIDTH = 100
LABEL = 12


def plain(text: str) -> str:
    """Text without what a terminal would obey: a store may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in text)


def shortened(text: str, most: int = 40) -> str:
    """At most so many characters."""
    return text if len(text) <= most else text[: most - 3] + "..."


def few(names: Sequence[str], most: int = 5) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def entry(label: str, *paragraphs: str) -> list[str]:
    """Paragraphs beside a label, broken into lines."""
    lines = [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(plain(paragraph), WIDTH - LABEL, break_on_hyphens=False)
    ]
    return [f"{label if k == 0 else '':{LABEL}}{line}" for k, line in enumerate(lines)]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines."""
    cells = [[shortened(plain(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
