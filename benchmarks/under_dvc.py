"""Stages on a table of 1,000,000 x 31 under DVC, against an earlier commit, in turn.

    python benchmarks/under_dvc.py [--base COMMIT] [--rows ROWS] [--rounds ROUNDS]

HEAD and COMMIT (ce3897c unless told) are cloned, each with one dataset: 30 standard normal columns
and a target that depends on them. `dvc repro --force` runs its stages, ROUNDS times (3 unless told)
on each side; the figures are the least seconds of each stage's command, without dvc's own work.
Expected of ours: validate at most 0.15 of the time, training at most 0.5.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
NAMES = [*(f"x{k}" for k in range(30)), "y"]
STAGES = ("ingest", "validate", "split", "train closed_form", "train manual_gd")
EPOCHS = 5
DATASET = {"task": "regression", "target": "y"}
OLD = DATASET | {
    "features": "all",
    "test_size": 0.2,
    "csv": {},
    "trainers": ["closed_form", "manual_gd"],
    "descent": {},
    "metric": "mse",
}
NEW = DATASET | {
    "ingest": {"source": "data/raw/big.csv", "csv": {}},
    "split": {"features": "all", "test_size": 0.2},
    "evaluate": {"metric": "mse"},
}


def model(trainer: str) -> dict[str, dict[str, str]]:
    return {f"big-{trainer}": {"dataset": "big", "trainer": trainer}}


def project(commit: str, folder: Path, csv: Path) -> dict[str, str]:
    """Clone a commit with the one dataset; the names of its stages in dvc.yaml."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "checkout", "-q", commit], cwd=folder, check=True)
    yaml = YAML()
    params, graph = (yaml.load(folder / name) for name in ("params.yaml", "dvc.yaml"))
    params["epochs"] = EPOCHS
    params["datasets"] = {"big": NEW if "models" in params else OLD}
    if "models" in params:
        params["models"] = {"direct": model("closed_form"), "gradient": model("manual_gd")}
    yaml.dump(params, folder / "params.yaml")
    (direct,) = {"train_closed", "train_direct"} & graph["stages"].keys()
    wanted = ("ingest", "validate", "split", direct, "train_gradient")
    if "models" not in params:
        graph["stages"][direct]["foreach"] = model("closed_form")
        graph["stages"]["train_gradient"]["foreach"] = model("manual_gd")
    yaml.dump({"stages": {n: timed(graph["stages"][n]) for n in wanted}}, folder / "dvc.yaml")
    columns = "".join(
        f"  {n}: {{dtype: float64, in_range: {{min_value: -100, max_value: 100}}}}\n" for n in NAMES
    )
    (folder / "data/schema/big.yaml").write_text(f"columns:\n{columns}strict: true\n")
    (folder / "data/raw/big.csv").hardlink_to(csv)
    items = ("big", "big", "big", "big-closed_form", "big-manual_gd")
    return {s: f"{n}@{item}" for s, n, item in zip(STAGES, wanted, items, strict=True)}


def timed(stage: dict[str, Any]) -> dict[str, Any]:
    """The stage, which also notes when its command begins and ends."""
    body = stage.get("do", stage)
    began, ended = (f'date +%s.%N > "$DVC_STAGE.{name}"' for name in ("began", "ended"))
    body["cmd"] = [began, body["cmd"], ended]
    if "matrix" in stage:
        stage["matrix"] = {"dataset": ["big"]}
    return stage


def run(folder: Path, stages: dict[str, str]) -> dict[str, float]:
    """Seconds of each stage."""
    command = ["dvc", "repro", "-q", "--force"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PATH": PATH}, check=True)
    return {s: noted(folder, f"{n}.ended") - noted(folder, f"{n}.began") for s, n in stages.items()}


def noted(folder: Path, name: str) -> float:
    return float((folder / name).read_text())


def write(path: Path, rows: int) -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, 30))
    y = X @ generator.normal(size=30) + generator.normal(size=rows)
    arrow_csv.write_csv(pa.table(dict(zip(NAMES, [*X.T, y], strict=True))), path)


def main(base: str, rows: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "big.csv", rows)
        sides = {"ours": "HEAD", "base": base}
        stages = {s: project(c, folder / s, folder / "big.csv") for s, c in sides.items()}
        found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, results in found.items():
                results.append(run(folder / side, stages[side]))
    print(f"{'stage':20}{'ours':>8}{'base':>10}   ours / base")
    for stage in STAGES:
        ours, theirs = (min(times[stage] for times in found[side]) for side in sides)
        print(f"{stage:20}{ours:6.1f} s{theirs:8.1f} s   {ours / theirs:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="ce3897c")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    main(**vars(parser.parse_args()))
