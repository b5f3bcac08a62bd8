"""What a picture of the report is: the drawing, and what it shows in words and numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from pipeline.core.tables import Array
from pipeline.figures.canvas import finish
from pipeline.report.gather import Gathered
from pipeline.report.texts import Texts

POINTS = 2000  # at most so many in a scatter; a browser draws, and a file holds, each of them


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes
    ----------
    name : str
        Of its kind, such as `roc`: a dataset has one of each at most.
    title, note : str
        What is drawn, and how to read it.
    finding : str
        What is to be seen, with numbers: the caption, and the text instead of the picture.
    svg : str
        The drawing, in stand-in colours: `svg.alone` and `svg.inlined` set the true ones.
    """

    name: str
    title: str
    note: str
    finding: str
    svg: str


Draw = Callable[[Gathered, Texts], Picture | None]


def picture(
    d: Gathered, t: Texts, name: str, canvas: Figure, finding: str, **note: object
) -> Picture:
    """A finished figure with its texts.

    Parameters
    ----------
    name : str
        Of the picture; `name.title` and `name.note` are its texts.
    finding : str
        What is to be seen, with numbers.
    note : object
        What fills the places of the note.
    """
    svg = finish(canvas, f"{d.name}-{name}")
    return Picture(name, t(f"{name}.title"), t(f"{name}.note", **note), finding, svg)


def correlation(a: Array, b: Array) -> float:
    """Pearson's r = cov(a, b) / (sd(a) sd(b)); 0 where one does not vary.

    >>> correlation(np.array([1.0, 2, 3]), np.array([5.0, 5, 5]))
    0.0
    """
    spread = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0 else 0.0
