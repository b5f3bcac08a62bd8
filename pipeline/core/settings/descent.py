"""How the trainers descend that do: the params at the top of params.yaml, and on a model's line."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError

from pipeline.core.settings.block import Seed, Settings, faults, unfit
from pipeline.core.trainers import OF_TASK, TRAINERS, TRANSFORM, Task, Value, unless_named

# What stands for a param that a trainer does not take; it does not count.
OF_OTHERS = {"loss": "mse", "device": "cpu", "class_weight": "none", "init": "zeros"}


def _full_or_rows(value: object) -> object:
    if value == "full" or (type(value) is int and value >= 1):
        return value
    raise unfit("full or a whole number from 1", value)


Rate = Annotated[float, Field(gt=0)]
Epochs = Annotated[int, Field(ge=1, le=10**9)]
BatchSize = Annotated[Literal["full"] | int, BeforeValidator(_full_or_rows)]
Optimizer = Literal["sgd", "momentum", "rmsprop", "adam"]
WeightDecay = Annotated[float, Field(ge=0)]


class Descent(Settings):
    """How the gradient trainers descend."""

    seed: Seed
    lr: Rate
    epochs: Epochs
    batch_size: BatchSize
    loss: Literal["mse", "mae"]
    optimizer: Optimizer
    momentum: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: WeightDecay
    init: Literal["zeros", "uniform"]
    loss_threshold: Annotated[float, Field(ge=0, lt=1)]
    tolerance: Annotated[float, Field(ge=0, lt=1)]
    device: Literal["cpu", "cuda", "auto"]
    class_weight: Literal["none", "balanced"]

    @classmethod
    def of(cls, **params: Any) -> Self:
        """The settings of a trainer, which may have no choice of some (OF_OTHERS).

        Whether the target is logged is none of them.

        Raises
        ------
        ValueError
            Names every param that is unknown, missing or impossible.
        """
        given = {k: v.item() if hasattr(v, "item") else v for k, v in params.items()}
        given.pop(TRANSFORM, None)
        try:
            return cls.model_validate(OF_OTHERS | given)
        except ValidationError as error:
            raise ValueError(faults(error, cls, "")) from None


def params_of(trainer: str, settings: Descent, task: Task | None = None) -> dict[str, Value]:
    """The part of the settings that reaches a trainer; of one for both tasks `task` says which."""
    task = TRAINERS[trainer].task or task
    names = [name for name in TRAINERS[trainer].params if OF_TASK.get(name, task) == task]
    named = {name: getattr(settings, name) for name in names}
    usual = unless_named(trainer)
    return {k: v for k, v in named.items() if k not in usual or v != usual[k]}
