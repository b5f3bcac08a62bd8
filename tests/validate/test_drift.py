"""Warnings of drift: none by chance, and none missed where data have moved."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom

from pipeline.core import layout
from pipeline.core.artifacts.trained_on import TrainedOn
from pipeline.core.artifacts.validated import Validated
from pipeline.core.files import read_as
from pipeline.core.tables import number_table, write_table
from pipeline.validate.data_warnings import drifts
from pipeline.validate.drift import chance
from pipeline.validate.profile import Profile


def found(folder: Path, before: np.ndarray, now: np.ndarray, of: int | None = None) -> list[str]:
    """The warnings of a column `x`; `of`: the rows that the table had, if it has grown."""
    write_table(path := folder / "a.parquet", number_table(["x"], [now]))
    ranges = {"x": {"min": float(before.min()), "max": float(before.max())}}
    entry = {"rows": len(before), "of": of or len(before), "columns": ranges}
    profile = Profile(path, "x", trained_on=TrainedOn.model_validate(entry))
    return [text for _, text in drifts(profile)]


@pytest.mark.parametrize("trained", [2, 5, 400])
@pytest.mark.parametrize("rows", [1, 7, 3000])
def test_chance_is_that_of_the_beta_binomial_distribution(trained: int, rows: int) -> None:
    for outside in {0, 1, rows // 3, rows}:
        each = betabinom(rows, 2, trained - 1).pmf(np.arange(outside, rows + 1))  # sf rounds
        assert chance(outside, rows, trained) == pytest.approx(each.sum(), rel=1e-8, abs=1e-300)


def test_of_one_row_nothing_is_expected() -> None:
    assert chance(9, 10, 1) == 1


DRAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(size=n),
    "integers": lambda rng, n: rng.integers(0, 9, n).astype(float),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "heavy tail": lambda rng, n: rng.lognormal(sigma=2, size=n),
    "rare flag": lambda rng, n: (rng.uniform(size=n) < 0.01).astype(float),
    "constant": lambda rng, n: np.full(n, 3.3),
}


@pytest.mark.parametrize("trained", [1, 6, 80, 400])
@pytest.mark.parametrize("draw", DRAWS)
def test_rows_from_the_same_source_are_no_drift(tmp_path: Path, trained: int, draw: str) -> None:
    for seed in range(30):
        x = DRAWS[draw](np.random.default_rng(seed), trained + 1000)
        assert found(tmp_path, x[:trained], x[trained:]) == []
        assert found(tmp_path, x[:trained], x, of=trained + 100) == []


def test_a_few_rows_that_were_added_are_not_lost_among_many(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=569)
    (text,) = found(tmp_path, x[:455], np.append(x, [9.0] * 5), of=569)
    assert "of 574 values lie outside" in text


@pytest.mark.parametrize(("factor", "shift"), [(1, 1.0), (2, 0), (1000, 0), (-1, -3)])
def test_rows_that_have_moved_are_found(tmp_path: Path, factor: float, shift: float) -> None:
    x = np.random.default_rng(0).uniform(1, 2, size=2400)
    (text,) = found(tmp_path, x[:400], factor * x[400:] + shift)
    outside = np.sum(
        (factor * x[400:] + shift < x[:400].min()) | (factor * x[400:] + shift > x[:400].max())
    )
    assert f"column x: {outside} of 2000 values lie outside" in text
    assert "the range of the 400 rows that the champion was trained on" in text


@pytest.mark.parametrize("size", [1.0, 1e300, 1e-300])
def test_another_unit_is_found_in_few_rows(tmp_path: Path, size: float) -> None:
    square_metres = np.array([80.0, 95, 104, 112, 125, 135])
    assert found(tmp_path, square_metres * size, square_metres[::-1] * 2 * size) == []
    (text,) = found(tmp_path, square_metres * size, square_metres * 10.76 * size)
    assert re.search("column x: 6 of 6 values lie outside", text)


def test_what_promote_notes_is_what_validate_compares_with(
    run: Callable[[str], tuple[int, str]], workspace: Path
) -> None:
    raw = workspace / "data/raw/house.csv"
    frame = pd.read_csv(raw)
    area = frame.columns[0]
    column = {"min": float(frame[area].min()), "max": float(frame[area].max())}
    entry = {"trainer": "closed_form", "params": {}, "features": [area], "threshold": None}
    target = frame.columns[1]
    prices = {"min": float(frame[target].min()), "max": float(frame[target].max())}
    columns = {area: column, target: prices}
    entry["trained_on"] = {"rows": len(frame), "of": len(frame), "columns": columns}
    layout.CHAMPION.write_text(json.dumps({"house": entry}))
    assert run("ingest house") == (0, "")
    assert run("validate house") == (0, "")
    column["min"], column["max"] = 1.0, 2.0
    layout.CHAMPION.write_text(json.dumps({"house": entry}))
    code, said = run("validate house")
    assert code == 0
    assert f"data/raw/house.csv: column {area}: " in said
    warning = read_as(layout.validated("house"), Validated).warnings[0]
    assert warning in said
    assert warning in layout.validated_text("house").read_text()
