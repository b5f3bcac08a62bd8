import itertools
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.passes import map_ordered
from pipeline.solvers.blocks import ahead
from pipeline.solvers.descent import batches
from pipeline.solvers.moments import column_spread, moments
from pipeline.solvers.rows import ArrayRows, Block


@given(n_rows=st.integers(1, 3000), size=st.integers(1, 2000), seed=st.integers(0, 99))
def test_a_shuffle_gives_every_row_once(n_rows: int, size: int, seed: int) -> None:
    y = np.arange(n_rows, dtype=float)
    rows = ArrayRows(y[:, None] * 2, y, weights=y + 1)
    blocks = [task() for task in rows.shuffled(np.random.default_rng(seed), size)]
    met = np.concatenate([block.y for block in blocks])
    assert sorted(met.tolist()) == y.tolist()
    np.testing.assert_array_equal(np.concatenate([block.X[:, 0] for block in blocks]), met * 2)
    np.testing.assert_array_equal(np.concatenate([block.weights for block in blocks]), met + 1)


@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5), size=st.integers(1, 60))
def test_batches_run_on_over_the_ends_of_blocks(lengths: list[int], size: int) -> None:
    """As from a file whose row groups are no multiple of the batch."""

    class Groups(ArrayRows):
        def shuffled(self, generator: object, size: int) -> Iterator[Callable[[], Block]]:
            ends = np.cumsum([0, *lengths])
            for a, b in itertools.pairwise(ends.tolist()):
                yield partial(self.read, slice(a, b))

    y = np.arange(float(sum(lengths)))
    rows = Groups(y[:, None], y, y + 1)
    met = list(batches(rows, size, np.random.default_rng(1)))
    assert [len(batch) for batch, _ in met[:-1]] == [size] * (len(met) - 1)
    for column in ("y", "weights"):
        joined = np.concatenate([getattr(batch, column) for batch, _ in met])
        np.testing.assert_array_equal(joined, getattr(rows, column))
    assert sum(share for _, share in met) == pytest.approx(1)


def test_each_epoch_has_its_own_order_and_a_seed_repeats_it() -> None:
    rows = ArrayRows(np.zeros((500, 1)), np.arange(500.0))
    generator = np.random.default_rng(1)
    first, second = (next(rows.shuffled(generator, 10))().y for _ in range(2))
    again = next(rows.shuffled(np.random.default_rng(1), 10))().y
    assert first.tobytes() == again.tobytes() != second.tobytes()
    assert np.abs(np.diff(first)).mean() > 100  # neighbours in the file are strangers in a batch


def test_large_batches_are_runs_of_neighbours_from_everywhere() -> None:
    rows = ArrayRows(np.zeros((100_000, 1)), np.arange(100_000.0))
    batch = next(rows.shuffled(np.random.default_rng(1), 1024))()[slice(0, 1024)]
    runs = batch.y.reshape(-1, 8)
    assert (np.diff(runs, axis=1) == 1).all()
    assert len(runs) == 128
    assert abs(runs.mean() - 50_000) < 10_000


def test_tasks_run_ahead_in_order_and_an_error_comes_out() -> None:
    assert list(ahead(iter([lambda k=k: k for k in range(7)]))) == list(range(7))
    with pytest.raises(ZeroDivisionError):
        list(ahead(iter([lambda: 1, lambda: 2, lambda: 1 // 0])))
    parts = [slice(k, 9) for k in range(5)]
    assert list(map_ordered(lambda part: part.start, parts)) == list(range(5))


@given(seed=st.integers(0, 2**32 - 1), offset=st.sampled_from([0.0, 3.0, 1e6]))
def test_column_spread_is_mean_and_deviation(seed: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 3)) * [1, 1e-3, 1e3] + offset
    weights = rng.integers(0, 4, 50).astype(float)
    for w in (None, weights):
        spread = column_spread(X, w)
        mean = np.average(X, axis=0, weights=w)
        np.testing.assert_allclose(spread.mean, mean, rtol=1e-12, atol=1e-12)
        deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=w))
        np.testing.assert_allclose(spread.scale(), deviation, rtol=1e-9)
        pooled = moments(ArrayRows(X, X[:, 0], w)).spread()
        np.testing.assert_allclose(pooled.scale(), deviation, rtol=1e-6)


def test_halves_pool_to_the_whole() -> None:
    X = np.random.default_rng(2).normal(size=(90, 2)) + 5
    pooled, whole = column_spread(X[:30]) + column_spread(X[30:]), column_spread(X)
    np.testing.assert_allclose(pooled.mean, whole.mean)
    np.testing.assert_allclose(pooled.squares, whole.squares)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9, -1e-300])
def test_a_constant_column_has_scale_1(value: float) -> None:
    assert column_spread(np.full((70_000, 1), value)).scale().tolist() == [1]
    rows = ArrayRows(np.full((70_000, 1), value), np.ones(70_000))
    assert moments(rows).spread().scale().tolist() == [1]


def test_rows_far_from_zero_are_centred_in_a_copy() -> None:
    X = np.random.default_rng(1).normal(size=(20, 1)) + 1e9
    kept = X.copy()
    rows = ArrayRows.standardized(X, X[:, 0], None, X.mean(axis=0), X.std(axis=0))
    assert rows.mean.tolist() == [0]
    np.testing.assert_allclose(rows.X.mean(), 0, atol=1e-6)
    np.testing.assert_array_equal(X, kept)
