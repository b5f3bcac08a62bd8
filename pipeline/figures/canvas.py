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

from pipeline.core.tables import Array
from pipeline.core.text import in_one_line
from pipeline.figures.svg import FAINT, INK, tidy

Drawn = tuple[Figure, str]  # and what is to be seen in it, with numbers
WIDTH = 360  # points; a phone shows them one to one, and text keeps its size
RIGHT = 10  # points, left free there
SIZE = 9
SMALL = 8


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw by this module's settings, whatever the reader's own matplotlibrc says."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rc("svg", fonttype="none", hashsalt="pipeline")  # equal drawings have equal ids
        mpl.rc("text", parse_math=False, color=INK)  # a `$` in a column's name is a dollar
        mpl.rc("font", family=["DejaVu Sans"], size=SIZE)  # comes with matplotlib: one width
        mpl.rc("xtick", labelsize=SMALL, labelcolor=INK, color=FAINT)
        mpl.rc("ytick", labelsize=SMALL, labelcolor=INK, color=FAINT)
        mpl.rc("legend", fontsize=SMALL, frameon=False, handlelength=2.6, columnspacing=1.2)
        mpl.rc("legend", borderaxespad=0.2, borderpad=0.2, labelspacing=0.35)
        mpl.rc("grid", color=FAINT, linewidth=0.4)
        mpl.rc("axes", labelsize=SIZE, titlesize=SIZE, labelcolor=INK, titlecolor=INK)
        mpl.rc("axes", edgecolor=FAINT, facecolor="none", grid=True, axisbelow=True)
        mpl.rc("axes.spines", top=False, right=False)
        mpl.rc("axes.formatter", useoffset=False, limits=(-9, 12))  # as a reader writes numbers
        mpl.rc("figure", facecolor="none")
        mpl.rc("savefig", facecolor="none")
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
    canvas.subplots_adjust(**grid)
    axes = [canvas.add_subplot(rows, columns, k + 1) for k in range(count)]
    for one in axes:
        one.locator_params(nbins=5 if columns == 1 else 3)
    return canvas, axes


def legend_height(labels: Sequence[str]) -> float:
    """Points that a legend of these labels needs."""
    return 13 * math.ceil(len(labels) / _columns(labels)) + 4 if labels else 0


def add_legend(canvas: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend over the axes, where it hides nothing."""
    columns = _columns(labels)
    canvas.legend(handles, labels, ncols=columns, loc="upper left", bbox_to_anchor=(0, 1))


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
    line = shown = in_one_line(text)
    kept = len(line)
    while kept > 2 and width(shown, 1) > most:
        kept -= 1
        shown = line[: kept - kept // 2] + "…" + line[len(line) - kept // 2 :]
    return shown


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

    Where it has but one pair of axes, what has a label there is in the legend.

    Parameters
    ----------
    name : str
        Begins every id of the SVG; no other picture of the page has it.
    """
    if len(canvas.axes) == 1:
        _make_room(canvas.axes[0])
        handles, labels = canvas.axes[0].get_legend_handles_labels()
        if labels:
            add_legend(canvas, handles, labels)
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return tidy(buffer.getvalue(), name)


def _make_room(axes: Axes) -> None:
    """Move the left side to where the labels beside it end."""
    widest = max((width(label.get_text(), SMALL) for label in axes.get_yticklabels()), default=0)
    left = (widest + (SIZE + 14 if axes.get_ylabel() else 10)) / WIDTH
    box = axes.get_position()
    axes.set_position((left, box.y0, box.x1 - left, box.height))
