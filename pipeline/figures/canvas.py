"""Figures as wide as a phone's page, laid out by hand: matplotlib's own layouts are slow."""

import contextlib
import io
import math
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from pipeline.core.escape import in_one_line
from pipeline.core.tables import Array
from pipeline.figures.svg import FAINT, INK, tidy

WIDTH = 360  # points; a phone shows them one to one, and text keeps its size
RIGHT = 10  # points, left free there
SIZE = 9
SMALL = 8
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pipeline",  # the ids of the same drawing are the same
    "text.parse_math": False,  # a `$` in a column's name is a dollar
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same widths everywhere
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "axes.titlesize": SIZE,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-9, 12),  # numbers as a reader writes them
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw by this module's settings, whatever the reader's own matplotlibrc says."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has it
        yield


def panels(
    count: int,
    height: float,
    columns: int = 1,
    left: float = 48,
    bottom: float = 34,
    top: float = 8,
    labels: Sequence[str] = (),
    gap: tuple[float, float] = (30, 34),
) -> tuple[Figure, list[Axes]]:
    """Axes in a grid, as wide as the page. All lengths are points.

    Parameters
    ----------
    count : int
        How many axes; the last row may have fewer than `columns`.
    height : float
        Of each row.
    left, bottom, top : float
        Room beside, below and above the grid.
    labels : sequence of str
        Of the legend, which gets room above the grid.
    gap : pair of float
        Between columns and between rows.
    """
    rows = math.ceil(count / columns)
    head = top + legend_height(labels)
    total = head + rows * height + (rows - 1) * gap[1] + bottom
    width = (WIDTH - left - RIGHT - (columns - 1) * gap[0]) / columns
    canvas = Figure(figsize=(WIDTH / 72, total / 72))
    grid = {
        "left": left / WIDTH, "right": 1 - RIGHT / WIDTH, "wspace": gap[0] / width,
        "bottom": bottom / total, "top": 1 - head / total, "hspace": gap[1] / height,
    }  # fmt: skip
    axes = list(canvas.subplots(rows, columns, squeeze=False, gridspec_kw=grid).flat)
    for one in axes[count:]:
        one.remove()
    for one in axes[:count]:
        one.locator_params(nbins=5 if columns == 1 else 3)
    return canvas, axes[:count]


def legend_height(labels: Sequence[str]) -> float:
    """Points that a legend of these labels needs."""
    return 13 * math.ceil(len(labels) / _columns(labels)) + 4 if labels else 0


def add_legend(canvas: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend over the axes, where it hides nothing."""
    canvas.legend(
        handles, labels, ncols=_columns(labels), loc="upper left", bbox_to_anchor=(0, 1),
        handlelength=2.6, columnspacing=1.2, borderaxespad=0.2, borderpad=0.2, labelspacing=0.35,
    )  # fmt: skip


def _columns(labels: Sequence[str]) -> int:
    widest = max(width(label, SMALL) for label in labels)
    return max(1, min(3, int((WIDTH - 6) // (widest + 40))))


def width(text: str, size: float) -> float:
    """Points that text takes at most: Chinese characters fill a square.

    >>> width("xx", 10), width("\N{CJK UNIFIED IDEOGRAPH-9762}", 10)
    (12.4, 10)
    """
    return size * sum(1 if unicodedata.east_asian_width(c) in "WF" else 0.62 for c in text)


def near(limits: tuple[float, float], values: Array) -> tuple[float, float]:
    """Limits of an axis, cut at twice the spread of values: one diverged model hides all else.

    Parameters
    ----------
    limits : pair of float
        As matplotlib would have them.
    values : ndarray of shape (n,)
        What must be seen in any case.
    """
    low, high = float(values.min()), float(values.max())
    room = 2 * ((high - low) or 1.0)
    return max(limits[0], low - room), min(limits[1], high + room)


def short(text: str, most: float) -> str:
    """One line of at most so many em; what is too long loses its middle.

    >>> short("customer_stays_for_a_year", 6)
    'cust…year'
    """
    line = in_one_line(text)
    if width(line, 1) <= most:
        return line
    kept = len(line) - 1
    while kept > 2 and width(_ends(line, kept), 1) > most:
        kept -= 1
    return _ends(line, kept)


def _ends(line: str, kept: int) -> str:
    return line[: kept - kept // 2] + "…" + line[len(line) - kept // 2 :]


def log_axis(axes: Axes, which: Literal["x", "y"], low: float, high: float) -> None:
    """Make an axis logarithmic, with labels that need no mathtext.

    Parameters
    ----------
    low, high : float
        Ends of what it shows: labels stand at powers of ten, closer where these are few.
    """
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = math.log10(high / low) if 0 < low < high else 0
    marks = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    few = decades < 1.3
    axis.set_major_locator(MaxNLocator(5) if few else LogLocator(subs=marks, numticks=7))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def finish(canvas: Figure, name: str) -> str:
    """The figure as SVG, the same bytes for the same figure.

    Parameters
    ----------
    name : str
        Begins every id of the SVG; no other picture of the page has it.
    """
    if len(canvas.axes) == 1:
        _make_room(canvas.axes[0])
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return tidy(buffer.getvalue(), name)


def _make_room(axes: Axes) -> None:
    """Move the left side to where the labels beside it end."""
    widest = max((width(label.get_text(), SMALL) for label in axes.get_yticklabels()), default=0)
    left = (widest + (SIZE + 14 if axes.get_ylabel() else 10)) / WIDTH
    box = axes.get_position()
    axes.set_position((left, box.y0, box.x1 - left, box.height))
