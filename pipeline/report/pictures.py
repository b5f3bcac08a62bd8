"""The pictures of the report: each a drawing, and what is to be seen in it."""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipeline.core.processes import apart
from pipeline.figures.canvas import Drawn, finish, style
from pipeline.report.class_pictures import (
    draw_boundary,
    draw_calibration,
    draw_calibration_by_class,
    draw_confusion,
    draw_pr,
    draw_pr_by_class,
    draw_roc,
    draw_roc_by_class,
)
from pipeline.report.data_pictures import draw_fit, draw_histograms, draw_scatter
from pipeline.report.fit_pictures import draw_loss, draw_predictions, draw_residuals
from pipeline.report.forest_pictures import draw_coefficients, draw_comparison
from pipeline.report.gather import Gathered
from pipeline.report.texts import Texts

# By name, in the order of the page: the section of a picture, and who draws it.
PICTURES: dict[str, tuple[str, Callable[[Gathered, Texts], Drawn]]] = {
    "scatter": ("data", draw_scatter),
    "histograms": ("data", draw_histograms),
    "fit": ("training", draw_fit),
    "boundary": ("training", draw_boundary),
    "loss": ("training", draw_loss),
    "predictions": ("judged_rows", draw_predictions),
    "residuals": ("judged_rows", draw_residuals),
    "confusion": ("judged_rows", draw_confusion),
    "roc": ("judged_rows", draw_roc),
    "pr": ("judged_rows", draw_pr),
    "calibration": ("judged_rows", draw_calibration),
    "roc_by_class": ("judged_rows", draw_roc_by_class),
    "pr_by_class": ("judged_rows", draw_pr_by_class),
    "calibration_by_class": ("judged_rows", draw_calibration_by_class),
    "coefficients": ("weights", draw_coefficients),
    "comparison": ("compared", draw_comparison),
}
OF_A_CLASS, BY_CLASS = {"roc", "pr", "calibration"}, "_by_class"


class Picture(NamedTuple):
    """One picture.

    Attributes
    ----------
    dataset : str
        What it is of.
    name : str
        A key of PICTURES: a dataset has one of each at most. `name.title` and `name.note` are its
        texts.
    finding : str
        What is to be seen, with numbers: the caption, and the text instead of the picture.
    svg : str
        The drawing, in stand-in colours: `svg.alone` and `svg.inlined` set the true ones.
    """

    dataset: str
    name: str
    finding: str
    svg: str


def draw_all(gathered: Sequence[Gathered], t: Texts) -> list[Picture]:
    """Every picture that the datasets have the data for."""
    every = [(d, name) for d in gathered for name in PICTURES if has(d, name)]

    def work(k: int) -> bytes:
        d, name = every[k]
        canvas, finding = PICTURES[name][1](d, t)
        drawn = Picture(d.dataset, name, finding, finish(canvas, f"{d.dataset}-{name}"))
        return json.dumps(drawn).encode()

    with style():
        return [Picture(*json.loads(drawn)) for drawn in apart(work, len(every))]


def has(d: Gathered, name: str) -> bool:
    """Whether a dataset has the data for a picture; the plots of another task are without rows."""
    plot = name.removesuffix(BY_CLASS)
    if plot in d.plots:
        fits = plot not in OF_A_CLASS or d.several == name.endswith(BY_CLASS)
        return fits and len(d.plots[plot]["trainer"]) > 0
    is_line = len(d.features) == 1 and d.evaluated.task == "regression"
    of_others = {
        "scatter": is_line,
        "histograms": not is_line,
        "fit": is_line,
        "boundary": len(d.features) == 2 and d.evaluated.task == "classification",
        "loss": bool(d.histories),
        "coefficients": bool(d.weights),
        "comparison": any(d.score(model, d.compared_by)[0] is not None for model in d.judged),
    }
    return of_others[name]
