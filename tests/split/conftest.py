"""A project of one table whose rows are parted in all ways."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.core import layout
from tests.conftest import keep_datasets

Run = Callable[[str], tuple[int, str]]
Split = Callable[..., tuple[int, str]]
SCHEMA = """\
schema_type: dataframe
columns:
  id: {dtype: str, nullable: true}
  x: {dtype: float64}
  part: {dtype: str, nullable: true}
  day: {dtype: str, nullable: true}
  y: {dtype: %s}
strict: true
"""
LINES = {"classification": "bcpm", "regression": "manual_gd"}


def people(n: int = 90) -> pd.DataFrame:
    """Three rows a person, two a day; every ninth row is of the smaller class."""
    rows = np.arange(n)
    return pd.DataFrame(
        {
            "id": [f"p{k // 3}" for k in rows],
            "x": np.random.default_rng(3).normal(size=n).round(3),
            "part": np.where(rows % 4 == 1, "test", "train"),
            "day": np.datetime64("2024-01-01") + (rows * 7 % n) // 2,
            "y": np.where(rows % 9 == 0, "rare", "often"),
        }
    )


@pytest.fixture
def split(workspace: Path, run: Run) -> Split:
    """Ingest, validate and split a table by a block of params.yaml; what the last answered."""
    keep_datasets(workspace / "params.yaml", "house")

    def split(
        table: pd.DataFrame, block: dict[str, object], task: str = "classification"
    ) -> tuple[int, str]:
        table.to_csv("data/raw/people.csv", index=False)
        kind = "str" if task == "classification" else "float64"
        layout.schema("people").write_text(SCHEMA % kind)
        yaml = YAML()
        content = yaml.load(Path("params.yaml").read_text())
        ingest = {"source": "data/raw/people.csv", "csv": {"missing": [""]}}
        labels = {"classes": ["often", "rare"], "positive": "rare", "threshold": 0.5}
        content["datasets"]["people"] = {
            "task": task, "target": "y", "ingest": ingest, "split": block,
            "evaluate": labels if task == "classification" else {},
        }  # fmt: skip
        line = {"dataset": "people", "trainer": LINES[task], "epochs": 20}
        content["models"]["gradient"]["people-model"] = line
        yaml.dump(content, Path("params.yaml"))
        for stage in ("ingest", "validate"):
            code, said = run(f"{stage} people")
            if code:
                return code, said
        return run("split people")

    return split
