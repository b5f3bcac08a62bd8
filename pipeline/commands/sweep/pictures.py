"""The metric against a swept param, as SVG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pipeline.commands.sweep.search import Point
from pipeline.commands.sweep.space import LOGARITHMIC, listed, shown
from pipeline.commands.sweep.table import Ranking
from pipeline.core.trainers import Value
from pipeline.figures.canvas import add_legend, finish, log_axis, panels, style
from pipeline.figures.looks import Style
from pipeline.figures.svg import COLOURS, INK, alone

MARKERS = "os^vP"
BEST = "best of each"
WIDE = 20  # times the least score: beyond, the axis is logarithmic
STAR: Style = {"marker": "*", "color": INK, "markersize": 11, "linestyle": "none"}
CROSS: Style = {"marker": "x", "color": INK, "markersize": 5, "linestyle": "none"}
RING: Style = {
    "marker": "o",
    "markerfacecolor": "none",
    "markeredgecolor": INK,
    "markersize": 12,
    "linestyle": "none",
}


class Spot(NamedTuple):
    """Where a point stands in the picture: its param across, its score up."""

    point: Point
    x: float
    y: float


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
    metric, score = ranking.bench.settings.evaluate.metric, ranking.bench.score
    x_of = _places([point.params[param] for point in ranking.points])
    spots = [
        Spot(p, x_of[p.params[param]], float(p.scores[score] or 0))
        for p in ranking.points
        if p.folds
    ]
    lost = [x_of[point.params[param]] for point in ranking.points if not point.folds]
    current = [spot for spot in spots if spot.point is ranking.current]
    lines = _lines(ranking, param, spots)
    labels = [*filter(None, lines), "best", *("current" for _ in current)]
    with style():
        canvas, [axes] = panels(1, 190, labels=labels)
        handles = _draw_lines(axes, lines)
        if lines.keys() <= {BEST}:
            axes.plot([s.x for s in spots], [s.y for s in spots], ".", color=COLOURS[-1], zorder=1)
        handles += axes.plot(spots[0].x, spots[0].y, **STAR, zorder=4)
        for spot in current:
            handles += axes.plot(spot.x, spot.y, **RING, zorder=3)
        axes.plot(lost, [0.02] * len(lost), transform=axes.get_xaxis_transform(), **CROSS)
        _scale(axes, param, x_of)
        low, high = min(spot.y for spot in spots), max(spot.y for spot in spots)
        if ranking.bench.sign == 1 and high > WIDE * low > 0:
            log_axis(axes, "y", low, high)
        axes.set_xlabel(param)
        axes.set_ylabel(metric)
        add_legend(canvas, handles, labels)
        svg = finish(canvas, f"{ranking.bench.dataset}-{ranking.bench.model}-{param}")
    finding = (
        f"{metric} by {param}: best {spots[0].y:.4g} at {listed(ranking.swept(spots[0].point))}"
    )
    diverged = f"; {len(lost)} of {len(ranking.points)} points diverged" if lost else ""
    return alone(svg, finding + diverged)


def _places(values: Sequence[Value]) -> dict[Value, float]:
    """Where each value stands: numbers by size; with words among them, side by side."""
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) == len(values):
        return {value: float(value) for value in numbers}
    return {value: float(k) for k, [value] in enumerate(_sorted({(value,) for value in values}))}


def _lines(ranking: Ranking, param: str, spots: Sequence[Spot]) -> dict[str, list[Spot]]:
    """What is joined, by what the legend says of it; spots are the best first."""
    groups: dict[tuple[Value, ...], list[Spot]] = defaultdict(list)
    others = [name for name in ranking.space.axes if name != param]
    for spot in spots:
        # current params that nobody asked for have a ring, not a line of one point
        if not others or ranking.space.asks_for(spot.point.params):
            groups[tuple(spot.point.params[name] for name in others)].append(spot)
    lines = {listed(dict(zip(others, key, strict=True))): groups[key] for key in _sorted(groups)}
    if len(lines) > len(MARKERS) or not lines:
        best: dict[float, Spot] = {}
        for spot in spots:
            best.setdefault(spot.x, spot)
        # values drawn from a range come once each: each would be its own best
        lines = {BEST: [*best.values()]} if 2 * len(best) < len(spots) else {}
    return {label: sorted(line, key=lambda spot: spot.x) for label, line in lines.items()}


def _sorted(keys: Iterable[tuple[Value, ...]]) -> list[tuple[Value, ...]]:
    """Numbers by size, then words."""
    return sorted(keys, key=lambda key: [(isinstance(v, str), v) for v in key])


def _draw_lines(axes: Axes, lines: Mapping[str, Sequence[Spot]]) -> list[Artist]:
    """Gives the handles of those that have a label."""
    handles: list[Artist] = []
    for k, (label, line) in enumerate(lines.items()):
        drawn = axes.plot(
            [spot.x for spot in line],
            [spot.y for spot in line],
            color=COLOURS[k],
            marker=MARKERS[k],
            markersize=3.5,
            linewidth=1.2,
        )
        handles += drawn if label else []
    return handles


def _scale(axes: Axes, param: str, x_of: Mapping[Value, float]) -> None:
    """The x axis: words by name, rates by decade."""
    low, high = min(x_of.values()), max(x_of.values())
    if any(isinstance(value, str) for value in x_of):
        axes.set_xticks([*x_of.values()], [shown(value) for value in x_of])
        return
    if param in LOGARITHMIC and 0 < low < high:
        log_axis(axes, "x", low, high)
        return
    whole = all(isinstance(value, int) for value in x_of)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
