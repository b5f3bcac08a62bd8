"""Fill fresh MLflow stores by queued experiments, two at a time, and look for what is missing.

    python benchmarks/queued.py [ROUNDS]

In a fresh clone of HEAD after `dvc repro`, ROUNDS times (20 unless told): the store is removed, the
README's four learning rates are queued, `dvc queue start -j 2` runs them, and its workers end. A
round is right when all four jobs succeeded and each (dataset, trainer, inputs) is one FINISHED run
whose model is READY and lies in the clone's mlartifacts, not in a temporary folder.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from main_job import PATH, ROOT, seconds

RATES = (0.001, 0.01, 0.1, 0.5)
QUEUE = f"dvc exp run --queue -S lr={','.join(map(str, RATES))} && dvc queue start -j 2"
# Not `dvc queue stop`: where no worker is left to obey it, the first of the next round does.
CLEAR = "dvc queue remove --all; dvc exp remove -A"
NO_WORKER = "Worker status: 0 active, 0 idle"
LIMIT = 600.0  # seconds a round


def status(ours: Path) -> str:
    return subprocess.check_output(
        "dvc queue status", shell=True, cwd=ours, env={**os.environ, "PATH": PATH}, text=True
    )


def one_round(ours: Path) -> list[str]:
    """Queue, run, wait; gives what is wrong."""
    for path in ours.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(ours / "mlartifacts", ignore_errors=True)
    seconds(QUEUE, ours)
    end = time.monotonic() + LIMIT
    while re.search("Running|Queued", shown := status(ours)) and time.monotonic() < end:
        time.sleep(1)
    problems = [] if shown.count("Success") == len(RATES) else [shown]
    while NO_WORKER not in status(ours) and time.monotonic() < end:
        time.sleep(1)  # they end by themselves after ten idle seconds
    problems += [] if time.monotonic() < end else ["workers that do not end"]
    return problems + wrong_in_store(ours)


def wrong_in_store(ours: Path) -> list[str]:
    """What is missing or too much in the store, run by run."""
    with sqlite3.connect(ours / "mlflow.db") as db:
        runs = db.execute(
            "select run_uuid, status, artifact_uri, name from runs where lifecycle_stage = 'active'"
        ).fetchall()
        tags = {
            run: dict(db.execute("select key, value from tags where run_uuid = ?", (run,)))
            for run, *_ in runs
        }
        models = dict(
            db.execute(
                "select source_run_id, artifact_location from logged_models "
                "where lifecycle_stage = 'active' and status = 2"
            )
        )
    home = f"{(ours / 'mlartifacts').as_uri()}/"
    problems = [f"{name}: {status}" for _, status, _, name in runs if status != "FINISHED"]
    problems += [f"{name}: {uri}" for _, _, uri, name in runs if not uri.startswith(home)]
    trainers = [run for run, *_ in runs if "trainer" in tags[run]]
    for run in trainers:
        folder = models.get(run, "")
        file = ours / "mlartifacts" / folder.removeprefix(home) / "model.skops"
        if not (folder.startswith(home) and file.is_file()):
            problems.append(f"{run}: model in {folder or 'no place'}")
    prints = {tags[run].get("fingerprint") for run, *_ in runs}
    if len(prints) < len(runs):
        problems.append(f"{len(runs) - len(prints)} runs too many")
    if len(trainers) != expected(ours):
        problems.append(f"{len(trainers)} runs of trainers, expected {expected(ours)}")
    if len(runs) - len(trainers) != len(RATES):
        problems.append(f"{len(runs) - len(trainers)} reports, expected {len(RATES)}")
    return problems


def expected(ours: Path) -> int:
    """Runs that the rates should give: a trainer with a learning rate has one for each."""
    models = [json.loads(path.read_text()) for path in ours.glob("data/4_models/*/*.json")]
    return sum(len(RATES) if "lr" in model["params"] else 1 for model in models)


def main(rounds: int) -> None:
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    right = 0
    with tempfile.TemporaryDirectory() as name:
        ours = Path(name) / "ours"
        seconds(f"git clone -q '{ROOT}' ours", Path(name))
        seconds("dvc repro", ours)
        for number in range(1, rounds + 1):
            start = time.perf_counter()
            problems = one_round(ours)
            right += not problems
            took = time.perf_counter() - start
            print(f"{number}: {'; '.join(problems) or 'complete'} ({took:.0f} s)", flush=True)
            seconds(CLEAR, ours)
    print(f"{right} of {rounds}")
    sys.exit(right < rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
