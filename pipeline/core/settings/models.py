"""The lines under models, and what each asks to train."""

from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field

from pipeline.core.layout import NAME
from pipeline.core.settings.block import Name, Settings, unfit
from pipeline.core.settings.dataset import Dataset
from pipeline.core.text import nearest
from pipeline.core.trainers import TRAINERS, Value

ModelKey = Annotated[str, Field(pattern=f"^{NAME}-{NAME}$")]
ASKED_FOR = [name for name, one in TRAINERS.items() if one.role == "trainer"]


def _asked_for(name: str) -> str:
    if name not in ASKED_FOR:
        raise unfit(f"one of {', '.join(ASKED_FOR)}", name, nearest(name, ASKED_FOR))
    return name


TrainerName = Annotated[str, AfterValidator(_asked_for)]


class ModelLine(Settings):
    """A line under `models`: a dataset, a trainer and, of one that descends, params of its own."""

    model_config = ConfigDict(extra="allow")

    dataset: Name
    trainer: TrainerName

    @property
    def own(self) -> dict[str, Any]:
        """The params that it does not take from the top of params.yaml."""
        return self.model_extra or {}


class Models(Settings):
    """The models to train, by DATASET-NAME.

    Those that are solved directly, single layers that descend, networks and estimators of
    scikit-learn stand apart because DVC retrains those alone of which a param changes.
    """

    direct: dict[ModelKey, ModelLine]
    gradient: dict[ModelKey, ModelLine]
    network: dict[ModelKey, ModelLine]
    sklearn: dict[ModelKey, ModelLine]

    @property
    def lines(self) -> dict[str, ModelLine]:
        """All of them, by DATASET-NAME."""
        return self.direct | self.gradient | self.network | self.sklearn


class Wanted(NamedTuple):
    """A model that is to be trained.

    Attributes
    ----------
    name : str
        Its name within its dataset.
    trainer : str
        A key of TRAINERS.
    params : dict
        The params that reach the trainer, and no others.
    """

    name: str
    trainer: str
    params: dict[str, Value]


def cannot_do(trainer: str, settings: Dataset) -> str:
    """That a trainer is of another task, or of another number of classes; or nothing."""
    one, several = TRAINERS[trainer], settings.evaluate.several
    if one.task not in (None, settings.task):
        return f"{trainer} cannot do task: {settings.task}"
    if one.classes not in (None, "several" if several else "two"):
        rather = next(n for n in ASKED_FOR if TRAINERS[n].classes not in (None, one.classes))
        count = len(settings.evaluate.classes or [])
        return f"{trainer} is not for the {count} classes (take {rather})"
    return ""
