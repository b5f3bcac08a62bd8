"""A small project: a regression and a classification that have gone through every stage."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.__main__ import main
from tests.conftest import ROOT

SETTINGS = """\
models:
  direct:
    house-closed_form: {dataset: house, trainer: closed_form}
  gradient:
    small-bcpm: {dataset: small, trainer: bcpm, epochs: 10}
  network: {}
  sklearn: {}
datasets:
  house:
    task: regression
    target: price_wan
    ingest: {source: data/raw/house.csv}
    split: {features: all, test_size: 0}
    evaluate: {metric: mse}
  small:
    task: classification
    target: y
    ingest: {source: data/raw/small.csv}
    split: {features: {random: 2}, test_size: 0.2, by: random}
    evaluate:
      classes: [bad, good]
      positive: bad
      threshold: 0.3
      metric: accuracy
"""
SCHEMA = """\
columns:
  note: {dtype: str, str_length: {max_value: 20}, unique: true}
  a: {dtype: float64}
  n: {dtype: int64, in_range: {min_value: -100, max_value: 100}}
  y: {dtype: int64, isin: [0, 1]}
strict: true
"""
TRAINERS = {
    "house": ["closed_form", "linear_regression", "mean"],
    "small": ["bcpm", "logistic_regression", "majority"],
}
ROWS = 40


def small_rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=ROWS).round(2), rng.integers(-50, 50, size=ROWS)])
    return X, (X[:, 0] + X[:, 1] / 40 + rng.normal(size=ROWS) > 0).astype(int)


def small_csv(count: int = ROWS) -> str:
    X, _ = small_rows()
    return "\n".join(["note,a,n", *(f"r,{a},{n:.0f}" for a, n in X[:count]), ""])


def make_project(
    folder: Path, feature: str = "a", classes: tuple[str, str] = ("bad", "good")
) -> Path:
    """Run every stage but track in a folder."""
    for name in ("raw", "schema"):
        (folder / "data" / name).mkdir(parents=True)
    for path in ("data/raw/house.csv", "data/schema/house.yaml", "requirements.lock"):
        shutil.copy(ROOT / path, folder / path)
    top = (ROOT / "params.yaml").read_text().split("# The models to train")[0]
    top = top.replace("seed: 1234", "seed: 4")  # which draws the two features that are numbers
    top = top.replace("repeats: 10", "repeats: 1")
    settings = SETTINGS.replace("[bad, good]", json.dumps(classes))
    settings = settings.replace("positive: bad", f"positive: {json.dumps(classes[0])}")
    (folder / "params.yaml").write_text(top + settings)
    lines = [
        f"r{k},{a},{n:.0f},{y}" for k, ((a, n), y) in enumerate(zip(*small_rows(), strict=True))
    ]
    (folder / "data/raw/small.csv").write_text("\n".join([f"note,{feature},n,y", *lines, ""]))
    (folder / "data/schema/small.yaml").write_text(
        SCHEMA.replace("  a:", f"  {json.dumps(feature)}:")
    )
    (folder / "metrics").mkdir()
    (folder / "metrics/champion.json").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, trainers in TRAINERS.items():
            for stage in ("ingest", "validate", "split"):
                assert main([stage, name]) == 0
            assert main(["train", name, *trainers]) == 0
            assert main(["evaluate", name]) == 0
        assert main(["report"]) == 0
    return folder
