import os
from pathlib import Path

import pytest

from pipeline.core.errors import PipelineWarning
from pipeline.core.layout import UNPUBLISHED
from pipeline.tracking.entry import count_waiting, path_of, save, taken, waiting
from tests.tracking.sample import entry


def test_entries_wait_in_order_whole_and_only_once(tmp_path: Path) -> None:
    one, two = entry("1" * 64), entry("2" * 64, metrics={"test_mse": 0.1 + 0.2})
    for k, each in enumerate((two, one, one)):
        save(tmp_path, [each])
        os.utime(path_of(tmp_path, each), ns=(k, k))
    assert list(waiting(tmp_path)) == [two, one]
    taken(tmp_path, two)
    taken(tmp_path, two)
    assert list(waiting(tmp_path)) == [one]
    assert count_waiting(tmp_path) == 1


def test_no_experiment_takes_the_place_of_another_with_the_same_result(tmp_path: Path) -> None:
    ours = entry(links={"git_commit": "c" * 40, "dvc_experiment": "ours"})
    trial = entry(champion=None, links={"git_commit": "c" * 40, "dvc_experiment": "trial"})
    save(tmp_path, [ours, trial])
    assert list(waiting(tmp_path)) == [ours, trial]
    taken(tmp_path, trial)
    assert list(waiting(tmp_path)) == [ours]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_entry_is_warned_of_and_stops_no_other(tmp_path: Path, content: str) -> None:
    save(tmp_path, [entry()])
    (tmp_path / UNPUBLISHED / "damaged.json").write_text(content)
    with pytest.warns(PipelineWarning, match=r"damaged.json: damaged, .* delete it"):
        assert list(waiting(tmp_path)) == [entry()]
