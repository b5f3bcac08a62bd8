import pytest

from pipeline.core.thin import thinned


@pytest.mark.parametrize("count", [1, 2, 3, 999, 1000, 1001, 5000, 1_000_003])
def test_first_and_last_are_kept_and_no_more_than_asked_for(count: int) -> None:
    kept = thinned(count, 1000)
    assert (kept[0], kept[-1]) == (0, count - 1)
    assert len(kept) == min(count, 1000)
    assert len(thinned(0, 1000)) == 0
