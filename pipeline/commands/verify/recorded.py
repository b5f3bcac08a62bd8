"""What a dvc.lock records: each output file with its hash, and its content where it is kept."""

import json
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from pipeline.core.yaml import load_yaml


class Checkout(NamedTuple):
    """The hashes of a dvc.lock by path, the folder whose cache has the files, and git's files."""

    folder: Path
    outputs: dict[str, str]
    committed: dict[str, bytes]

    @staticmethod
    def of(clone: Path, home: Path) -> "Checkout":
        """Read dvc.lock of a clone; contents come from `home`, its cache or its files.

        Raises
        ------
        PipelineError
            When dvc.lock is damaged.
        """
        try:
            text = (clone / "dvc.lock").read_text(encoding="utf-8")
            stages = load_yaml(text)["stages"].values()
            outs = {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}
        except (OSError, ValueError, YAMLError, KeyError, TypeError, AttributeError):
            raise PipelineError(
                "dvc.lock of HEAD is missing or damaged; commit a whole one"
            ) from None
        in_git = {path: (clone / path).read_bytes() for path in outs if (clone / path).is_file()}
        return Checkout(home, outs, in_git)

    def content(self, path: str) -> bytes | None:
        """The bytes that the lock means, of a folder a list; None where they are nowhere."""
        digest = self.outputs.get(path, "")
        cached = _cached(self.folder, digest)
        if cached is not None and digest.endswith(".dir"):
            lines = [f"{file['relpath']} {file['md5']}" for file in json.loads(cached)]
            return "\n".join(lines).encode()
        if cached is not None:
            return cached
        if path in self.committed:
            return self.committed[path]
        file = self.folder / path
        return file.read_bytes() if file.is_file() and md5(file) == digest else None


def _cached(folder: Path, digest: str) -> bytes | None:
    file = folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    whole = file.is_file() and md5(file) == digest.removesuffix(".dir")
    return file.read_bytes() if whole else None
