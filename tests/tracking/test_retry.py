from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.files import write_json
from pipeline.tracking.entry import retried, try_again


@pytest.mark.parametrize("unpublished", [True, False])
def test_tracks_receipt_goes_where_something_is_unpublished(
    run: Callable[[str], tuple[int, str]], workspace: Path, unpublished: bool
) -> None:
    write_json(layout.RECEIPT, {})
    try_again(workspace)
    if not unpublished:
        retried(workspace)
    for _ in range(2):
        assert run("retry") == (0, "")
        assert layout.RECEIPT.exists() != unpublished
        assert not layout.RETRY.exists()
        assert layout.RETRIED.read_text() == "{}\n"
