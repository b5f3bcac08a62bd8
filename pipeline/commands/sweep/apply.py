"""The winner of a sweep in params.yaml: a few characters change, and nothing else does."""

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from pipeline.commands.params_text import Place, Splice, safely, spliced
from pipeline.commands.sweep.space import listed, shown
from pipeline.core import layout
from pipeline.core.files import write_text
from pipeline.core.params import Params, parse_params
from pipeline.core.scikit_learn import params_of_estimator
from pipeline.core.trainers import TRAINERS, Value


def apply_winner(key: str, changes: Mapping[str, Value]) -> str:
    """Write params to the line of a model, and say so; other models keep theirs.

    Parameters
    ----------
    key : str
        DATASET-NAME.
    changes : mapping
        Params whose values differ from what the model has, from its line or from the top level.

    Raises
    ------
    PipelineError
        As `edited`; params.yaml stays as it is.
    """
    if not changes:
        return f"{layout.PARAMS} stays as it is"
    text = layout.PARAMS.read_bytes().decode("utf-8")  # as bytes: line ends stay
    write_text(layout.PARAMS, edited(text, key, changes))
    place = ".".join(_line(parse_params(text, str(layout.PARAMS)), key))
    return f"{layout.PARAMS}: {place} has {listed(changes)} now; `dvc repro` judges it"


def edited(text: str, key: str, changes: Mapping[str, Value]) -> str:
    """A params.yaml with changes in the line of one model.

    ruamel's own writer would rewrite indents and blanks that it finds unusual; here every
    character outside of the entries stays. The result is read again, and must say what was meant,
    before anyone sees it.

    Parameters
    ----------
    text : str
        The file as it is, line ends included.
    key : str
        DATASET-NAME of the model.
    changes : mapping
        Params to set on its line.

    Returns
    -------
    str
        The file as it shall be.

    Raises
    ------
    PipelineError
        Where that cannot be done safely (a tag, say); tells what to write by hand.
    """
    params = parse_params(text, str(layout.PARAMS))
    place, expected = _line(params, key), params.model_dump()
    line = expected["models"][place[1]][key]
    values = {**changes}
    with safely(f"put {listed(changes)} in the line {'.'.join(place)}"):
        if own := params_of_estimator(changes):
            values = own
            if line.get("params"):
                place = *place, "params"
            else:
                values = {"params": f"{{{listed(own)}}}"}
            line["params"] = line.get("params", {}) | own
        else:
            line |= changes
        return spliced(text, _splices(text, place, values), expected)


def _line(params: Params, key: str) -> Place:
    """Where the line of a model stands."""
    return "models", TRAINERS[params.models.lines[key].trainer].group, key


def _splices(text: str, place: Place, values: Mapping[str, Value]) -> list[Splice]:
    """New values in the place of old ones; what is new behind the last entry, in its style."""
    block: Any = YAML(typ="safe", pure=True).compose(text)
    for step in place:
        block = _entries(block)[step]
    entries = _entries(block)
    splices = [
        Splice(entries[k].start_mark.index, _end(entries[k]), _written(value, entries[k], text))
        for k, value in values.items()
        if k in entries
    ]
    new = [f"{k}: {shown(value)}" for k, value in values.items() if k not in entries]
    if not new:
        return splices
    last = max(map(_end, entries.values()))
    if block.flow_style:
        return [*splices, Splice(last, last, f", {', '.join(new)}")]
    line = text.find("\n", last) if "\n" in text[last:] else len(text)
    ends = "\r\n" if text[:line].endswith("\r") else "\n"
    line -= len(ends) - 1
    lines = [f"{ends}{' ' * block.start_mark.column}{one}" for one in new]
    return [*splices, Splice(line, line, "".join(lines))]


def _written(value: Value, node: Any, text: str) -> str:
    """A value in the style of the one in whose place it stands."""
    if not isinstance(value, list) or not isinstance(node.value, list) or node.flow_style:
        return shown(value)
    ends = "\r\n" if "\r\n" in text else "\n"
    return f"{ends}{' ' * node.start_mark.column}".join(f"- {one}" for one in value)


def _end(node: Any) -> int:
    """Where a value ends; of items below each other the mark is before the next key."""
    below = isinstance(node.value, list) and not node.flow_style
    return int((node.value[-1] if below else node).end_mark.index)


def _entries(block: Any) -> dict[str, Any]:
    return {key.value: value for key, value in block.value}
