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
    words = {name: shown(value) for name, value in changes.items()}
    with safely(f"put {listed(changes)} in the line {'.'.join(place)}"):
        if own := params_of_estimator(changes):
            words = {name: shown(value) for name, value in own.items()}
            if line.get("params"):
                place = *place, "params"
            else:
                words = {"params": f"{{{listed(own)}}}"}
            line["params"] = line.get("params", {}) | own
        else:
            line |= changes
        return spliced(text, _splices(text, place, words), expected)


def _line(params: Params, key: str) -> Place:
    """Where the line of a model stands."""
    return "models", TRAINERS[params.models.lines[key].trainer].group, key


def _splices(text: str, place: Place, words: Mapping[str, str]) -> list[Splice]:
    """New values in the place of old ones; what is new behind the last entry, in its style."""
    block: Any = YAML(typ="safe", pure=True).compose(text)
    for step in place:
        block = _entries(block)[step]
    entries = _entries(block)
    splices = [
        Splice(entries[k].start_mark.index, entries[k].end_mark.index, word)
        for k, word in words.items()
        if k in entries
    ]
    new = [f"{k}: {word}" for k, word in words.items() if k not in entries]
    if not new:
        return splices
    last = max(node.end_mark.index for node in entries.values())
    if block.flow_style:
        return [*splices, Splice(last, last, f", {', '.join(new)}")]
    line = text.find("\n", last) if "\n" in text[last:] else len(text)
    ends = "\r\n" if text[:line].endswith("\r") else "\n"
    line -= len(ends) - 1
    lines = [f"{ends}{' ' * block.start_mark.column}{one}" for one in new]
    return [*splices, Splice(line, line, "".join(lines))]


def _entries(block: Any) -> dict[str, Any]:
    return {key.value: value for key, value in block.value}
