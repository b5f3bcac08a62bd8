"""The trainers of every dataset compared, and the best accepted, rejected or left undecided."""

from collections.abc import Mapping
from contextlib import suppress

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import Evaluated, Verdict, Verdicts, read_evaluated
from pipeline.core.files import md5, write_json
from pipeline.core.params import Params
from pipeline.core.run import say
from pipeline.evaluate.verdict import verdict as judge


def give_verdicts(params: Params) -> dict[str, Verdict]:
    """Judge every dataset; write metrics/verdict.json and metrics/summary.json.

    Prints the verdicts that are not those of the last time. The summary is what `dvc exp show` and
    `dvc metrics diff` show: few numbers, short names.

    Returns
    -------
    dict
        By dataset.
    """
    evaluated = {name: read_evaluated(name) for name in params.datasets}
    verdicts = {
        name: judge(one, params.verdict.tolerance, md5(layout.evaluated(name)))
        for name, one in evaluated.items()
    }
    before = _before()
    summary = {name: _summary(one, verdicts[name]) for name, one in evaluated.items()}
    write_json(layout.SUMMARY, summary)
    for name, one in verdicts.items():
        if name not in before or _told(one) != _told(before[name]):
            say(f"{name}: {_told(one)}")
    write_json(layout.VERDICT, Verdicts(datasets=verdicts).model_dump())  # last: what was told
    return verdicts


def _before() -> Mapping[str, Verdict]:
    """The verdicts of the last time; none where this code cannot read them.

    Whatever dvc.lock says: it knows nothing of those that were told before a page failed.
    """
    with suppress(OSError, ValueError):
        return Verdicts.model_validate_json(layout.VERDICT.read_bytes()).datasets
    return {}


def _told(found: Verdict) -> str:
    return f"{found.best} {found.verdict}: {found.reason}"


def _summary(evaluated: Evaluated, found: Verdict) -> dict[str, object]:
    judged = f"{'test' if evaluated.test_rows else 'train'}_{evaluated.metric}"
    scores = {
        name: {key: one.scores.get(key) for key in (evaluated.held, judged)}
        for name, one in evaluated.judged.items()
        if one.role != "champion"
    }
    return {"verdict": found.verdict, "best": found.best, **scores}
