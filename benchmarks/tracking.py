"""What tracking costs, against the bare minimum and a single script, in one run.

    python benchmarks/tracking.py [ROUNDS]

In a fresh clone of HEAD after `dvc repro`; medians over ROUNDS (3 unless told), in turn:

- `dvc repro -f -s track` with a server that is down, and with one that takes connections and never
  answers, against the local store, which has all runs already and so costs least.
- `dvc exp run -S lr=RATE`, a new rate each round, as DVC knows the results of old ones, against
  single_script.py with default calls.
- `python -m pipeline track` with 8 runs, 2 of them new, against a process that imports mlflow and
  asks the same store for its experiments. For it, house is taken out of the datasets of params.yaml
  (synthetic and breast_cancer have 8 models), and before each round the runs of synthetic's
  manual_gd and torch_sgd are deleted from the store.
"""

import os
import socket
import statistics
import sys
import tempfile
from pathlib import Path

from main_job import ROOT, seconds
from ruamel.yaml import YAML

LOCAL, DEAD, SILENT = "track, local store", "track, dead server", "track, silent server"
EXPERIMENT, SCRIPT = "dvc exp run", "script, default calls"
EIGHT, BARE = "track, 2 of 8 runs new", "import mlflow, open the store"
Times = dict[str, list[float]]

OPEN = """
import os
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
client = mlflow.MlflowClient("sqlite:///mlflow.db")
client.search_experiments()
"""
DELETE = """
synthetic = client.get_experiment_by_name("synthetic").experiment_id
for run in client.search_runs([synthetic]):
    if run.data.tags["trainer"] in ("manual_gd", "torch_sgd"):
        client.delete_run(run.info.run_id)
"""


def publish(times: Times, ours: Path, silent: str) -> None:
    command = "dvc repro -f -s track"
    times[LOCAL].append(seconds(command, ours))
    # port 9 of loopback, "discard": nothing listens there
    times[DEAD].append(seconds(f"MLFLOW_TRACKING_URI=http://127.0.0.1:9 {command}", ours))
    times[SILENT].append(seconds(f"MLFLOW_TRACKING_URI={silent} {command}", ours))
    seconds("python -m pipeline sync", ours)


def experiment(times: Times, ours: Path, top: Path, number: int) -> None:
    times[EXPERIMENT].append(seconds(f"dvc exp run -S lr={0.01 + number / 1000}", ours))
    seconds("git checkout -q . && dvc checkout -q", ours)
    store = top / f"script{number}"
    store.mkdir()
    script = ROOT / "benchmarks/single_script.py"
    times[SCRIPT].append(seconds(f"python '{script}' {store}", top))


def without_house(ours: Path) -> None:
    yaml = YAML()
    params = yaml.load(ours / "params.yaml")
    del params["datasets"]["house"]
    for lines in params["models"].values():
        for key in [key for key in lines if key.startswith("house-")]:
            del lines[key]
    yaml.dump(params, ours / "params.yaml")
    seconds("git -c user.name=n -c user.email=e commit -qam 'without house'", ours)
    seconds("python -m pipeline track", ours)  # what is there is linked to this commit


def eight(times: Times, ours: Path) -> None:
    seconds("python delete.py", ours)
    times[BARE].append(seconds("python open.py", ours))
    times[EIGHT].append(seconds("python -m pipeline track", ours))


def main(rounds: int) -> None:
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    times: Times = {name: [] for name in (LOCAL, DEAD, SILENT, EXPERIMENT, SCRIPT, EIGHT, BARE)}
    with tempfile.TemporaryDirectory() as name, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        silent = f"http://127.0.0.1:{listener.getsockname()[1]}"
        top = Path(name)
        ours = top / "ours"
        seconds(f"git clone -q '{ROOT}' ours", top)
        (ours / ".git/info/exclude").write_text("/open.py\n/delete.py\n")
        (ours / "open.py").write_text(OPEN)
        (ours / "delete.py").write_text(OPEN + DELETE)
        seconds("dvc repro", ours)
        for number in range(rounds):
            publish(times, ours, silent)
            experiment(times, ours, top, number)
        without_house(ours)
        for _ in range(rounds):
            eight(times, ours)
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:30}{median[name]:7.1f} s   ({min(values):.1f} .. {max(values):.1f})")
    print(f"{EIGHT} / {BARE}: {median[EIGHT] / median[BARE]:.2f}  (at most 1.5)")
    print(f"{EXPERIMENT} / {SCRIPT}: {median[EXPERIMENT] / median[SCRIPT]:.2f}  (at most 0.45)")
    for name, limit in ((DEAD, 10), (SILENT, 15)):
        print(f"{name}: {median[name] - median[LOCAL]:+.1f} s  (at most +{limit})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
