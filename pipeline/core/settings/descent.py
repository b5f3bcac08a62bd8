"""How the trainers descend that do: the params at the top of params.yaml, and on a model's line."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from pipeline.core.settings.block import Seed, Settings, faults, unfit
from pipeline.core.trainers import TRAINERS, TRANSFORM, UNLESS_NAMED, Value


def _full_or_rows(value: object) -> object:
    if value == "full" or (type(value) is int and value >= 1):
        return value
    raise unfit("full or a whole number from 1", value)


class Descent(Settings):
    """How the gradient trainers descend."""

    seed: Seed
    lr: Annotated[float, Field(gt=0)]
    epochs: Annotated[int, Field(ge=1, le=10**9)]
    batch_size: Annotated[Literal["full"] | int, BeforeValidator(_full_or_rows)]
    loss: Literal["mse", "mae"]
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam"]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    init: Literal["zeros", "uniform"]
    loss_threshold: Annotated[float, Field(ge=0, lt=1)]
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    device: Literal["cpu", "cuda"]
    class_weight: Literal["none", "balanced"]

    @classmethod
    def of(cls, **params: Any) -> "Descent":
        """The settings of a trainer, which may have no choice of loss, device or class weights.

        Whether the target is logged is none of them.

        Raises
        ------
        ValueError
            Names every param that is unknown, missing or impossible.
        """
        given = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        given.pop(TRANSFORM, None)
        try:
            return cls.model_validate(
                {"loss": "mse", "device": "cpu", "class_weight": "none"} | given
            )
        except ValidationError as error:
            raise ValueError(faults(error, Descent, "")) from None


def params_of(trainer: str, settings: Descent) -> dict[str, Value]:
    """The part of the settings that reaches a trainer."""
    named = {name: getattr(settings, name) for name in TRAINERS[trainer].params}
    return {k: v for k, v in named.items() if k not in UNLESS_NAMED or v != UNLESS_NAMED[k]}
