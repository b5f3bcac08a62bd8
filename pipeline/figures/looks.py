"""How each model is drawn, the same in every picture of its dataset."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes

from pipeline.core.artifacts.evaluated import Evaluated
from pipeline.core.tables import Array
from pipeline.figures.svg import COLOURS, INK

Style = dict[str, Any]  # keywords of a matplotlib artist
DASHED: Style = {"color": INK, "linewidth": 0.8, "linestyle": (0, (4, 3))}


@dataclass(frozen=True)
class Look:
    """How one model is drawn: told apart by colour, and by dashes and marker too.

    Attributes
    ----------
    colour : str
        One of `svg.COLOURS`, or ink.
    dashes : str or tuple
        A line style of matplotlib.
    marker : str
        A marker of matplotlib.
    """

    colour: str
    dashes: str | tuple[int, tuple[float, ...]]
    marker: str

    def line(self, place: int, count: int) -> Style:
        """Of lines that coincide the later are the thinner: all stay visible."""
        width = 1.2 + 0.7 * (count - 1 - place)
        return {"color": self.colour, "linestyle": self.dashes, "linewidth": width}

    def cloud(self, place: int, count: int) -> Style:
        """Hollow markers, the later the smaller: points that coincide stay visible."""
        size = 3.5 + 1.1 * (count - 1 - place)
        return self.mark(size) | {"markerfacecolor": "none", "markeredgewidth": 0.9}

    def mark(self, size: float) -> Style:
        """Markers alone."""
        return {"color": self.colour, "marker": self.marker, "markersize": size, "linestyle": ""}


def draw_each(
    axes: Axes,
    curves: Mapping[str, tuple[Array, Array]],
    look: Mapping[str, Look],
    labels: Sequence[str] = (),
    style: Callable[[Look, int, int], Style] = Look.line,
) -> None:
    """Draw x and y of each model as a line, or, with `Look.cloud`, as a cloud of points.

    Parameters
    ----------
    curves : mapping
        By model: x and y, both of shape (n,). The later lie on top, and are drawn smaller.
    labels : sequence of str, optional
        What the legend says of each; the models' names unless given.
    """
    for place, (name, (x, y)) in enumerate(curves.items()):
        label = labels[place] if labels else name
        axes.plot(x, y, label=label, **style(look[name], place, len(curves)))


_TRAINERS = (
    Look(COLOURS[0], "-", "o"),
    Look(COLOURS[1], (0, (6, 2)), "s"),
    Look(COLOURS[2], (0, (1, 1.2)), "^"),
    Look(COLOURS[3], (0, (6, 2, 1, 2)), "v"),
    Look(COLOURS[4], (0, (3, 1)), "P"),
)
_OTHERS = {
    "reference": Look(INK, (0, (3, 3)), "D"),
    "baseline": Look(COLOURS[5], (0, (1, 3)), "x"),
    "champion": Look(COLOURS[4], (0, (8, 2, 2, 2)), "*"),
}


def looks(evaluated: Evaluated) -> dict[str, Look]:
    """The look of each model, by its role and its place among the trainers."""
    trainers = [name for name, one in evaluated.judged.items() if one.role == "trainer"]
    return {
        name: _OTHERS.get(one.role) or _TRAINERS[trainers.index(name) % len(_TRAINERS)]
        for name, one in evaluated.judged.items()
    }


def looks_of(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name, from the first on."""
    return dict(zip(names, cycle(_TRAINERS), strict=False))
