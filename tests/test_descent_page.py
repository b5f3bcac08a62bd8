"""docs/descent/index.html: what it computes is what the solvers do, and everyone can use it."""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page

from docs.descent import build, data
from pipeline.core.errors import Diverged
from pipeline.core.params import load_params
from pipeline.core.preprocessing import fit_scaler, split_rows, standardized
from pipeline.core.settings.network import NetworkDescent
from pipeline.core.tables import Array
from pipeline.core.trainers import no_callback
from pipeline.solvers import descent, network, pairwise_mean, quadratic
from pipeline.solvers.closed_form import least_squares
from pipeline.solvers.losses import sigmoid
from pipeline.solvers.optimizers import optimizer
from pipeline.solvers.rows import ArrayRows
from tests.browser import is_drawn, opened
from tests.conftest import ROOT

FILE = ROOT / "docs/descent/index.html"
CANCER = pd.read_csv(ROOT / "data/raw/breast_cancer.csv")
State = dict[str, Any]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with opened(FILE, width=1280) as seen:
        yield seen.page
        assert seen.requests == []
        assert seen.errors == []


def close(ours: Any, theirs: Any) -> None:
    """Equal to a billionth, of the largest number of the array."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


def descents() -> list[State]:
    """Settings on the six flats: every method, scale and batch size, rates that diverge too."""
    rates = {"raw": (1e-5, 8.25e-5, 1e-4), "standardized": (0.01, 0.5, 1.5)}
    found: list[State] = []
    for scale, method in product(rates, ("sgd", "momentum", "rmsprop", "adam")):
        for k, lr in enumerate(rates[scale]):
            batch, start = (6, 6, 6) if k == 1 else (1, 4, 6), (k, 10 * k)
            for seed, size in enumerate(batch[: 2 + (k == 2)]):
                found.append(
                    {
                        **{"scale": scale, "method": method, "lr": lr, "batch": size},
                        **{"epochs": 20 * (k + 1), "momentum": 0.3 * (k + 1), "seed": seed + k},
                        **{"w0": start[0], "b0": start[1]},
                    }
                )
    return [*found, {**found[0], "lr": 100, "epochs": 1000, "batch": 6, "scale": "standardized"}]


@pytest.mark.slow
def test_descents_take_the_steps_of_the_solvers(page: Page) -> None:
    """Path, losses and the epoch of divergence, in each of more than 50 settings."""
    settings = descents()
    assert len(settings) >= 50
    runs = page.evaluate(
        """settings => settings.map(one => {
            const state = {...chapter.stateOf(""), ...one};
            const problem = chapter.problemOf(chapter.data, state.scale);
            const {path, losses, perEpoch, diverged} = chapter.runOf(chapter.data, problem, state);
            return {path: [...path], losses, perEpoch, diverged};
        })""",
        settings,
    )
    diverged = 0
    for one, run in zip(settings, runs, strict=True):
        theirs = solved(one)
        assert run["diverged"] == theirs["diverged"]
        diverged += theirs["diverged"] > 0
        each_epoch = np.reshape(run["path"], (-1, 2))[:: run["perEpoch"]][: len(theirs["path"])]
        close(each_epoch, theirs["path"])
        close(run["losses"], theirs["losses"])
    assert diverged > 0


def solved(one: State) -> dict[str, Any]:
    """What the solvers make of a state of the page: theta after each epoch, losses, divergence."""
    start = np.array([one["w0"], one["b0"]], float)
    rows, chosen = data.house(one["scale"] == "raw"), descent_settings(one)
    whole = descent.batch_size(rows, chosen) is None
    objective: Any = (
        quadratic.mean_squared_error(rows) if whole else descent.RowLoss(rows, chosen, "mse", True)
    )
    step = optimizer(chosen.optimizer, chosen.lr, chosen.momentum).step
    path: list[Array] = [] if whole else [start]
    losses: list[float] = []

    def after(theta: Array, history: Any) -> bool:
        path.append(theta.copy())
        losses[:] = history
        return False

    try:
        descent.train(objective, step, start, chosen, lambda: None, after=after)
        return {"path": path, "losses": losses, "diverged": 0}
    except Diverged as error:
        (epoch,) = re.findall(r"epoch (\d+)", str(error))
        return {"path": path, "losses": losses, "diverged": int(epoch)}


def descent_settings(one: State) -> Any:
    return data.settings(
        **{"lr": one["lr"], "epochs": one["epochs"], "optimizer": one["method"]},
        **{"momentum": one["momentum"], "batch_size": one["batch"], "seed": one["seed"]},
    )
