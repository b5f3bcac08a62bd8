"""Parts of a table, several at once: in their order, few at a time, and errors come out."""

import threading
import time

import numpy as np
import pytest

from pipeline.core import passes
from pipeline.core.passes import counted_rows, map_ordered


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_results_come_in_the_parts_order(workers: int) -> None:
    parts = [slice(k, k + 1) for k in range(23)]
    assert list(map_ordered(lambda part: part.start, parts, workers)) == list(range(23))
    assert list(map_ordered(lambda part: part.start, [], workers)) == []


def test_sums_are_the_same_for_any_number_of_workers() -> None:
    values = np.random.default_rng(0).normal(size=(40, 1000))
    sums = {
        sum(map_ordered(lambda k: float(values[k].sum()), range(40), workers))
        for workers in (1, 2, 4)
    }
    assert len(sums) == 1


def test_no_more_results_wait_than_workers_and_one() -> None:
    begun, lock, taken = 0, threading.Lock(), 0

    def work(part: int) -> int:
        nonlocal begun
        with lock:
            begun += 1
            assert begun - taken <= 2 + 2  # one is being taken
        return part

    for result in map_ordered(work, range(50), 2):
        assert result == taken
        taken += 1
    assert begun == 50


def test_an_error_ends_the_pass_and_what_has_not_begun() -> None:
    done = list[int]()

    def work(part: int) -> int:
        done.append(part)
        if part == 3:
            raise ValueError("part 3")
        return part

    with pytest.raises(ValueError, match="part 3"):
        list(map_ordered(work, range(1000), 2))
    assert len(done) < 20


def test_results_pass_through_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(counted_rows(iter("abc"), [1, 2, 3], "reads")) == ["a", "b", "c"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert list(counted_rows(iter("abc"), [1, 2, 3], "reads")) == ["a", "b", "c"]


def test_a_pass_that_lasts_shows_rows_a_second_and_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """evaluate forks its folds, and a process with other threads forks none."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(passes, "BAR", 0.01)
    threads = threading.active_count()
    slowly = (time.sleep(0.15) or part for part in range(4))
    assert list(counted_rows(slowly, [1000] * 4, "evaluate: predicts")) == [0, 1, 2, 3]
    assert threading.active_count() == threads
    said = capsys.readouterr().err
    assert "evaluate: predicts" in said
    assert "/4.00k [" in said
    assert "row/s]" in said
