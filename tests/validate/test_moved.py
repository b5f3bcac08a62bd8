"""Drift of whole columns: told where distributions have moved, and not by chance."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2, hypergeom, ks_2samp

from pipeline.core.artifacts.trained_on import Range, TrainedOn, sketched
from pipeline.core.columns import ends
from pipeline.core.tables import write_table
from pipeline.validate.data_warnings import drifts
from pipeline.validate.drift import chi_square, of_gaps, of_numbers, significant
from pipeline.validate.profile import Profile

Columns = dict[str, np.ndarray]
Draw = Callable[[np.random.Generator, int], np.ndarray]
WORDS = np.array(["oak", "elm", "ash", "lime", "yew"])


def zipf(rng: np.random.Generator, n: int) -> np.ndarray:
    """Categories of which many have one row."""
    return np.array([f"w{k}" for k in rng.zipf(1.6, n)])


CLEAN: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "counts": lambda rng, n: rng.poisson(0.7, n).astype(float),
    "skewed": lambda rng, n: rng.lognormal(sigma=2, size=n),
    "zeros": lambda rng, n: np.where(rng.uniform(size=n) < 0.6, 0, rng.normal(size=n)),
    "gaps": lambda rng, n: np.where(rng.uniform(size=n) < 0.2, np.nan, rng.normal(size=n)),
    "words": lambda rng, n: rng.choice(WORDS, n, p=[0.5, 0.3, 0.1, 0.09, 0.01]),
    "zipf": zipf,
}


def table(columns: Columns) -> pa.Table:
    return pa.table({n: pa.array(x, from_pandas=True) for n, x in columns.items()})


def trained(columns: Columns) -> TrainedOn:
    """What promote would note."""
    numbers = {n: x for n, x in columns.items() if x.dtype.kind == "f"}
    texts = {n: x for n, x in columns.items() if n not in numbers}
    counts = {n: np.unique(x, return_counts=True) for n, x in texts.items()}
    rows = len(next(iter(columns.values())))
    ranges = {n: ends(x) for n, x in numbers.items()}
    return TrainedOn(
        rows=rows,
        of=rows,
        columns={n: Range(min=low, max=high) for n, (low, high) in ranges.items()},
        categories={n: words.tolist() for n, (words, _) in counts.items()},
        sketches={n: sketched(x[~np.isnan(x)]) for n, x in numbers.items()},
        counts={n: count.tolist() for n, (_, count) in counts.items()},
        missing={n: float(np.isnan(x).mean()) for n, x in numbers.items() if np.isnan(x).any()},
    )


def warned(folder: Path, before: TrainedOn, now: Columns) -> list[str]:
    write_table(path := folder / "a.parquet", table(now))
    return [text for _, text in drifts(Profile(path, "y", trained_on=before))]


def drawn(seed: int, rows: int) -> Columns:
    rng = np.random.default_rng(seed)
    return {name: draw(rng, rows) for name, draw in CLEAN.items()}


@pytest.mark.parametrize("rows", [6, 150, 1000, 5000])
def test_a_fresh_sample_of_the_same_is_no_drift(tmp_path: Path, rows: int) -> None:
    for seed in range(20):
        before = trained(drawn(seed, rows))
        for fresh in (rows, 1000):
            assert warned(tmp_path, before, drawn(1000 + seed, fresh)) == []


def shifted(name: str) -> Draw:
    moves: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
        "normal": lambda _, x: x * 0.3,
        "counts": lambda rng, x: np.minimum(x + rng.integers(0, 2, len(x)), 4),
        "skewed": lambda _, x: x**0.5,
        "zeros": lambda rng, x: np.where(rng.uniform(size=len(x)) < 0.4, 0.5, x),
        "gaps": lambda rng, x: np.where(rng.uniform(size=len(x)) < 0.3, np.nan, x),
        "words": lambda _, x: np.where(x == "oak", "elm", x),
        "zipf": lambda rng, x: np.where(rng.uniform(size=len(x)) < 0.3, "other", x),
    }
    return lambda rng, n: moves[name](rng, CLEAN[name](rng, n))


@pytest.mark.parametrize("name", CLEAN)
def test_a_column_that_has_moved_is_told_once_and_alone(tmp_path: Path, name: str) -> None:
    before, now = trained(drawn(0, 1000)), drawn(1, 1000)
    now[name] = shifted(name)(np.random.default_rng(2), 1000)
    [text] = warned(tmp_path, before, now)
    assert text.startswith(f"column {name}: ")
    assert "%" in text


def test_the_figures_are_those_of_the_columns(tmp_path: Path) -> None:
    old = {"x": np.arange(100.0), "w": np.repeat(["a", "b"], 50)}
    now = {"x": np.append(np.arange(50.0), [np.nan] * 50), "w": np.repeat(["a", "c"], [60, 40])}
    second, first = sorted(warned(tmp_path, trained(old), now))
    assert "100.0% of 50 values are at most 49, which 50.0% were" in first
    assert "50.0% of 100 values are missing, where 0.0% were" in first
    assert "0.0% of 100 values are 'b', which 50.0% were" in second
    assert "40 of 100 values (40.0%) are none of its categories: 'c'" in second


def test_what_is_certain_but_small_is_not_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    old, now = ({"x": rng.normal(mean, 1, 200_000)} for mean in (0, 0.05))
    assert ks_2samp(old["x"], now["x"]).pvalue < 1e-20
    assert warned(tmp_path, trained(old), now) == []


def test_an_entry_without_sketches_compares_ranges_alone(tmp_path: Path) -> None:
    old = trained(drawn(0, 1000)).model_dump(include={"rows", "of", "columns", "categories"})
    now = drawn(1, 1000) | {"normal": np.zeros(1000), "words": np.full(1000, "palm")}
    assert warned(tmp_path, TrainedOn.model_validate(old), now) == []


def test_numbers_that_are_categories_are_compared_as_such(tmp_path: Path) -> None:
    before = TrainedOn.model_validate(
        {"rows": 100, "of": 100, "columns": {}, "categories": {"zip": ["1", "2"]}}
        | {"counts": {"zip": [50, 50]}, "missing": {}}
    )
    assert warned(tmp_path, before, {"zip": np.repeat([1.0, 2.0], 50)}) == []
    [text] = warned(tmp_path, before, {"zip": np.repeat([1.0, 3.0], 50)})
    assert "50 of 100 values (50.0%) are none of its categories: '3'" in text


def test_the_bounds_hold_against_the_exact_tests() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = rng.normal(size=400), rng.normal(rng.uniform(0, 0.5), 1, 300)
        assert of_numbers("x", sketched(x), y).chance >= 0.5 * ks_2samp(x, y).pvalue
    for gaps in (5, 10, 40):
        exact = hypergeom(200 + 40, 20 + gaps, 40).sf(gaps - 1)
        assert of_gaps("x", 20 / 200, 200, gaps, 40).chance >= exact
    for freedom in (1, 4, 30):
        for p in (1e-2, 1e-4, 1e-6):
            assert 0.8 * p < chi_square(chi2(freedom).isf(p), freedom) < 5 * p


def test_holm_keeps_what_each_of_the_rest_allows() -> None:
    findings = [
        of_numbers("x", sketched(np.arange(10.0)), np.arange(10.0))._replace(chance=p)
        for p in (0.03, 0.01, 0.5, 0.02)
    ]
    assert [one.chance for one in significant(findings, 0.05)] == [0.01]
    assert [one.chance for one in significant(findings, 0.08)] == [0.01, 0.02, 0.03]
