"""What scale.py compares with, each in a process of its own that prints what it found as JSON.

    python benchmarks/scale_peers.py script CSV TASK
    python benchmarks/scale_peers.py partial_fit TRAIN TEST
    python benchmarks/scale_peers.py wabbit TRAIN TEST
    python benchmarks/scale_peers.py trainings TRAIN_PARQUET
    python benchmarks/scale_peers.py bandwidth

TRAIN and TEST have the lines of a CSV file without its header. Each imports what it needs alone:
`wabbit` runs where nothing of the project is installed.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

EPOCHS, BATCH, SEED, TEST_SIZE = 5, 1024, 1234, 0.2
FEATURES = 30
NAMES = [*(f"x{k}" for k in range(FEATURES)), "y"]
CHUNK = 100_000


def script(csv: str, task: str) -> dict[str, Any]:
    """The work of the stages as a script that many people write, all in memory."""
    import numpy as np
    import pandas as pd
    import pandera.pandas as pa
    import torch
    from sklearn.linear_model import LinearRegression, SGDClassifier
    from sklearn.metrics import log_loss, mean_squared_error
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    clock = Clock()
    table = pd.read_csv(csv)
    clock("read_csv")
    checks = {
        name: pa.Column(float, pa.Check.in_range(-100, 100))
        for name in NAMES[: None if task == "regression" else -1]
    }
    pa.DataFrameSchema(checks).validate(table, lazy=True)
    clock("pandera")
    X, y = table[NAMES[:-1]].to_numpy(), table["y"].to_numpy()
    classes = None if task == "regression" else y
    parts = train_test_split(X, y, test_size=TEST_SIZE, random_state=SEED, stratify=classes)
    X_train, X_test, y_train, y_test = parts
    clock("train_test_split")
    scaler = StandardScaler().fit(X_train)
    Z, Z_test = scaler.transform(X_train), scaler.transform(X_test)
    clock("StandardScaler")
    if task == "classification":
        for name, epochs in (("SGDClassifier", EPOCHS), ("SGDClassifier, one epoch", 1)):
            model = SGDClassifier("log_loss", max_iter=epochs, tol=None, random_state=SEED)
            model.fit(Z, y_train)
            clock(name)
            scores = {"log_loss": log_loss(y_test, model.predict_proba(Z_test))}
        return {"steps": clock.steps, "scores": scores}
    least = LinearRegression().fit(Z, y_train)
    clock("LinearRegression")
    torch.manual_seed(SEED)
    layer, loss = torch.nn.Linear(FEATURES, 1), torch.nn.MSELoss()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    inputs = torch.tensor(Z, dtype=torch.float32)
    targets = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            loss(layer(inputs[rows]), targets[rows]).backward()
            optimizer.step()
    clock("torch loop")
    with torch.no_grad():
        of_torch = layer(torch.tensor(Z_test, dtype=torch.float32)).numpy().ravel()
    found = {"LinearRegression": least.predict(Z_test), "torch loop": of_torch.astype(np.float64)}
    scores = {name: mean_squared_error(y_test, z) for name, z in found.items()}
    clock("scores")
    return {"steps": clock.steps, "scores": scores}


def partial_fit(train: str, test: str) -> dict[str, Any]:
    """One pass of scikit-learn by chunks; the first one gives mean and scale."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import StandardScaler

    clock = Clock()
    scaler, model = StandardScaler(), SGDClassifier("log_loss", random_state=SEED)
    for k, some in enumerate(pd.read_csv(train, names=NAMES, chunksize=CHUNK)):
        X, y = some[NAMES[:-1]].to_numpy(), some["y"].to_numpy()
        if k == 0:
            scaler.fit(X)
        model.partial_fit(scaler.transform(X), y, classes=[-1, 1])
    clock("pass")
    held = pd.read_csv(test, names=NAMES)
    p = model.predict_proba(scaler.transform(held[NAMES[:-1]].to_numpy()))
    return {"steps": clock.steps, "log_loss": log_loss(held["y"], p, labels=np.array([-1, 1]))}


def wabbit(train: str, test: str) -> dict[str, Any]:
    """One pass of Vowpal Wabbit over the lines as they are; the loss is of its logits."""
    import numpy as np
    from vowpalwabbit import Workspace

    clock = Clock()
    header = ",".join([*NAMES[:-1], "_label"])
    form = f"--csv --csv_no_file_header --csv_header {header} --hash all --quiet"
    with tempfile.TemporaryDirectory() as folder:
        model, found = f"{folder}/model", f"{folder}/found"
        learning = "--loss_function logistic --holdout_off"
        Workspace(f"{form} {learning} -d {train} -f {model}").finish()
        clock("pass")
        Workspace(f"{form} -t -d {test} -i {model} -r {found}").finish()
        z = np.array([float(line.split()[0].split(":")[-1]) for line in Path(found).open()])
    y = np.array([float(line.rpartition(",")[2]) for line in Path(test).open()])
    return {"steps": clock.steps, "log_loss": float(np.logaddexp(0, -y * z).mean())}


def trainings(path: str) -> dict[str, Any]:
    """Trainings of one file, in turn with reading it: its bytes, and its row groups as numbers."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from pipeline.core.params import load_params
    from pipeline.core.settings.descent import params_of
    from pipeline.solvers.fit import fit
    from pipeline.solvers.rows import ParquetRows

    file = Path(path)

    def rows() -> None:
        read = ParquetRows(file)
        for part in read.parts():
            read.read(part)

    params = load_params()
    work: dict[str, Callable[[], object]] = {
        "bytes": lambda: _bytes(file),
        "rows": rows,
        "closed_form": lambda: fit("closed_form", {}, ParquetRows(file)),
        "manual_gd": lambda: fit("manual_gd", params_of("manual_gd", params), ParquetRows(file)),
    }
    times = dict[str, list[float]]()
    for _ in range(3):
        for name, do in work.items():
            _forget(file)
            begun = time.perf_counter()
            do()
            times.setdefault(name, []).append(time.perf_counter() - begun)
    return {"times": {name: sorted(found)[1] for name, found in times.items()}}


def bandwidth() -> dict[str, Any]:
    """GB/s: memory that is copied; a file that is written, and read when memory has none of it."""
    import numpy as np

    found = dict[str, float]()
    data = np.random.default_rng(0).integers(0, 255, 2**29, dtype=np.uint8)
    other = np.empty_like(data)
    begun = time.perf_counter()
    for _ in range(4):
        np.copyto(other, data)
    found["memory"] = 4 * 2 * len(data) / (time.perf_counter() - begun) / 1e9
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        begun = time.perf_counter()
        with path.open("wb", buffering=0) as file:
            file.write(data.data)
            os.fsync(file.fileno())
        found["write"] = len(data) / (time.perf_counter() - begun) / 1e9
        _forget(path)
        begun = time.perf_counter()
        _bytes(path)
        found["read"] = len(data) / (time.perf_counter() - begun) / 1e9
    return found


def _bytes(path: Path) -> None:
    room = bytearray(2**22)
    with path.open("rb", buffering=0) as file:
        while file.readinto(room):
            pass


def _forget(path: Path) -> None:
    """Let memory keep nothing of a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Clock:
    """Seconds between calls, by name."""

    def __init__(self) -> None:
        self.steps, self._last = dict[str, float](), time.perf_counter()

    def __call__(self, name: str) -> None:
        now = time.perf_counter()
        self.steps[name], self._last = now - self._last, now


PEERS = {one.__name__: one for one in (script, partial_fit, wabbit, trainings, bandwidth)}

if __name__ == "__main__":
    print(json.dumps(PEERS[sys.argv[1]](*sys.argv[2:])))
