"""Accept or reject the best models, and write metrics/report.html.

Compares the trainers of every dataset and accepts, rejects or leaves undecided the best; prints the
verdicts that are not those of the last time. Then draws one page that opens from disk, with tables
and pictures of every dataset; params.yaml: report has its language.

Reads what the other stages wrote; the verdict, data/5_evaluated alone. Writes metrics/verdict.json
and metrics/summary.json, metrics/report.html, the single pictures to metrics/report, and the data
of the plots to metrics/plots: a folder for each plot, which dvc.yaml names, and in it a file for
each dataset, which dvc.yaml does not know.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import Verdict
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.checked_inputs import refuse_altered
from pipeline.core.files import write_text
from pipeline.core.params import Params, load_params
from pipeline.figures.svg import alone
from pipeline.report.gather import gather
from pipeline.report.page import page
from pipeline.report.pictures import draw_all
from pipeline.report.texts import Texts
from pipeline.report.verdict import give_verdicts


def report() -> None:
    """Write the verdicts, then metrics/report.html, its pictures, and the plots of `dvc plots`.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    params = load_params()
    remove_strangers(params)
    draw(params, give_verdicts(params))


def draw(params: Params, verdicts: Mapping[str, Verdict]) -> None:
    """Write the page, its pictures, and the plots of `dvc plots`.

    Raises
    ------
    PipelineError
        When a file is missing or damaged, or the files do not fit together.
    """
    t = Texts(params.report.language)
    gathered = [gather(name, params, verdicts[name]) for name in params.datasets]
    pictures = draw_all(gathered, t)
    files = {layout.picture(p.dataset, p.name): alone(p.svg, p.finding) for p in pictures}
    files |= _plots(params.datasets)
    for path, text in files.items():
        write_text(path, text)
    for path in {*layout.PICTURES.glob("*.svg"), *layout.PLOTS.glob("*/*.csv")} - {*files}:
        path.unlink()  # of a dataset that is gone
    write_text(layout.REPORT, page(gathered, pictures, t))


def _plots(datasets: Iterable[str]) -> dict[Path, str]:
    """The data of the plots, by where `dvc plots` finds them."""
    plots = dict[Path, str]()
    for dataset in datasets:
        for path in sorted(layout.evaluated(dataset).parent.glob("*.csv")):
            refuse_altered(path)
            plots[layout.PLOTS / path.stem / f"{dataset}.csv"] = path.read_text(encoding="utf-8")
    return plots
