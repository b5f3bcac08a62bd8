"""Write metrics/report.html.

One page that opens from disk, with tables and pictures of every dataset; params.yaml: report has
its language. Reads what the other stages wrote. Writes the single pictures to metrics/report.
"""

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_verdicts
from pipeline.core.files import write_text
from pipeline.core.params import load_params
from pipeline.figures.svg import alone
from pipeline.report.gather import gather
from pipeline.report.page import page
from pipeline.report.pictures import draw_all
from pipeline.report.texts import Texts


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
    files = {layout.picture(p.dataset, p.name): alone(p.svg, p.finding) for p in pictures}
    for path, text in files.items():
        write_text(path, text)
    for path in {*layout.picture("any", "any").parent.glob("*.svg")} - {*files}:
        path.unlink()  # of a dataset that is gone
    write_text(layout.REPORT, page(gathered, pictures, t))
