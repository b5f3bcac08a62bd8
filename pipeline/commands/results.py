"""The results of all datasets as one table."""

from collections.abc import Iterator, Sequence

from pipeline.artifacts.champions import read_champions
from pipeline.artifacts.evaluated import Scores, Verdict, read_verdicts
from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.params import Dataset, load_params

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
    """A row for every dataset and trainer, in text or Markdown, from metrics/*.json.

    What the trainers are judged by: its mean over held-out rows, standard deviation over the folds
    and interval; the same of the test rows; and the verdict on the best trainer of a dataset, or
    how another compares with it. Below, the reasons.
    """
    params, verdicts = load_params(), read_verdicts()
    rows: list[tuple[str, ...]] = [HEADER]
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
) -> Iterator[tuple[str, ...]]:
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
        yield f"{dataset}: {entry.trainer} was promoted by a person, against {entry.override}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _interval(scores: Scores, name: str) -> str:
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    return "-" if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _text(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    ends = [k for k in range(1, len(rows)) if rows[k][0] != rows[k - 1][0]]
    return "\n".join(("\n" if k in ends else "") + line for k, line in enumerate(lines))
