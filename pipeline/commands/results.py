"""Print one table of all datasets and trainers; with --json a list for programs.

Reads metrics/*.json and params.yaml; with --json data/5_evaluated and the warnings, too.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tabulate import SEPARATING_LINE, tabulate

from pipeline.core import layout
from pipeline.core.artifacts.champions import read_champions
from pipeline.core.artifacts.evaluated import (
    Scores,
    Verdict,
    read_evaluated,
    read_verdicts,
    read_warnings,
)
from pipeline.core.errors import PipelineError
from pipeline.core.files import as_json, md5, read_as
from pipeline.core.params import load_params
from pipeline.core.run import say

Row = tuple[str, ...]

HEADER = (
    "dataset", "trainer", "score", "mean", "sd", "interval", "test", "interval",
    "verdict, or against the best",
)  # fmt: skip


def results(markdown: bool = False) -> str:
    """Show a row for every dataset and trainer, from metrics/*.json; below, the reasons.

    A row has the dataset's metric: its mean over held-out rows, the standard deviation over the
    folds and the interval of the mean; the value on the test rows and its interval; and the
    verdict on the best trainer of a dataset, or how another compares with it.

    Parameters
    ----------
    markdown : bool
        Whether the table is Markdown, as docs/commands.md has it, and not for a terminal.

    Raises
    ------
    PipelineError
        When metrics/ is of other datasets, trainers or metrics than params.yaml.
    """
    rows: list[Row | str] = []
    reasons: list[str] = []
    for dataset, scores, verdict in _judged():
        rows += [SEPARATING_LINE, *_rows(dataset, scores, verdict)]
        reasons += _reasons(dataset, verdict)
    if markdown:
        return "\n".join([*_markdown(rows), "", *(f"- {reason}" for reason in reasons)])
    table = tabulate(rows, HEADER, tablefmt="plain", disable_numparse=True)
    return "\n".join([table, "", *reasons])


def results_json() -> str:
    """All that is judged, for programs: a list of objects, one for each model of a dataset.

    `mean`, `sd` and `interval` are of the dataset's metric over held-out rows, `test` and
    `test_interval` of the test rows; what there is not is null. `verdict` is what the table's last
    column says, `warnings` are those of the dataset.

    Raises
    ------
    PipelineError
        As `results`, and when data/5_evaluated is missing or about other scores.
    """
    return as_json([one for judged in _judged() for one in _objects(*judged)])


def _judged() -> Iterator[tuple[str, dict[str, Scores], Verdict]]:
    """Each dataset with the scores of its models, and the verdict on them.

    Raises
    ------
    PipelineError
        When metrics/ is of other datasets, trainers or metrics than params.yaml.
    """
    params, verdicts = load_params(), read_verdicts()
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
        yield dataset, scores, verdicts[dataset]


def _objects(dataset: str, scores: dict[str, Scores], verdict: Verdict) -> Iterator[dict[str, Any]]:
    evaluated = read_evaluated(dataset)
    if verdict.evaluated_md5 != md5(layout.evaluated(dataset)):
        raise PipelineError(
            f"{layout.VERDICT} is about other scores than {layout.evaluated(dataset)}; run "
            "`dvc repro`"
        )
    found, test = read_warnings(dataset, evaluated), f"test_{evaluated.metric}"
    for model, one in evaluated.judged.items():
        of = scores.get(model, one.scores)
        standing, reason = verdict.standing(model)
        yield {
            "dataset": dataset,
            "task": evaluated.task,
            "model": model,
            "trainer": one.trainer,
            "role": one.role,
            "champion": model == evaluated.champion,
            "metric": evaluated.metric,
            "folds": evaluated.scheme.folds,
            "repeats": evaluated.scheme.repeats,
            "kept": evaluated.scheme.kept,
            "mean": of.get(evaluated.held),
            "sd": of.get(f"{evaluated.held}_sd"),
            "interval": _ends(of, evaluated.held),
            "test": of.get(test),
            "test_interval": _ends(of, test),
            "verdict": standing,
            "reason": reason,
            "warnings": found,
        }


def _ends(scores: Mapping[str, float | None], name: str) -> list[float] | None:
    low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
    return None if low is None or high is None else [low, high]


def _rows(dataset: str, scores: dict[str, Scores], verdict: Verdict) -> Iterator[Row]:
    metric, test = verdict.metric, f"test_{verdict.metric}"
    for trainer, of in scores.items():
        held = next((k for k in (f"loo_{metric}", f"cv_{metric}") if k in of), test)
        mean, sd, tested = (number(of.get(name)) for name in (held, f"{held}_sd", test))
        named = dataset, trainer, held.replace("_", " ", 1)
        standing, _ = verdict.standing(trainer)
        yield *named, mean, sd, interval(of, held), tested, interval(of, test), standing


def _reasons(dataset: str, verdict: Verdict) -> Iterator[str]:
    yield f"{dataset}: {verdict.best} is {verdict.verdict}: {verdict.reason}"
    entry = read_champions().get(dataset)
    if entry and entry.override:
        name = f"the champion, {entry.trainer},"
        yield f"{dataset}: {name} was promoted by a person, against {entry.override}"


def number(value: float | None) -> str:
    """A score as tables show it."""
    return "-" if value is None else f"{value:.4g}"


def interval(scores: Mapping[str, float | None], name: str) -> str:
    """The interval of a score as tables show it."""
    ends = _ends(scores, name)
    return "-" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"


def _markdown(rows: Sequence[Row | str]) -> Iterator[str]:
    yield "| " + " | ".join(HEADER) + " |"
    yield "|" + "---|" * len(HEADER)
    yield from ("| " + " | ".join(row) + " |" for row in rows if row != SEPARATING_LINE)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `results`."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as a Markdown table")
    form.add_argument("--json", action="store_true", help="as a list of objects")


def run(options: Namespace) -> None:
    """Run the command."""
    say(results_json().rstrip("\n") if options.json else results(options.markdown))
