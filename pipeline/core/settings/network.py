"""How networks are made and descend: the block `network` of params.yaml, and on a model's line."""

from typing import Annotated

from pydantic import Field

from pipeline.core.forms import Activation
from pipeline.core.settings.block import Settings
from pipeline.core.settings.descent import BatchSize, Descent, Epochs, Optimizer, Rate, WeightDecay
from pipeline.core.trainers import TRAINERS

Width = Annotated[int, Field(ge=1, le=10_000)]


class Layered(Settings):
    """What a network has beside a single layer.

    Attributes
    ----------
    dropout : float
        The share of each hidden layer's units that a step leaves out.
    early_stopping : float
        The share of the training rows that is held out to end the training by; 0: none. Of classes
        each has that share.
    """

    activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]
    early_stopping: Annotated[float, Field(ge=0, le=0.5)]


class Network(Layered):
    """The block `network`: what networks do not share with the other gradient trainers."""

    lr: Rate
    epochs: Epochs
    batch_size: BatchSize
    optimizer: Optimizer
    weight_decay: WeightDecay


class NetworkDescent(Descent, Layered):
    """All settings of one network.

    Attributes
    ----------
    hidden : list of int
        The units of each hidden layer; its line has them.
    """

    hidden: Annotated[list[Width], Field(min_length=1, max_length=100)]


def settings_form(trainer: str) -> type[Descent]:
    """The form that the settings of a trainer have."""
    return NetworkDescent if TRAINERS[trainer].form == "network" else Descent
