"""What params.yaml gets of a new dataset: its block, and a line for each model."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.commands.add.kinds import Kind
from pipeline.commands.add.target import FEW, Target
from pipeline.commands.contents import Column
from pipeline.commands.yaml_text import Remark
from pipeline.core.trainers import TRAINERS, Value

TEST_SIZE = 0.2
RARE = 5  # training rows of a category that has a feature of its own
SHARE_OF_ROWS, SHARE_OF_FEATURES = "1 / rows", "0.5 / features"
SEVERAL = "several classes"
# Trainers and their params, by task. Rows are those that train. At 0.5 / features every step on
# standardized features goes downhill, whatever these are.
MODELS: dict[str, dict[str, dict[str, Value]]] = {
    "regression": {
        "closed_form": {},
        "manual_gd": {"lr": SHARE_OF_FEATURES, "epochs": 10_000},
    },
    "classification": {
        "bcpm": {"optimizer": "adam", "lr": 0.05, "epochs": 1000, "weight_decay": SHARE_OF_ROWS},
    },
    SEVERAL: {
        "softmax": {"optimizer": "adam", "lr": 0.05, "epochs": 1000, "weight_decay": SHARE_OF_ROWS},
    },
}


def block(
    source: str, written: Mapping[str, Any], target: Target, kinds: Mapping[str, Kind], rows: int
) -> dict[str, Any]:
    """The block under `datasets`.

    Parameters
    ----------
    source : str
        The file in data/raw.
    written : dict
        What `ingest` declares beside it.
    target : Target
    kinds : dict
        What each column is, the target too.
    rows : int
        Of the file.
    """
    others = {n: one for n, one in kinds.items() if one.name != "number" and n != target.name}
    columns = {n: Remark("drop", one.why) if one.why else one.name for n, one in others.items()}
    rare = {"rare": RARE} if "category" in columns.values() else {}
    return {
        "task": target.task,
        "target": target.name,
        "ingest": {"source": source, **written},
        "split": {"features": "all", "test_size": test_size(rows), **rare}
        | ({"columns": columns} if columns else {}),
        "evaluate": _evaluate(target),
    }


def test_size(rows: int) -> float:
    """The share of the rows that is kept for testing; of few none."""
    return TEST_SIZE if rows >= FEW else 0


def _evaluate(target: Target) -> dict[str, Any]:
    if target.task == "regression":
        return {"metric": "mse"}
    classes = [*target.classes]
    of_two = {"positive": classes[-1], "threshold": 0.5} if len(classes) == 2 else {}
    return {"metric": "accuracy", **of_two, "classes": classes}


def models(
    target: Target, columns: Mapping[str, Column], kinds: Mapping[str, Kind]
) -> Iterator[tuple[str, str, dict[str, Value]]]:
    """The group, the trainer and the params of each model."""
    rows = columns[target.name].values
    used = [c for n, c in columns.items() if n != target.name and kinds[n].name != "drop"]
    features = sum((c.different or 1 if c.dtype == "str" else 1) + bool(c.missing) for c in used)
    shares: dict[Value, Value] = {
        SHARE_OF_ROWS: _short(1 / (rows * (1 - test_size(rows)))),
        SHARE_OF_FEATURES: _short(0.5 / max(1, features)),
    }
    task = SEVERAL if len(target.classes) > 2 else target.task
    for trainer, params in MODELS[task].items():
        group = "gradient" if TRAINERS[trainer].params else "direct"
        yield group, trainer, {p: shares.get(v, v) for p, v in params.items()}


def _short(value: float) -> float:
    """A number of one digit, not above the one given."""
    digit, _, power = f"{value:.17e}".partition("e")
    return float(f"{digit[0]}e{power}")
