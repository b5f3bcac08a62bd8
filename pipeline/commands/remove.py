"""Take a dataset away: its block, model lines, schema and file, and all that was made of it.

  python -m pipeline remove NAME

Of params.yaml the other bytes stay; the entries of its stages in dvc.lock and its champion in
metrics/champion.json go, too. Runs in MLflow stay, and what git or DVC's cache has of the files.

Writes params.yaml, dvc.lock, metrics/champion.json. Removes data/schema/NAME.yaml, the file or the
folder of parts in data/raw, and outputs.
"""

import contextlib
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.commands.add.files import dvc_at_hand, remove_source, tracked
from pipeline.commands.params_text import removed
from pipeline.core import layout
from pipeline.core.artifacts.champions import read_champions
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.dvc_lock import LOCK, whole, without
from pipeline.core.errors import PipelineError
from pipeline.core.files import as_json, atomic_write, read_json
from pipeline.core.params import Params, load_params, parse_params
from pipeline.core.run import say


def remove(name: str) -> str:
    """Take a dataset away, and say what is gone.

    params.yaml is written before anything is removed, and gets its name last: where the disk
    refuses midway, the same command goes on later.

    Raises
    ------
    PipelineError
        For a name that params.yaml does not know, the last dataset, and when the disk refuses.
    """
    params = load_params()
    params.dataset(name)
    if len(params.datasets) == 1:
        raise PipelineError(f"{name} is the only dataset; {layout.PARAMS} needs one: add another")
    text = removed(layout.PARAMS.read_bytes().decode(), name)
    with contextlib.ExitStack() as last:
        for path, content in {layout.PARAMS: text, **_others(name, params)}.items():
            last.enter_context(atomic_write(path)).write_bytes(content.encode())
        files = [*_files(name, params)]
        _refuse_fixed(files)
        for path in files:
            _remove(path)
        remove_strangers(parse_params(text, str(layout.PARAMS)))
    gone = ", ".join(map(str, [*files, f"{layout.PARAMS}: datasets.{name}"]))
    return f"{name}: removed {gone}, and what was made of it"


def _others(name: str, params: Params) -> dict[Path, str]:
    """The other files with an entry of a dataset, without it."""
    found = dict[Path, str]()
    if name in read_champions():
        kept = {key: entry for key, entry in read_json(layout.CHAMPION).items() if key != name}
        found[layout.CHAMPION] = as_json(kept)
    if whole():
        text = LOCK.read_text(encoding="utf-8")
        keys = [key for key, line in params.models.lines.items() if line.dataset == name]
        if (less := without(text, [name, *keys])) != text:
            found[LOCK] = less
    return found


def _files(name: str, params: Params) -> Iterator[Path]:
    """Its schema, and the file of which no other dataset is made."""
    source = params.dataset(name).ingest
    shared = [n for n, one in params.datasets.items() if one.ingest.path == source.path]
    if not source.make_regression and shared == [name]:
        yield from (path for path in (source.path, tracked(source.path)) if path.exists())
    # metrics/NAME.json alone says nothing: git has it, and perhaps no output beside it is there
    yield from (path for path in (layout.schema(name), layout.metrics(name)) if path.exists())


def _refuse_fixed(paths: Sequence[Path]) -> None:
    """Refuse to begin where a file could not be removed: what is gone does not come back."""
    for path in paths:
        if not os.access(path.parent, os.W_OK):
            reason = f"cannot be removed: {path.parent} is read-only"
            raise PipelineError(f"{path}: {reason}; nothing was removed")


def _remove(path: Path) -> None:
    try:
        if path.suffix == ".dvc":
            with dvc_at_hand() as dvc:
                dvc("remove", "--quiet", str(path))  # which takes its line out of .gitignore, too
        else:
            remove_source(path)
    except OSError as error:
        reason = f"cannot be removed: {error.strerror}"
        raise PipelineError(f"{path}: {reason}; mend that, and repeat `remove`") from None


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what stands behind `remove`."""
    parser.add_argument("NAME", help="a name under params.yaml: datasets")


def run(options: Namespace) -> None:
    """Run the command."""
    say(remove(options.NAME))
