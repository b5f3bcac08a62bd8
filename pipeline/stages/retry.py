"""Stage `retry`: has track run again after MLflow was not to be reached."""

from pipeline.core import layout
from pipeline.core.files import write_json


def retry() -> None:
    """Remove track's receipt, where something waits to be published.

    DVC hashes what a stage depends on after its command: a file that track itself changes would
    never start it again. This stage runs before it, depends on the folder where track leaves word,
    and clears that word away, so that dvc.lock stays as it was.
    """
    if layout.RETRY.exists():
        layout.RECEIPT.unlink(missing_ok=True)
        layout.RETRY.unlink()
    write_json(layout.RETRIED, {})
