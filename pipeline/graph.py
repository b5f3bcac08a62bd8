"""Whether dvc.yaml has the stages of params.yaml's datasets and trainers, and no others."""

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise, product, takewhile
from typing import Any, get_args

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import Dataset, Params, TrainerName, nearest

OF_A_DATASET = ("ingest", "validate", "split", "train", "evaluate")
FILLED_IN = re.compile(r"\$\{\s*(item|key)((?:\.\w+)*)\s*\}")
OPERATOR = re.compile("[();<>|&]+")

Command = tuple[str, ...]  # command, dataset and, of train, models


def unconnected(params: Params) -> Iterator[str]:
    """Name what params.yaml has and dvc.yaml lacks, as DVC does not, and the other way round.

    Nothing where there is no dvc.yaml, or where DVC's variables stand in it.

    Raises
    ------
    PipelineError
        When dvc.yaml is no file of stages.
    """
    if not layout.DVC_YAML.exists():
        return
    try:
        text = layout.DVC_YAML.read_text(encoding="utf-8")
        stages = YAML(typ="safe", pure=True).load(text)["stages"].values()
        found = {command for stage in stages for command in _commands(stage)}
    except (OSError, ValueError, YAMLError, LookupError, TypeError, AttributeError, RecursionError):
        raise PipelineError(
            f"{layout.DVC_YAML}: cannot be read; expected stages with a cmd each, `dvc stage list` "
            "says more"
        ) from None
    if any("${" in word for command in found for word in command):
        return
    for name, settings in params.datasets.items():
        yield from _of_dataset(name, settings, found)
    for name in sorted({command[1] for command in found} - params.datasets.keys()):
        yield (
            f"{layout.DVC_YAML}: works on {name}{nearest(name, params.datasets)}, which is not in "
            f"{layout.PARAMS}: datasets; add it, or remove the stages"
        )


def _of_dataset(name: str, settings: Dataset, found: set[Command]) -> Iterator[str]:
    of_it = [command for command in found if command[1] == name]
    done = {command[0] for command in of_it}
    for command in OF_A_DATASET:
        if command not in done:
            yield f"{layout.DVC_YAML}: has no stage that runs `{command} {name}`; add {name} there"
    trained = {model for command in of_it if command[0] == "train" for model in command[2:]}
    key = f"datasets.{name}.trainers"
    for model in settings.models if trained else []:
        if model not in trained:
            other = f", or take it from {key}" if model in settings.trainers else ""
            yield f"{layout.DVC_YAML}: has no stage that runs `train {name} {model}`; add it{other}"
    for stranger in sorted(trained.difference(settings.models)):
        where = f"{layout.DVC_YAML}: has a stage that runs `train {name} {stranger}`"
        if stranger in get_args(TrainerName):
            yield f"{where}, which is not in {layout.PARAMS}: {key}; add it, or remove the stage"
        else:
            hint = nearest(stranger, settings.models)
            yield f"{where}{hint}; {name} takes {', '.join(settings.models)}"


def _commands(stage: Mapping[str, Any]) -> Iterator[Command]:
    """What a stage runs of datasets."""
    body = stage.get("do", stage)
    lines = body["cmd"] if isinstance(body["cmd"], list) else [body["cmd"]]
    for values, line in product(_values(stage), lines):
        lexer = shlex.shlex(_filled(line, values), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = [*lexer]
        for at, pair in enumerate(pairwise(words)):
            if pair == ("-m", "pipeline"):
                own = takewhile(lambda word: not OPERATOR.fullmatch(word), words[at + 2 :])
                command = tuple(own)
                if len(command) > 1 and command[0] in OF_A_DATASET:
                    yield command


def _values(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `item` and `key` stand for, each time that DVC repeats the stage."""
    if "matrix" in stage:
        if isinstance(stage["matrix"], str):
            return [{}]
        keys, lists = stage["matrix"].keys(), stage["matrix"].values()
        chosen = product(*([each] if isinstance(each, str) else each for each in lists))
        return [{"item": dict(zip(keys, items, strict=True))} for items in chosen]
    each = stage.get("foreach")
    if isinstance(each, dict):
        return [{"key": key, "item": item} for key, item in each.items()]
    return [{"item": item} for item in each] if isinstance(each, list) else [{}]


def _filled(line: str, values: Mapping[str, Any]) -> str:
    """A command with its values in place; those of other variables stay as they are."""

    def value(match: re.Match[str]) -> str:
        found: Any = values.get(match[1], match[0])
        for key in match[2].split(".")[1:]:
            found = found[key] if isinstance(found, dict) else match[0]
        return str(found)

    return FILLED_IN.sub(value, line)
