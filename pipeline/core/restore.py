"""Earlier outputs, put back when a stage refuses.

DVC removes a stage's outputs before it runs the command (all but those marked `persist`, which the
run cache does not serve). A stage that then refuses its input would leave a hole: this fills it
from DVC's cache, as dvc.lock records it.
"""

import contextlib
import os
from pathlib import Path

from pipeline.core.checked_inputs import checksum
from pipeline.core.dvc_lock import outputs, with_files
from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write


def restore_outputs() -> None:
    """Put back what dvc.lock records for the stage that DVC is running and that is gone.

    Does nothing outside `dvc repro`, or where the cache lies elsewhere: `dvc checkout` serves then.
    Where it cannot, it says nothing, since the stage's own message is what matters.
    """
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        return
    root = Path(os.environ["DVC_ROOT"])
    with contextlib.suppress(OSError, PipelineError):
        for output in with_files(outputs(), root):
            cached = root / output.cached
            gone = output.stage == stage and not output.path.exists()
            if gone and cached.is_file() and checksum(cached) == output.md5:
                with atomic_write(output.path) as part:
                    part.write_bytes(cached.read_bytes())
