"""metrics/champion.json: for each dataset the trainer that a new one must not fall behind."""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_json, write_json
from pipeline.core.params import Settings, TrainerName
from pipeline.judged import Judged, read_evaluated, read_verdicts
from pipeline.models import PARAMS_OF, Value


class Champion(Settings):
    """What it takes to train it again on any rows."""

    trainer: TrainerName
    params: dict[str, Value]
    features: list[str]

    def is_(self, trainer: str, params: dict[str, Value], features: Sequence[str]) -> bool:
        """Whether a model was made in the same way."""
        return (self.trainer, self.params, self.features) == (trainer, params, list(features))


FORM = TypeAdapter(dict[str, Champion])


def read_champions() -> dict[str, Champion]:
    """Read all of them.

    Raises
    ------
    PipelineError
        When the file is damaged, or a trainer has not the params it takes.
    """
    try:
        champions = FORM.validate_python(read_json(layout.CHAMPION))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise PipelineError(f"{layout.CHAMPION}: {place}: {first['msg']}") from None
    for dataset, champion in champions.items():
        expected = set(PARAMS_OF[champion.trainer])
        if set(champion.params) != expected:
            raise PipelineError(
                f"{layout.CHAMPION}: {dataset}.params: {champion.trainer} takes "
                f"{', '.join(sorted(expected)) or 'none'}; `python -m pipeline promote {dataset}` "
                "writes another"
            )
    return champions


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
    if verdict.verdict != "accepted":
        raise PipelineError(
            f"{dataset}: {verdict.best} is {verdict.verdict}, not accepted: {verdict.reason}"
        )
    best: Judged = read_evaluated(dataset).judged[verdict.best]
    entry = {
        "trainer": best.trainer,
        "params": best.params,
        "features": [c.feature for c in best.coefficients],
    }
    write_json(layout.CHAMPION, read_json(layout.CHAMPION) | {dataset: entry})
    return verdict.best
