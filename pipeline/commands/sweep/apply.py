"""The winner of a sweep in params.yaml: a few characters change, and nothing else does."""

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from pipeline.commands.params_text import Splice, safely, spliced
from pipeline.commands.sweep.space import listed, shown
from pipeline.core import layout
from pipeline.core.files import write_text
from pipeline.core.params import parse_params
from pipeline.core.trainers import Value


def apply_winner(key: str, changes: Mapping[str, Value]) -> str:
    """Write params to the line models.gradient.KEY, and say so; other models keep theirs.

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
    place = f"{layout.PARAMS}: models.gradient.{key}"
    if not changes:
        return f"{layout.PARAMS} stays as it is"
    text = layout.PARAMS.read_bytes().decode("utf-8")  # as bytes: line ends stay
    write_text(layout.PARAMS, edited(text, key, changes))
    return f"{place} has {listed(changes)} now; `dvc repro` judges it"


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
    expected = parse_params(text, str(layout.PARAMS)).model_dump()
    expected["models"]["gradient"][key] |= changes
    with safely(f"put {listed(changes)} in the line models.gradient.{key}"):
        return spliced(text, _splices(text, key, changes), expected)


def _splices(text: str, key: str, changes: Mapping[str, Value]) -> list[Splice]:
    """New values in the place of old ones; what is new behind the last entry, in its style."""
    block: Any = YAML(typ="safe", pure=True).compose(text)
    for step in ("models", "gradient", key):
        block = _entries(block)[step]
    entries = _entries(block)
    splices = [
        Splice(entries[k].start_mark.index, entries[k].end_mark.index, shown(value))
        for k, value in changes.items()
        if k in entries
    ]
    new = {k: value for k, value in changes.items() if k not in entries}
    if not new:
        return splices
    last = max(node.end_mark.index for node in entries.values())
    if block.flow_style:
        return [*splices, Splice(last, last, f", {listed(new)}")]
    line = text.find("\n", last) if "\n" in text[last:] else len(text)
    ends = "\r\n" if text[:line].endswith("\r") else "\n"
    line -= len(ends) - 1
    lines = [f"{ends}{' ' * block.start_mark.column}{listed({k: v})}" for k, v in new.items()]
    return [*splices, Splice(line, line, "".join(lines))]


def _entries(block: Any) -> dict[str, Any]:
    return {key.value: value for key, value in block.value}
