"""Plain text for a terminal of 100 columns."""

from collections.abc import Iterable, Sequence

from tabulate import tabulate

WIDTH = 100
LABEL = 10


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
    """Give the lines of paragraphs beside a label; none where there is no paragraph."""
    labels = [label.ljust(LABEL), *[" " * LABEL] * len(paragraphs)]
    cells = [*zip(labels, map(plain, paragraphs), strict=False)]
    return _lines(cells, maxcolwidths=[None, WIDTH - LABEL - 2], break_on_hyphens=False)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Give rows as aligned lines, with long cells shortened."""
    return _lines([[shortened(plain(cell)) for cell in row] for row in rows])


def _lines(cells: Sequence[Sequence[str]], **wrapping: object) -> list[str]:
    text = tabulate(
        cells, tablefmt="plain", disable_numparse=True, preserve_whitespace=True, **wrapping
    )
    return [line.rstrip() for line in text.splitlines()]
