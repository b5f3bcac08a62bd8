"""An entry as collect makes them, with numbers of its own."""

import numpy as np

from pipeline.tracking.entry import Data, Entry, Fitted, Registered


def fitted(
    task: str = "regression", threshold: float | None = None, logged: bool = False
) -> Fitted:
    classes = None if task == "regression" else ["malignant", "benign"]
    return Fitted(
        task=task,
        target="y",
        classes=classes,
        threshold=threshold,
        features=["a", "b", "c"],
        mean=[0.0, 5.0, -7.0],
        scale=[1.0, 10.0, 100.0],
        coef=[0.25, -1.5, 2.0],
        intercept=0.125,
        n_train=60,
        ranges={"a": (-3.0, 3.0), "b": (-25.0, 35.0), "c": (-300.0, 300.0)},
        example=[[0.5, 3.0, 20.0], [-1.0, 4.0, -80.0]],
        logged=logged,
    )


def rows(count: int = 50) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, 3)) * [1, 10, 100] + [0, 5, -7]


def entry(fingerprint: str = "a" * 64, champion: bool | None = True, **changes: object) -> Entry:
    content = {
        "experiment": "sample",
        "name": "manual_gd lr=0.01",
        "fingerprint": fingerprint,
        "training": "b" * 64,
        "tags": {"dataset": "sample", "trainer": "manual_gd", "git_dirty": "true"},
        "links": {"git_commit": "c" * 40},
        "judgement": {"verdict": "accepted", "verdict_reason": "better than the mean"},
        "params": {"trainer": "manual_gd", "lr": "0.01"},
        "metrics": {"cv_mse": 3.5},
        "loss": [(0, 9.0), (1, 4.0), (2, 3.75)],
        "model": fitted(),
        "data": Data(md5="d" * 32, rows=75),
        "registered": Registered(version=True, champion=champion, accepted=bool(champion)),
        "files": {"uncommitted.diff": "diff --git a/params.yaml b/params.yaml\n"},
    }
    return Entry(**(content | changes))
