"""Earlier outputs, put back when a stage refuses.

DVC removes a stage's outputs before it runs the command (all but those marked `persist`, which the
run cache does not serve). A stage that then refuses its input would leave a hole: this fills it
from DVC's cache, as dvc.lock records it.
"""

import os
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.files import atomic_write, md5


def restore_outputs() -> None:
    """Put back what dvc.lock records for the stage that DVC is running and that is gone.

    Does nothing outside `dvc repro`, or where the cache lies elsewhere: `dvc checkout` serves then.
    """
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        return
    cache = Path(os.environ["DVC_ROOT"]) / ".dvc/cache/files/md5"
    try:
        lock = YAML(typ="safe", pure=True).load(Path("dvc.lock").read_text(encoding="utf-8"))
        recorded = {Path(out["path"]): out["md5"] for out in lock["stages"][stage]["outs"]}
        for path, digest in recorded.items():
            cached = cache / digest[:2] / digest[2:]
            if not path.exists() and cached.is_file() and md5(cached) == digest:
                with atomic_write(path) as part:
                    part.write_bytes(cached.read_bytes())
    except (OSError, YAMLError, KeyError, TypeError, PipelineError):
        return  # the stage's own message is what matters
