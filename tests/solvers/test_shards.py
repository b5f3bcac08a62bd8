"""Trainings in batches by shards, in one process that is one of several, or all of them."""

import threading
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from pipeline.core.settings.descent import Descent
from pipeline.core.tables import Array
from pipeline.solvers import bcpm, manual_gd, torch_sgd
from pipeline.solvers.descent import Fit
from pipeline.solvers.rows import ArrayRows, Block
from pipeline.solvers.shards import SHARDS, Group, Shards, Share, together

SETTINGS = {
    "seed": 3, "lr": 0.1, "epochs": 6, "batch_size": 10, "optimizer": "adam", "momentum": 0.9,
    "weight_decay": 0.01, "loss_threshold": 0.0, "tolerance": 0.0, "loss": "mse",
}  # fmt: skip


def rows(n_rows: int = 103) -> ArrayRows:
    generator = np.random.default_rng(1)
    X = generator.normal(size=(n_rows, 2))
    return ArrayRows(X, (X[:, 0] + generator.normal(size=n_rows) > 0).astype(float))


def settings(**others: object) -> Descent:
    return Descent.of(**SETTINGS | others)


def alone(mine: Array) -> list[Array]:
    return [mine]


@pytest.mark.parametrize(("n_rows", "size"), [(103, 10), (103, 1), (8, 3), (3, 1), (40, 20)])
def test_each_row_is_in_one_batch_of_an_epoch_and_all_batches_are_full_but_the_last(
    n_rows: int, size: int
) -> None:
    numbers = ArrayRows(np.arange(float(n_rows))[:, None], np.zeros(n_rows))
    shards, orders = Shards(Group(0, 1, alone), numbers, size, seed=0), []
    for epoch in (1, 2):
        batches, shares = list[list[float]](), list[float]()
        for batch, share in shards.batches(epoch):
            met = list[float]()
            batch.total(lambda _, block, met=met: (met.extend(block.X[:, 0]), np.zeros(1))[1])
            assert len(met) == len(batch)
            batches.append(met)
            shares.append(share)
        assert sorted(row for one in batches for row in one) == list(range(n_rows))
        assert {len(one) for one in batches[:-1]} <= {size}
        assert sum(shares) == pytest.approx(1)
        orders.append(batches)
    assert n_rows < 40 or orders[0] != orders[1]


@pytest.mark.parametrize("fit", [bcpm.fit, manual_gd.fit, torch_sgd.fit])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_several_processes_take_the_steps_of_one(fit: Callable[..., Fit], size: int) -> None:
    with together(Group(0, 1, alone)):
        theta, history, _ = fit(rows(), settings())
    found, barrier, sent = {}, threading.Barrier(size), [np.empty(0)] * size

    def process(rank: int) -> None:
        def gather(mine: Array) -> list[Array]:
            sent[rank] = mine
            barrier.wait(60)
            received = [*sent]
            barrier.wait(60)
            return received

        with together(Group(rank, size, gather)):
            found[rank] = fit(rows(), settings())

    threads = [threading.Thread(target=process, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found.values():
        assert one.theta.tobytes() == theta.tobytes()
        assert one.history.tobytes() == history.tobytes()
    assert len(found) == size


class Killed(Exception):
    """Ends a training."""


class Memory:
    """Keeps each state, and ends a training after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.found: Mapping[str, Array] | None = None
        self._left = epochs

    def read(self) -> Mapping[str, Array] | None:
        return self.found

    def write(self, state: Callable[[], Mapping[str, Array]]) -> None:
        self.found = {name: np.array(one) for name, one in state().items()}
        self._left -= 1
        if not self._left:
            raise Killed


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "rmsprop", "adam"])
def test_a_training_goes_on_where_it_was_killed(optimizer: str) -> None:
    wanted, kept = settings(optimizer=optimizer), Memory(epochs=2)
    with together(Group(0, 1, alone)):
        theta, history, _ = bcpm.fit(rows(), wanted)
    with together(Group(0, 1, alone, kept)), pytest.raises(Killed):
        bcpm.fit(rows(), wanted)
    told = list[int]()
    with together(Group(0, 1, alone, kept)):
        again = bcpm.fit(rows(), wanted, callback=lambda epoch, loss: told.append(epoch))
    assert told == [3, 4, 5, 6]
    assert again.theta.tobytes() == theta.tobytes()
    assert again.history.tobytes() == history.tobytes()


def test_shards_are_added_in_their_order() -> None:
    parts = [(np.random.default_rng(0), Block(np.zeros((1, 1)), np.array([v]))) for v in range(4)]
    big = np.array([1e16, 1.0, -1e16, 1.0])
    total = Share(Group(0, 1, alone), SHARDS, parts).total(lambda _, b: big[b.y.astype(int)])
    assert total.tolist() == [((1e16 + 1.0) - 1e16) + 1.0]
