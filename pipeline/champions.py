"""metrics/champion.json: for each dataset the trainer that a new one must not fall behind."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5, read_json, write_json
from pipeline.core.params import Dataset, Descent, Goal, Settings, TrainerName
from pipeline.judged import read_evaluated, read_verdicts
from pipeline.models import PARAMS_OF, Model, Value


class Champion(Settings):
    """What it takes to train it again on any rows, and to judge it as it was judged."""

    trainer: TrainerName
    params: dict[str, Value]
    features: Annotated[list[str], Field(min_length=1)]
    threshold: float | Goal | None = None

    def is_(self, model: Model, features: Sequence[str], threshold: float | Goal | None) -> bool:
        """Whether a model is made and judged in the same way."""
        ours = self.trainer, self.params, sorted(self.features), self.threshold
        return ours == (model.trainer, model.params, sorted(features), threshold)


FORM = TypeAdapter(dict[str, Champion])


def read_champion(dataset: str, settings: Dataset, columns: Sequence[str]) -> Champion | None:
    """Read the champion of a dataset; None where it has none.

    Raises
    ------
    PipelineError
        When the file is missing or damaged, or names what cannot be trained on these columns.
    """
    if not layout.CHAMPION.exists():
        raise PipelineError(f"{layout.CHAMPION} is missing; with no champions it holds {{}}")
    try:
        champion = FORM.validate_python(read_json(layout.CHAMPION)).get(dataset)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise PipelineError(f"{layout.CHAMPION}: {place}: {first['msg']}") from None
    if champion is not None:
        _refuse_unfit(f"{layout.CHAMPION}: {dataset}", champion, settings, columns)
    return champion


def _refuse_unfit(
    where: str, champion: Champion, settings: Dataset, columns: Sequence[str]
) -> None:
    features, expected = champion.features, PARAMS_OF[champion.trainer]
    missing = [name for name in features if name not in columns]
    if (champion.trainer == "bcpm") != (settings.task == "classification"):
        problem = f".trainer: {champion.trainer} cannot do task: {settings.task}"
    elif missing:
        problem = f".features: the data have no {', '.join(missing)}"
    elif len(set(features)) < len(features) or settings.target in features:
        problem = ".features: a name stands twice, or is that of the target"
    elif set(champion.params) != set(expected):
        problem = f".params: {champion.trainer} takes {', '.join(sorted(expected)) or 'none'}"
    elif (champion.threshold is None) != (settings.threshold is None):
        problem = f".threshold: does not go with task: {settings.task}"
    else:
        try:
            if expected:
                Descent.of(**champion.params)
            return
        except ValueError as error:
            problem = f".params: {error}"
    raise PipelineError(f"{where}{problem}; mend or remove the entry")


def promote(dataset: str) -> str:
    """Make the accepted trainer of a dataset its champion; returns its name.

    Raises
    ------
    PipelineError
        When the verdict is not `accepted`.
    """
    verdicts = read_verdicts()
    if dataset not in verdicts:
        raise PipelineError(f"{layout.VERDICT} knows no dataset {dataset!r}")
    verdict = verdicts[dataset]
    if verdict.evaluated_md5 != md5(layout.evaluated(dataset)):
        raise PipelineError(
            f"{layout.VERDICT} is about other scores than {layout.evaluated(dataset)}; run "
            "`dvc repro`"
        )
    if verdict.verdict != "accepted":
        raise PipelineError(
            f"{dataset}: {verdict.best} is {verdict.verdict}, not accepted: {verdict.reason}"
        )
    evaluated = read_evaluated(dataset)
    best = evaluated.judged[verdict.best]
    entry = {
        "trainer": best.trainer,
        "params": best.params,
        "features": [c.feature for c in best.coefficients],
        "threshold": evaluated.model_dump()["threshold"],
    }
    write_json(layout.CHAMPION, read_json(layout.CHAMPION) | {dataset: entry})
    return verdict.best
