"""Blocks of checked settings, and what is said of one that has a fault."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from pipeline.core.errors import listed
from pipeline.core.layout import NAME
from pipeline.core.text import nearest

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Settings(BaseModel):
    """A block of settings: unknown keys, inf and nan, text or bools for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def unfit(expected: str, value: object, hint: str = "") -> ValueError:
    """What a validator raises: what was expected, and what was found."""
    return ValueError(f"expected {expected}, got {shown(value)}{hint}")


def faults(
    error: ValidationError, form: type[Settings], file: str, block: tuple[str, ...] = ()
) -> str:
    """What pydantic found in settings of a form, or in a block of it: one a line, behind `file`."""
    return listed(fault({**one, "loc": block + one["loc"]}, form, file) for one in error.errors())


def fault(error: ErrorDetails, form: type[Settings], file: str) -> str:
    """Where a fault is, what was expected there, and what was found."""
    keys = [k if k.isprintable() else repr(k) for k in map(str, error["loc"]) if k != "[key]"]
    where = f"{file}{'.'.join(keys) or 'top level'}"
    match error["type"]:
        case "extra_forbidden":
            hint = nearest(keys[-1], _keys_beside(form, keys))
            return f"{where}: unknown key{hint}; remove or rename it"
        case "missing":
            none = "; where there is none, write {}" if keys[:-1] == ["models"] else ""
            return f"{where}: is missing{none}"
        case "value_error":
            return f"{file if not keys else f'{where}: '}{error['ctx']['error']}"
        case "model_type" | "dict_type":
            none = "; where there is none, write {}" if error["input"] is None else ""
            return f"{where}: expected keys and values, got {shown(error['input'])}{none}"
        case "string_pattern_mismatch" | "invalid_key":
            if keys[:1] == ["packages"]:
                return f"{where}: expected package.Class, got {shown(error['input'])}"
            name = "DATASET-NAME, each" if keys[:1] == ["models"] else "a name"
            return f"{where}: expected {name} of a-z, 0-9 and _, with a letter at the beginning"
        case "too_short" | "too_long":
            few = error["type"] == "too_short"
            count = error["ctx"]["min_length" if few else "max_length"]
            expected = f"at {'least' if few else 'most'} {count} item{'s' * (count != 1)}"
            return f"{where}: expected {expected}, got {shown(error['input'])}"
        case _:
            expected = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
            return f"{where}: expected {expected}, got {shown(error['input'])}"


def _keys_beside(form: type[Settings], keys: Sequence[str]) -> Iterable[str]:
    """The keys allowed where an unknown one was found."""
    block = form
    for key in keys[:-1]:
        if key in block.model_fields:
            block = next(_blocks(block.model_fields[key].annotation), block)
    return block.model_fields


def _blocks(form: Any) -> Iterator[type[Settings]]:
    """The blocks of settings of which a type is made, as `dict[Name, Dataset]` is of Dataset."""
    if isinstance(form, type) and issubclass(form, Settings):
        yield form
    for part in get_args(form):
        yield from _blocks(part)


def shown(value: object) -> str:
    """A value as it may have been written, cut short."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
        if not text.isprintable():  # a line break of Unicode, say
            text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = "a nested value"
    return text if len(text) <= 60 else text[:57] + "..."
