"""The metric against a swept param, as SVG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pipeline.commands.sweep.search import Point
from pipeline.commands.sweep.space import LOGARITHMIC, Space, listed, shown
from pipeline.commands.sweep.table import Ranking
from pipeline.core.tables import Array
from pipeline.core.trainers import Value
from pipeline.figures.canvas import finish, log_axis, panels, style
from pipeline.figures.looks import Look, Style
from pipeline.figures.svg import COLOURS, INK, alone

MARKERS = "os^vP"
BEST = "best of each"
WIDE = 20  # times the least score: beyond, the axis is logarithmic
STAR = Look(INK, "none", "*").mark(11)
CROSS = Look(INK, "none", "x").mark(5)
RING = Look(INK, "none", "o").mark(12) | {"markerfacecolor": "none"}


def draw(ranking: Ranking, param: str) -> str:
    """The mean score over the folds by one param, as SVG, with a line for each value of the others.

    Where these are more than a few, all points stand alone, with a line along the best of each
    value. The star is the winner, the ring the current params; a cross below is a point that
    diverged.

    Parameters
    ----------
    ranking : Ranking
        At least one point of it did not diverge.
    param : str
        The param across.
    """
    bench, metric = ranking.bench, ranking.bench.metric
    values = [point.params[param] for point in ranking.points]
    x_of = _places(values)

    def place(point: Point) -> float:
        return x_of[shown(point.params[param])]

    points = [point for point in ranking.points if point.folds]
    x = np.array([*map(place, points)])
    y = np.array([bench.sign * bench.loss(point) for point in points])
    lost = [place(point) for point in ranking.points if not point.folds]
    lines = _lines(ranking.space, param, points, x)
    current = [k for k, point in enumerate(points) if point is ranking.current]
    labels = [*filter(None, lines), "best", *["current"] * len(current)]
    with style():
        canvas, [axes] = panels(1, 190, labels=labels)
        _draw_lines(axes, lines, x, y, "" if _are_words(values) else "-")
        if lines.keys() <= {BEST}:
            axes.plot(x, y, ".", color=COLOURS[-1], zorder=1)
        axes.plot(x[0], y[0], **STAR, zorder=4, label="best")
        for k in current:
            axes.plot(x[k], y[k], **RING, zorder=3, label="current")
        axes.plot(lost, [0.02] * len(lost), transform=axes.get_xaxis_transform(), **CROSS)
        _scale(axes, param, values, x_of)
        if bench.sign == 1 and y.max() > WIDE * y.min() > 0:
            log_axis(axes, "y", y.min(), y.max())
        axes.set(xlabel=param, ylabel=metric)
        svg = finish(canvas, f"{bench.dataset}-{bench.model}-{param}")
    finding = f"{metric} by {param}: best {y[0]:.4g} at {listed(ranking.swept(points[0]))}"
    diverged = f"; {len(lost)} of {len(ranking.points)} points {bench.lost}" if lost else ""
    return alone(svg, finding + diverged)


def _places(values: Sequence[Value]) -> dict[str, float]:
    """Where each value stands: numbers by size; with words among them, side by side."""
    by_text = {shown(value): value for value in values}
    ordered = sorted(by_text, key=lambda text: _size(by_text[text]))
    words = _are_words(values)
    return {text: float(k if words else text) for k, text in enumerate(ordered)}


def _are_words(values: Iterable[Value]) -> bool:
    return any(map(_is_word, values))


def _is_word(value: Value) -> bool:
    return isinstance(value, bool) or not isinstance(value, int | float)


def _size(value: Value) -> tuple[int, Value]:
    """Sorts numbers by size, then lists, then words."""
    if isinstance(value, list):
        return 1, value
    return (2, shown(value)) if _is_word(value) else (0, value)


def _lines(space: Space, param: str, points: Sequence[Point], x: Array) -> dict[str, list[int]]:
    """Which points are joined, by what the legend says of them; points are the best first."""
    groups, sizes = defaultdict[tuple[str, ...], list[int]](list), {}
    others = [name for name in space.axes if name != param]
    for k, point in enumerate(points):
        # current params that nobody asked for have a ring, not a line of one point
        if not others or space.asks_for(point.params):
            key = tuple(shown(point.params[name]) for name in others)
            groups[key].append(k)
            sizes[key] = [_size(point.params[name]) for name in others]
    keys = sorted(groups, key=lambda key: sizes[key])
    lines = {listed(dict(zip(others, key, strict=True))): groups[key] for key in keys}
    if len(lines) > len(MARKERS) or not lines:
        best = np.unique(x, return_index=True)[1].tolist()
        # values drawn from a range come once each: each would be its own best
        lines = {BEST: best} if 2 * len(best) < len(points) else {}
    return {label: sorted(line, key=lambda k: x[k]) for label, line in lines.items()}


def _draw_lines(
    axes: Axes, lines: Mapping[str, list[int]], x: Array, y: Array, joined: str
) -> None:
    """Draw the points of each line; words are no scale, and are not joined."""
    for (label, line), color, marker in zip(lines.items(), COLOURS, MARKERS, strict=False):
        look: Style = {"color": color, "marker": marker, "markersize": 3.5, "linewidth": 1.2}
        axes.plot(x[line], y[line], **look, linestyle=joined, label=label)


def _scale(axes: Axes, param: str, values: Sequence[Value], x_of: Mapping[str, float]) -> None:
    """The x axis: words by name, rates by decade."""
    low, high = min(x_of.values()), max(x_of.values())
    if _are_words(values):
        axes.set_xticks([*x_of.values()], [*x_of])
    elif param in LOGARITHMIC and 0 < low < high:
        log_axis(axes, "x", low, high)
    else:
        whole = all(isinstance(value, int) for value in values)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
