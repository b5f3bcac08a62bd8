"""The line of an estimator of scikit-learn: its name, and its own params."""

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from pipeline.core.scikit_learn import DOTTED
from pipeline.core.settings.block import Settings, unfit
from pipeline.core.trainers import Value


def _plain(value: object) -> object:
    """What a param may be; of a list's members numbers and text."""
    every = value if isinstance(value, list) else [value]
    kinds = {type(one) for one in every}
    alike = kinds <= {int, float} or kinds <= {str}
    if not isinstance(value, list):
        alike = kinds <= {bool, int, float, str, type(None)}
    if alike and all(not isinstance(one, float) or math.isfinite(one) for one in every):
        return value
    raise unfit(
        "a number, text, true, false, null or a list of numbers or texts (another estimator "
        "cannot be a param)",
        value,
    )


Package = Annotated[str, Field(pattern=f"^{DOTTED}$")]


class EstimatorLine(Settings):
    """What a line of `models.sklearn` says beside dataset and trainer.

    Attributes
    ----------
    estimator : str
        A name of scikit-learn's, or one of `packages`.
    params : dict
        Of the estimator; what is not there is as the estimator has it.
    """

    estimator: str
    params: dict[str, Annotated[Value, BeforeValidator(_plain)]] = Field(default_factory=dict)
