"""What is to be tried: lists of values and ranges, as they were typed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from pydantic import ValidationError
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.scikit_learn import params_of_estimator, problems
from pipeline.core.settings.block import faults
from pipeline.core.settings.models import Wanted
from pipeline.core.settings.network import settings_form
from pipeline.core.settings.scikit_learn import EstimatorLine
from pipeline.core.text import load_yaml, nearest
from pipeline.core.trainers import OF_ESTIMATOR, TRAINERS, Value

MOST = 10_000  # points
# Their size is not known: a decade is as likely as another.
LOGARITHMIC = (
    *("lr", "weight_decay", "tolerance"),
    *(f"{OF_ESTIMATOR}{name}" for name in ("C", "alpha", "gamma", "learning_rate", "tol")),
)
EXAMPLE = "lr=0.001,0.01,0.1"


class Range(NamedTuple):
    """Numbers from `low` to `high`, both included; whole ones alone where these are ints."""

    low: float
    high: float


Axis = tuple[Value, ...] | Range


class Space(NamedTuple):
    """The params that are swept.

    Attributes
    ----------
    axes : mapping
        The values of each param, or its range, in the order given.
    words : mapping
        What was typed, by param.
    trials : int or None
        So many points are drawn; None: every combination of the values.
    size : int
        How many points it asks for.
    """

    axes: Mapping[str, Axis]
    words: Mapping[str, str]
    trials: int | None
    size: int

    def grid(self) -> Iterator[dict[str, Value]]:
        """Every combination of the values, the last param changing fastest."""
        for values in product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def asks_for(self, params: Mapping[str, Value]) -> bool:
        """Whether each param that has a list of values has one of them."""
        return all(
            isinstance(axis, Range) or shown(params[name]) in map(shown, axis)
            for name, axis in self.axes.items()
        )


def parse_space(arguments: Sequence[str], model: Wanted, trials: int | None = None) -> Space:
    """Read PARAM=VALUE,VALUE and PARAM=LOW..HIGH; values are read and checked as in params.yaml.

    Parameters
    ----------
    arguments : sequence of str
        As typed.
    model : Wanted
        Has the params that may be swept.
    trials : int or None
        How many points to draw; goes with a range.

    Raises
    ------
    PipelineError
        Names the argument that cannot be, and why; more than MOST points are refused, too.
    """
    words: dict[str, str] = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals:
            raise _refusal(argument, f"expected PARAM=VALUES, such as {EXAMPLE}")
        if name not in model.params:
            has = f"{nearest(name, model.params)}; it has {', '.join(model.params)}"
            raise _refusal(argument, f"{model.name} has no param {name!r}{has}")
        if name in words:
            again = "is given twice; write all of its values in one argument"
            raise _refusal(argument, f"{name} {again}")
        words[name] = text
    size = trials or prod(len(_parts(text)) for text in words.values())
    if trials is not None and not 1 <= trials <= MOST:
        raise PipelineError(f"--trials {trials}: expected a whole number from 1 to {MOST:,}")
    if size > MOST:
        raise PipelineError(
            f"{' '.join(map(_short, arguments))}: {size:,} points are more than {MOST:,}; take "
            "fewer values, or ranges with --trials"
        )
    space = Space({k: _axis(k, text, model) for k, text in words.items()}, words, trials, size)
    ranges = [f"{k}={words[k]}" for k, axis in space.axes.items() if isinstance(axis, Range)]
    if ranges and trials is None:
        raise _refusal(ranges[0], "a range needs --trials N, such as --trials 30")
    if trials is not None and not ranges:
        raise PipelineError(
            f"--trials {trials}: goes with a range, such as lr=0.001..1; lists of values are tried "
            "in full without it"
        )
    return space


def shown(value: Value) -> str:
    """A value as one would type it, exactly: of 1 and 1.0 an estimator may make two things.

    >>> values = 10.0, 1e-05, 0.1, 0.123456789, 100, "full", [16, 8], None, True
    >>> [shown(v) for v in values]
    ['10.0', '1e-05', '0.1', '0.123456789', '100', 'full', '[16, 8]', 'null', 'true']
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def listed(values: Mapping[str, Value]) -> str:
    """Params as params.yaml has them.

    >>> listed({"lr": 0.1, "epochs": 50})
    'lr: 0.1, epochs: 50'
    """
    return ", ".join(f"{name}: {shown(value)}" for name, value in values.items())


def _axis(name: str, text: str, model: Wanted) -> Axis:
    argument = f"{name}={text}"
    if ends := re.fullmatch(r"([^,]+?)\.\.([^,]+)", text):
        low, high = (_value(name, end, model, argument) for end in ends.groups())
        bools = isinstance(low, bool) or isinstance(high, bool)
        if bools or not (isinstance(low, float | int) and isinstance(high, float | int)):
            raise _refusal(argument, f"a range is of numbers; write {name}=A,B")
        if low >= high:
            raise _refusal(argument, "the lower end of a range comes first, as in lr=0.001..1")
        return Range(low, high)
    values = tuple(_value(name, one, model, argument) for one in _parts(text))
    for k, value in enumerate(values):
        if shown(value) in map(shown, values[:k]):
            raise _refusal(argument, f"{shown(value)} is given twice")
    return values


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets.

    >>> _parts("[8],[16,8]")
    ['[8]', '[16,8]']
    """
    parts, depth = [""], 0
    for sign in text:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _value(name: str, text: str, model: Wanted, argument: str) -> Value:
    if not text.strip():
        raise _refusal(argument, f"a value is missing; expected values such as {EXAMPLE}")
    if ".." in text:
        raise _refusal(argument, f"{text}: one range, LOW..HIGH, or a list of values, not both")
    try:
        # as params.yaml would: 1e-3 is a number, full is a word
        return _checked(name, load_yaml(text), model)
    except (YAMLError, RecursionError):
        raise _refusal(argument, f"{_short(text)} is no value") from None
    except ValueError as error:
        hint = ""
        if isinstance(model.params[name], list) and "[" not in text:
            hint = f"; write {name}=[16,8] for one value, {name}=[8],[16,8] for two"
        raise _refusal(argument, f"{error}{hint}") from None


def _checked(name: str, value: Value, model: Wanted) -> Value:
    """A value that a param may have.

    Raises
    ------
    ValueError
        When it may not.
    """
    if TRAINERS[model.trainer].form != "sklearn":
        settings = settings_form(model.trainer).of(**model.params | {name: value})
        of: Value = getattr(settings, name)
        return of
    if name == "estimator":
        raise ValueError("each estimator has a line of its own under models.sklearn")
    estimator = str(model.params["estimator"])
    if name.startswith(OF_ESTIMATOR):
        own = {"estimator": estimator, "params": {name.removeprefix(OF_ESTIMATOR): value}}
        try:
            EstimatorLine.model_validate(own)
        except ValidationError as error:
            raise ValueError(faults(error, EstimatorLine, "")) from None
    for problem in problems(estimator, params_of_estimator(model.params | {name: value})):
        raise ValueError(problem)
    return value


def _refusal(argument: str, problem: str) -> PipelineError:
    return PipelineError(f"{_short(argument)}: {problem}")


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
