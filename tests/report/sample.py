"""Two small datasets as `report` finds them once it has judged, with names that bite."""

import csv
from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.artifacts.evaluated import read_verdicts
from pipeline.core.artifacts.models import Model, write_model
from pipeline.core.files import md5, write_json, write_text
from pipeline.core.forms import Linear
from pipeline.core.params import load_params
from pipeline.core.tables import number_table, write_table
from pipeline.report.gather import PLOTS
from pipeline.report.stage import draw

BITING = ["<b>&\"'$x$", "面积 {0} $a", "a & b; url(x)", "tab\tbell\x07", "very_long_" * 12]
WIDE = [*BITING, *(f"x{k}" for k in range(40))]
CLASSES = ["<script>alert('1')</script>", '良性 & "ok"']
REASON = "worse than <the champion> & 'all'"
ROLES = {
    "linear_regression": "reference", "logistic_regression": "reference",
    "mean": "baseline", "majority": "baseline", "champion": "champion",
}  # fmt: skip
DESCENT = {
    "lr": 0.1, "epochs": 100, "batch_size": "full", "optimizer": "sgd", "momentum": 0.9,
    "weight_decay": 0.0, "init": "zeros", "loss_threshold": 0.0, "tolerance": 0.0, "seed": 1,
    "device": "cpu",
}  # fmt: skip

JUDGED = ("classes", "positive", "metric", "threshold")


def write_sample(language: str = "en", rows: int = 30) -> None:
    """Fill the current folder: `line`, one feature, and `wide`, 45 features and two classes."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(layout.PARAMS.read_text(encoding="utf-8"))
    line = {
        "task": "regression", "target": BITING[0], "split": {"features": "all", "test_size": 0.2},
        "ingest": {"source": "data/raw/line.csv"}, "evaluate": {"metric": "mse"},
    }  # fmt: skip
    wide = {
        "task": "classification", "target": "class", "ingest": {"source": "data/raw/wide.csv"},
        "split": {"features": "all", "test_size": 0.2},
        "evaluate": {
            "classes": CLASSES, "positive": CLASSES[0], "threshold": 0.5, "metric": "accuracy",
        },
    }  # fmt: skip
    models = {
        "direct": {"line-closed_form": {"dataset": "line", "trainer": "closed_form"}},
        "gradient": {
            "line-manual_gd": {"dataset": "line", "trainer": "manual_gd"},
            "wide-bcpm": {"dataset": "wide", "trainer": "bcpm"},
        },
        "network": {},
        "sklearn": {},
    }
    datasets = {"line": line, "wide": wide}
    params |= {"report": {"language": language}, "datasets": datasets, "models": models}
    with layout.PARAMS.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)
    verdicts = {
        "line": _dataset("line", line, [BITING[1]], rows),
        "wide": _dataset("wide", wide, WIDE, rows),
    }
    write_json(layout.VERDICT, {"datasets": verdicts})


def draw_sample() -> None:
    """The page, with the sample's own verdicts."""
    draw(load_params(), read_verdicts())


def _dataset(name: str, settings: dict[str, Any], features: list[str], rows: int) -> dict[str, Any]:
    """Write all files of a dataset but its verdict, which is returned."""
    draw = np.random.default_rng(0)
    X = draw.normal(1e6, 2e5, size=(rows, len(features)))
    classes = settings["evaluate"].get("classes")
    y = draw.integers(0, 2, rows) if classes else 3e-7 * X[:, 0] + draw.normal(size=rows)
    columns = {**dict(zip(features, X.T, strict=True)), settings["target"]: y}
    table = number_table(list(columns), list(columns.values()))
    cut = rows * 4 // 5
    write_table(layout.ingested(name), table)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    standardized = number_table(list(columns), [*((X - mean) / scale).T, y])
    write_table(layout.split_part(name, "train"), standardized.slice(0, cut))
    write_table(layout.split_part(name, "test"), standardized.slice(cut))
    checks = {column: ["float64", "in_range(-1e9, 1e9)", "finite"] for column in columns}
    write_json(
        layout.validated(name),
        {
            "dataset": name,
            "data_md5": "0",
            "rows": rows,
            "repeated_rows": 0,
            "warnings": [f"column {features[0]} counts the rows"],
            "classes": {},
            "checks": checks,
            "columns": {},
        },
    )
    write_json(layout.split_warnings(name), [] if classes else [f"{features[0]} is constant"])
    scaler = {
        feature: {"mean": float(mean[k]), "scale": float(scale[k])}
        for k, feature in enumerate(features)
    }
    write_json(layout.scaler(name), scaler)
    write_json(layout.columns(name), {key: {"kind": "number"} for key in features})
    parts = {"train": list(range(cut)), "test": list(range(cut, rows))}
    write_json(layout.split_rows(name), parts)
    models = ["closed_form", "manual_gd", "linear_regression", "mean"]
    if classes:
        models = ["bcpm", "logistic_regression", "majority"]
    for k, model in enumerate(models):
        _model(name, model, features, k)
    names = [*models, "champion"] if classes else models
    _plots(name, names, classes, rows)
    judged = {model: _judged(model, names, settings, features) for model in names}
    write_json(layout.evaluated(name), _evaluated(settings, judged, rows, cut))
    return _verdict(settings, models)


def _model(dataset: str, model: str, features: list[str], k: int) -> None:
    params: dict[str, Any] = {}
    if model in ("manual_gd", "bcpm"):
        params = DESCENT if model == "bcpm" else {**DESCENT, "loss": "mse"}
        params = {key: v for key, v in params.items() if (model, key) != ("manual_gd", "device")}
        losses = "".join(f"{epoch},{2.0**-epoch + 0.9}\n" for epoch in range(101))
        write_text(layout.history(dataset, model), f"epoch,{model}\n{losses}")
    coef = np.linspace(-1, 1, len(features)) if len(features) > 1 else np.array([0.5])
    facts = {"stable_lr": 0.5} if params else {}
    path = layout.model(dataset, model)
    trained_on = md5(layout.split_part(dataset, "train"))
    write_model(
        path, features, Model(model, params, facts, Linear(coef * (k < 3), 1.0)), trained_on
    )


def _plots(dataset: str, models: list[str], classes: list[str] | None, rows: int) -> None:
    """The files of PLOTS; of the other task the header alone, as evaluate leaves it."""
    draw = np.random.default_rng(1)
    actual = draw.normal(size=rows)
    guesses = {model: (actual + draw.normal(size=rows) / 3).tolist() for model in models}
    pairs = [
        (model, truth, guess)
        for model, column in guesses.items()
        for truth, guess in zip(actual.tolist(), column, strict=True)
    ]
    names = classes or ["", ""]
    found = [(names[k % 2], names[k % 5 > 1]) for k in range(rows)]
    each = [(model, name) for model in models for name in (names if len(names) > 2 else names[:1])]
    curve = [(0.0, 0.0), (0.1, 0.8), (1.0, 1.0)]
    bins = [(0.1, 0.2, 0.05, 0.4), (0.8, 0.7, 0.75, 0.9)]
    of_regression: dict[str, list[tuple[object, ...]]] = {
        "predictions": [*pairs],
        "residuals": [(model, guess, truth - guess) for model, truth, guess in pairs],
    }
    of_classes: dict[str, list[tuple[object, ...]]] = {
        "confusion": [(m, a, b, found.count((a, b))) for m in models for a in names for b in names],
        "roc": [(*one, *point) for one in each for point in curve],
        "pr": [(*one, x, 1 - y / 2) for one in each for x, y in curve],
        "calibration": [(*one, *of_bin) for one in each for of_bin in bins],
    }
    filled = of_classes if classes else of_regression
    for name, header in PLOTS.items():
        _csv(layout.plot(dataset, name), header, filled.get(name, []))


def _csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *lines])


def _judged(
    model: str, models: list[str], settings: dict[str, Any], features: list[str]
) -> dict[str, Any]:
    metric = settings["evaluate"]["metric"]
    names = [metric, "mae"] if metric == "mse" else [metric, "roc_auc", "precision", "recall"]
    scores: dict[str, float | None] = {"train_mse": 0.9, "train_log_loss": None}
    for name in [*names, f"recall_{CLASSES[0]}"]:
        value = 0.5 + 0.1 * models.index(model)
        for prefix in ("test", "cv"):
            ends = {"": value, "_low": value - 0.1, "_high": value + 0.1}
            scores |= {f"{prefix}_{name}{end}": x for end, x in ends.items()}
        ends = {"sd": 0.1, "min": 0.2, "max": 1.0}
        scores |= {f"cv_{name}_{end}": x for end, x in ends.items()}
    role = ROLES.get(model, "trainer")
    weights = np.linspace(-1, 1, len(features)).tolist()
    return {
        "role": role, "trainer": model, "params": DESCENT if role == "trainer" else {},
        "threshold": 0.5 if metric == "accuracy" else None, "scores": scores,
        "folds": {metric: [0.5, 0.6]},
        "coefficients": [
            {"feature": f, "value": w, "low": w - 0.3 if w < 0.5 else None,
             "high": w + 0.3 if w < 0.5 else None}
            for f, w in zip(features, weights, strict=True)
        ],
    }  # fmt: skip


def _evaluated(
    settings: dict[str, Any], judged: dict[str, Any], rows: int, cut: int
) -> dict[str, Any]:
    audits = [
        {"name": "identical_rows", "passed": True, "figure": 0.0, "text": "0 rows are the same"},
        {"name": "giveaway", "passed": False, "figure": None, "text": f"{BITING[0]} tells all"},
    ]
    return {
        "task": settings["task"], "target": settings["target"],
        **{key: settings["evaluate"].get(key) for key in JUDGED},
        "confidence": 0.95, "train_rows": cut, "test_rows": rows - cut, "columns": {},
        "scheme": {"leave_one_out": False, "folds": 5, "repeats": 2, "seed": 0, "rows": rows},
        "judged": judged, "champion": None, "audits": audits,
        "comparisons": [_pair(a, b) for a, b in combinations(judged, 2)],
        "warnings": [],
    }  # fmt: skip


def _verdict(settings: dict[str, Any], models: list[str]) -> dict[str, Any]:
    return {
        "evaluated_md5": "", "metric": settings["evaluate"]["metric"], "best": models[0],
        "verdict": "rejected", "reason": REASON, "failed": [],
        "champion": models[0], "notes": ["A <note> & more."],
        "comparisons": [_pair(*models[:2])],
    }  # fmt: skip


def _pair(a: str, b: str) -> dict[str, Any]:
    words = "not distinguishable"
    return {"a": a, "b": b, "difference": -0.1, "low": -0.2, "high": 0.1, "words": words}
