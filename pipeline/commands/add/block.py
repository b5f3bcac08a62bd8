"""What params.yaml gets of a new dataset: its block, and a line for each model."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.commands.add.kinds import Kind
from pipeline.commands.add.target import FEW, Target
from pipeline.commands.contents import Column
from pipeline.commands.yaml_text import Remark
from pipeline.core.settings.evaluate import AUTO
from pipeline.core.settings.split import RARE
from pipeline.core.trainers import TRAINERS, Value

TEST_SIZE = 0.2
SHARE_OF_ROWS, SHARE_OF_FEATURES, RIDGE = "1 / rows", "0.5 / features", "2 features / rows"
SEVERAL = "several classes"
# Trainers and their params, by task. Rows are those that train.
# The penalty is that of ridge regression, k |w|^2 beside the squared errors, for k features: Hoerl,
# Kennard and Baldwin's (Communications in Statistics 4, 1975) where R2 is 1/2. It holds weights in
# bounds that few rows or alike columns leave free; closed_form beside it has none. At an lr of
# 0.5 / features every step goes downhill, whatever standardized features are; momentum converges in
# some 200. No loss_threshold, since a target far from 0 begins with a large loss.
LEAST_SQUARES: dict[str, Value] = {
    "optimizer": "momentum",
    "lr": SHARE_OF_FEATURES,
    "epochs": 10_000,
    "loss_threshold": 0,
    "tolerance": 1e-6,
    "weight_decay": RIDGE,
}
# Scikit-learn's penalty; of 33 tables all come within 0.005 of its accuracy, most in 100 epochs.
LOGISTIC: dict[str, Value] = {
    "batch_size": "full",
    "optimizer": "adam",
    "lr": 0.2,
    "epochs": 1000,
    "tolerance": 3e-6,
    "weight_decay": SHARE_OF_ROWS,
}
MODELS: dict[str, dict[str, dict[str, Value]]] = {
    "regression": {"closed_form": {}, "manual_gd": LEAST_SQUARES},
    "classification": {"bcpm": LOGISTIC},
    SEVERAL: {"softmax": LOGISTIC},
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
        "evaluate": _evaluate(target, rows),
    }


def test_size(rows: int) -> float:
    """The share of the rows that is kept for testing; of few none."""
    return TEST_SIZE if rows >= FEW else 0


def _evaluate(target: Target, rows: int) -> dict[str, Any]:
    # Rows held out once narrow an interval as much as ten repeats do, in a tenth of the time.
    repeats = {} if rows < FEW else {"repeats": AUTO}
    if target.task == "regression":
        return {"metric": "mse", **repeats}
    classes = [*target.classes]
    of_two = {"positive": classes[-1], "threshold": 0.5} if len(classes) == 2 else {}
    return {"metric": "accuracy", **repeats, **of_two, "classes": classes}


def models(
    target: Target, columns: Mapping[str, Column], kinds: Mapping[str, Kind]
) -> Iterator[tuple[str, str, dict[str, Value]]]:
    """The group, the trainer and the params of each model."""
    rows = columns[target.name].values * (1 - test_size(columns[target.name].rows))
    used = [(c, kinds[n].name) for n, c in columns.items() if n != target.name]
    features = max(1, sum(_features(column, kind) for column, kind in used if kind != "drop"))
    shares: dict[Value, Value] = {
        SHARE_OF_ROWS: _short(1 / rows),
        SHARE_OF_FEATURES: _short(0.5 / features),
        RIDGE: _short(2 * features / rows),
    }
    task = SEVERAL if len(target.classes) > 2 else target.task
    for trainer, params in MODELS[task].items():
        yield TRAINERS[trainer].group, trainer, {p: shares.get(v, v) for p, v in params.items()}


def _features(column: Column, kind: str) -> int:
    """How many features a column becomes at most; of categories the most frequent has none."""
    gaps = column.missing >= RARE
    if kind != "category":
        return 1 + gaps
    often = sum(count >= RARE for count in (column.counts or {}).values())
    return max(1, often) + gaps


def _short(value: float) -> float:
    """A number of one digit, not above the one given."""
    digit, _, power = f"{value:.17e}".partition("e")
    return float(f"{digit[0]}e{power}")
