"""Print one table of all datasets and trainers.

Reads metrics/*.json.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from tabulate import SEPARATING_LINE, tabulate

from pipeline.core import layout
from pipeline.core.artifacts.champions import read_champions
from pipeline.core.artifacts.evaluated import Scores, Verdict, read_verdicts
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.params import Dataset, load_params
from pipeline.core.run import say

Row = tuple[str, ...]

HEADER = (
    "dataset",
    "trainer",
    "score",
    "mean",
    "sd",
    "interval",
    "test",
    "interval",
    "verdict, or against the best",
)


def results(markdown: bool = False) -> str:
    """Show a row for every dataset and trainer, from metrics/*.json; below, the reasons.

    A row has the dataset's metric: its mean over held-out rows, the standard deviation over the
    folds and the interval of the mean; the value on the test rows and its interval; and the
    verdict on the best trainer of a dataset, or how another compares with it.

    Parameters
    ----------
    markdown : bool
        Whether the table is Markdown, as README.md has it, and not for a terminal.

    Raises
    ------
    PipelineError
        When metrics/ is of other datasets, trainers or metrics than params.yaml.
    """
    params, verdicts = load_params(), read_verdicts()
    rows: list[Row] = [HEADER]
    reasons: list[str] = []
    for dataset, settings in params.datasets.items():
        scores = read_as(layout.metrics(dataset), dict[str, Scores])
        if dataset not in verdicts or verdicts[dataset].metric != settings.evaluate.metric:
            raise PipelineError(
                f"{layout.VERDICT} has no verdict on {dataset} by {settings.evaluate.metric}; "
                "run `dvc repro`"
            )
        if [*scores] != [*params.models_of(dataset)]:
            raise PipelineError(
                f"{layout.metrics(dataset)}: is of other models ({', '.join(scores) or 'none'}) "
                f"than {layout.PARAMS} has; run `dvc repro`"
            )
        rows += _rows(dataset, settings, scores, verdicts[dataset])
        reasons += _reasons(dataset, verdicts[dataset])
    table, mark = (_markdown(rows), "- ") if markdown else (_text(rows), "")
    return "\n".join([table, "", *(mark + reason for reason in reasons)])


def _rows(
    dataset: str, settings: Dataset, scores: dict[str, Scores], verdict: Verdict
) -> Iterator[Row]:
    for trainer, of in scores.items():
        metric = settings.evaluate.metric
        held, test = f"{'loo' if f'loo_{metric}' in of else 'cv'}_{metric}", f"test_{metric}"
        yield (
            dataset,
            trainer,
            held.replace("_", " ", 1),
            _shown(of.get(held)),
            _shown(of.get(f"{held}_sd")),
            _interval(of, held),
            _shown(of.get(test)),
            _interval(of, test),
            verdict.standing(trainer)[0],
        )


def _reasons(dataset: str, verdict: Verdict) -> Iterator[str]:
    yield f"{dataset}: {verdict.best} is {verdict.verdict}: {verdict.reason}"
    entry = read_champions().get(dataset)
    if entry and entry.override:
        name = f"the champion, {entry.trainer},"
        yield f"{dataset}: {name} was promoted by a person, against {entry.override}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _interval(scores: Scores, name: str) -> str:
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    return "-" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _markdown(rows: Sequence[Row]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _text(rows: Sequence[Row]) -> str:
    """Draw the table, with a blank line before each dataset."""
    header, *others = rows
    lines: list[Row | str] = []
    for _, of_dataset in groupby(others, key=itemgetter(0)):
        lines += [SEPARATING_LINE, *of_dataset]
    return str(tabulate(lines, header, tablefmt="plain", disable_numparse=True))


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `results`."""
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")


def run(options: Namespace) -> None:
    """Run the command."""
    say(results(options.markdown))
