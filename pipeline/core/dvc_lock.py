"""dvc.lock: what DVC records of each stage. No other module reads the file.

DVC writes the file anew after each stage, for a third of a second. A dvc that is killed meanwhile
leaves the beginning of it.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.core.errors import PipelineError

LOCK = Path("dvc.lock")
CACHE = Path(".dvc/cache/files/md5")
STAGE = re.compile(r"(?m)^  (?=\S)")
PLAIN = re.compile(r"schema: '2\.0'\nstages:\n(?:  (?! *#).*\n)+")

Checksum = Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]


class Output(NamedTuple):
    """A file or folder that a stage has made.

    Attributes
    ----------
    stage : str
        The stage's name, such as `ingest@house`.
    path : Path
        Where it lies, relative to dvc.lock.
    md5 : str
        The checksum by which DVC knows the content; that of a folder ends in `.dir`, and is the
        checksum of DVC's list of the files in it.
    """

    stage: str
    path: Path
    md5: str

    @property
    def cached(self) -> Path:
        """Where DVC keeps a copy, unless the stage asks for none."""
        return CACHE / self.md5[:2] / self.md5[2:]


class _Out(BaseModel):
    path: str
    md5: Checksum
    size: int  # DVC's last line of an output: a file may be cut just before it


class _Dep(BaseModel):
    path: str
    md5: str = ""  # one that is no file here has another checksum


class _Stage(BaseModel):
    deps: list[_Dep] = []
    outs: list[_Out] = []


class _File(BaseModel):
    relpath: str
    md5: Checksum


def outputs(lock: Path = LOCK) -> list[Output]:
    """List the outputs of all stages, in the order of the file.

    Raises
    ------
    PipelineError
        When the file is missing, is no YAML or does not have DVC's form.
    """
    return [
        Output(name, Path(out.path), out.md5)
        for name, stage in _read(lock).items()
        for out in stage.outs
    ]


def made_of(made: Path, source: Path, lock: Path = LOCK) -> bool:
    """Whether the stage that made an output depends on another one as it is recorded now.

    Raises
    ------
    PipelineError
        As `outputs`.
    """
    stages = _read(lock).values()
    deps = (one.deps for one in stages if any(out.path == str(made) for out in one.outs))
    then = {dep.md5 for of_one in deps for dep in of_one if dep.path == str(source)}
    now = {out.md5 for one in stages for out in one.outs if out.path == str(source)}
    return len(then) == 1 and then == now


def _read(lock: Path) -> dict[str, _Stage]:
    try:
        return TypeAdapter(dict[str, _Stage]).validate_python(_stages(lock), strict=True)
    except ValidationError:
        raise _damaged(lock) from None


def with_files(found: Collection[Output], root: Path = Path()) -> Iterator[Output]:
    """Give each output and, after a folder, the files in it, by the list in DVC's cache.

    A list that is missing or damaged gives no files; its own checksum tells of the damage.
    """
    for output in found:
        yield output
        if output.md5.endswith(".dir"):
            with contextlib.suppress(OSError, ValidationError):
                listing = (root / output.cached).read_bytes()
                for file in TypeAdapter(list[_File]).validate_json(listing):
                    yield Output(output.stage, output.path / file.relpath, file.md5)


def lock_checksum() -> str:
    """Compute the MD5 of what dvc.lock says of results, whatever the order of its stages.

    What it says of `track` depends on the store, and is left out.

    Returns
    -------
    md5 : str
        32 hexadecimal digits; "" where there is no dvc.lock.

    Raises
    ------
    PipelineError
        When the file is damaged.
    """
    if not LOCK.exists():
        return ""
    kept = {name: stage for name, stage in _stages(LOCK).items() if name != "track"}
    text = json.dumps(kept, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def whole(lock: Path = LOCK) -> bool:
    """Whether the file can be read and ends as DVC ends it, in a line break."""
    with contextlib.suppress(PipelineError):
        outputs(lock)
        return lock.read_bytes().endswith(b"\n")
    return False


def mended(cut: str, committed: str) -> str:
    r"""Put the stages that are whole in a file that was cut short in the place of committed ones.

    A stage is whole where another one follows it. What is not whole and not committed is left out:
    `dvc repro` takes it from the run cache, or runs it.

    >>> mended("stages:\n  a:\n    new\n  b:\n    ne", "stages:\n  a:\n    old\n  b:\n    old\n")
    'stages:\n  a:\n    new\n  b:\n    old\n'
    """
    head, *stages = STAGE.split(cut)
    committed_head, *committed_stages = STAGE.split(committed)
    entries = {one.partition(":")[0]: one for one in [*committed_stages, *stages[:-1]]}
    return (committed_head or head) + "".join(f"  {stage}" for stage in entries.values())


def without(text: str, names: Collection[str]) -> str:
    r"""Leave out the stages of datasets and models.

    Parameters
    ----------
    text : str
        Of a dvc.lock that is whole.
    names : collection of str
        NAME, and DATASET-NAME, as they stand behind the @ of a stage.

    >>> without("stages:\n  a@x:\n    1\n  a@y:\n    2\n  b:\n    3\n", ["x"])
    'stages:\n  a@y:\n    2\n  b:\n    3\n'
    """
    head, *stages = STAGE.split(text)
    kept = (one for one in stages if one.partition(":")[0].partition("@")[2] not in names)
    return head + "".join(f"  {stage}" for stage in kept)


def with_stage(text: str, entry: str, order: Sequence[str] = ()) -> str:
    r"""Put in what DVC says of one stage, in place of what stands there of it.

    DVC reads and writes the whole file for that, every stage of it, after each stage.

    Parameters
    ----------
    text : str
        Of a dvc.lock that is whole.
    entry : str
        Of a dvc.lock that has that stage alone.
    order : sequence of str
        The names of stages as they shall follow each other; others stay before them.

    >>> with_stage("stages:\n  b:\n    1\n", "stages:\n  a:\n    2\n", ["a", "b"])
    'stages:\n  a:\n    2\n  b:\n    1\n'
    """
    head, *stages = STAGE.split(text)
    places = {name: place for place, name in enumerate(order)}
    entries = {one.partition(":")[0]: one for one in [*stages, *STAGE.split(entry)[1:]]}
    names = sorted(entries, key=lambda name: places.get(name, -1))
    return head + "".join(f"  {entries[name]}" for name in names)


def names(lock: Path = LOCK) -> list[str]:
    """The names of the stages in a dvc.lock that is whole, in the order of the file."""
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    return [one.partition(":")[0] for one in STAGE.split(text)[1:]]


def _stages(lock: Path) -> dict[str, Any]:
    """The entries of the stages, by ruamel's C parser where `ruamel.yaml.clib` is installed."""
    try:
        return {**YAML(typ="safe").load(lock.read_text(encoding="utf-8"))["stages"]}
    except (OSError, ValueError, YAMLError, LookupError, TypeError, RecursionError):
        raise _damaged(lock) from None


def _damaged(lock: Path) -> PipelineError:
    return PipelineError(f"{lock}: is missing or damaged; `python -m pipeline doctor` says more")
