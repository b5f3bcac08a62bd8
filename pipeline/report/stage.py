"""Write metrics/report.html.

One page that opens from disk, with tables and pictures of every dataset; params.yaml: report has
its language. Reads what the other stages wrote. Writes the single pictures to metrics/report.
"""

import json
from collections.abc import Sequence
from itertools import product

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_verdicts
from pipeline.core.files import write_text
from pipeline.core.params import load_params
from pipeline.core.processes import apart
from pipeline.figures.canvas import style
from pipeline.figures.svg import alone
from pipeline.report import (
    class_pictures,
    data_pictures,
    fit_pictures,
    forest_pictures,
)
from pipeline.report.gather import Gathered, gather
from pipeline.report.page import page
from pipeline.report.picture import Draw, Picture
from pipeline.report.texts import Texts

PICTURES: tuple[Draw, ...] = (
    data_pictures.draw_scatter,
    data_pictures.draw_histograms,
    data_pictures.draw_fit,
    fit_pictures.draw_loss,
    fit_pictures.draw_predictions,
    fit_pictures.draw_residuals,
    class_pictures.draw_confusion,
    class_pictures.draw_roc,
    class_pictures.draw_pr,
    class_pictures.draw_calibration,
    forest_pictures.draw_coefficients,
    forest_pictures.draw_comparison,
)


def report() -> None:
    """Write metrics/report.html, and its pictures to metrics/report.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    params = load_params()
    t = Texts(params.report.language)
    verdicts = read_verdicts()
    gathered = [gather(name, params, verdicts) for name in params.datasets]
    pictures = draw_all(gathered, t)
    files = {
        layout.picture(name, one.name): alone(one.svg, one.finding)
        for name, drawn in pictures.items()
        for one in drawn
    }
    for path, text in files.items():
        write_text(path, text)
    for path in layout.picture("any", "any").parent.glob("*.svg"):
        if path not in files:
            path.unlink()  # of a dataset that is gone
    write_text(layout.REPORT, page(gathered, pictures, t))


def draw_all(gathered: Sequence[Gathered], t: Texts) -> dict[str, list[Picture]]:
    """Every picture that the datasets have the data for, by dataset, in the order of PICTURES."""
    every = [*product(gathered, PICTURES)]

    def work(k: int) -> bytes:
        d, draw = every[k]
        drawn = draw(d, t)
        return json.dumps(drawn and vars(drawn)).encode()

    pictures: dict[str, list[Picture]] = {d.name: [] for d in gathered}
    with style():
        found = [json.loads(drawn) for drawn in apart(work, len(every))]
    for (d, _), drawn in zip(every, found, strict=True):
        if drawn:
            pictures[d.name].append(Picture(**drawn))
    return pictures
