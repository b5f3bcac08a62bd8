"""What `add` is given: a file, a folder, several files, or an address of objects elsewhere."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.commands.add.files import staged
from pipeline.commands.add.plan import named, refuse_unfit
from pipeline.core.errors import PipelineError
from pipeline.core.text import shown
from pipeline.ingest.parts import is_beside, say_beside

S3FS = "s3fs==2026.9.0"
LONGEST = 255  # bytes of a file's name
MAGIC = "*?["


def is_url(word: str) -> bool:
    """Whether a word is an address such as s3://bucket/key."""
    return "://" in word


@contextlib.contextmanager
def taken(words: Sequence[str], name: str | None) -> Iterator[tuple[Path, str | None, str]]:
    """Give one path for what is named: the file, or a folder of parts.

    What an address names is copied to a folder in data/raw, which is gone afterwards unless it was
    renamed; of files that are some of a folder's, links stand in a folder of their own.

    Parameters
    ----------
    words : sequence of str
        A file, a folder, several files, a pattern of them, or an address.
    name : str or None
        Of the dataset.

    Yields
    ------
    path : Path
    name : str or None
        Of the dataset; None where it is to be made of the path's.
    shown : str
        What people call the path.

    Raises
    ------
    PipelineError
        When a pattern fits no file, files lie in several folders, or an address cannot be fetched.
    """
    [first, *more] = words
    if is_url(first) and not more:
        plain = first.rstrip("/") if _in_one(first) else first.rpartition("/")[0]
        name = name or named(Path(plain))
        refuse_unfit(name)
        with staged(name) as into:
            yield fetched(first, into), name, plain
        return
    path = Path(first)
    if more or not (_in_one(first) or path.exists()):
        fit = map(Path, words) if more else sorted(path.parent.glob(path.name))
        files = [*dict.fromkeys(fit)]
        folder = _folder(first, files)
        if not _others(folder, files):
            yield folder, name, str(folder)
            return
        with TemporaryDirectory() as links:
            for file in files:
                (Path(links) / file.name).symlink_to(file.absolute())
            yield Path(links), name or named(folder.absolute()), str(folder)
        return
    yield path, name, str(path)


def _in_one(url: str) -> bool:
    """Whether an address names one object or folder, rather than those that fit a pattern."""
    return not any(sign in url for sign in MAGIC)


def _folder(pattern: str, files: Sequence[Path]) -> Path:
    """The folder that all files lie in."""
    if not files:
        raise PipelineError(f"{pattern}: no file fits; expected parts there, CSV or Parquet")
    if absent := [file for file in files if not file.exists()]:
        raise PipelineError(f"{absent[0]}: is missing; put it there")
    other = next((file for file in files if file.parent != files[0].parent), None)
    if other:
        raise PipelineError(
            f"{other}: lies elsewhere than {files[0]}; expected parts in one folder"
        )
    return files[0].parent


def _others(folder: Path, files: Sequence[Path]) -> set[str]:
    """What else is in their folder that may be a part."""
    try:
        every = {path.name for path in folder.iterdir() if not is_beside(path.name)}
    except OSError as error:
        raise PipelineError(f"{folder}: cannot be read: {error.strerror}") from None
    return every - {file.name for file in files}


def fetched(url: str, folder: Path) -> Path:
    """Copy what an address names into an empty folder.

    Parameters
    ----------
    url : str
        Of an object, a folder, or a pattern of objects, as fsspec takes it. Credentials and the
        endpoint come from the environment, as the library of the store reads it.
    folder : Path

    Returns
    -------
    Path
        The file, of one object; else the folder.

    Raises
    ------
    PipelineError
        When the library of the store is not there, the store refuses, there is nothing, a name is
        none for a file, or objects changed meanwhile.
    """
    import fsspec

    scheme, _, rest = url.partition("://")
    if "::" in url:
        raise PipelineError(f"{scheme}://: expected a plain address, without ::")
    if scheme in ("http", "https") and "?" in rest:
        text = "holds a query, which may be a key; fetch the file, and add that"
        raise PipelineError(f"{scheme}://{rest.partition('?')[0]}?...: {text}")
    if "@" in rest.partition("/")[0]:
        text = "holds credentials; put them into the environment, and leave them out"
        raise PipelineError(f"{scheme}://...: {text}")
    try:
        store, path = fsspec.core.url_to_fs(url, skip_instance_cache=True)
        before = _objects(store, path)
        one = len(before) == 1 and [*before] == [path]
        names = {key: _name(url, key, entry) for key, entry in before.items()}
        parts = {key: name for key, name in names.items() if one or not is_beside(name)}
        say_beside(url, [name for key, name in names.items() if key not in parts])
        if not parts or len({*parts.values()}) < len(parts):
            several = "objects of one name in several folders" if parts else "nothing"
            raise PipelineError(f"{url}: names {several}; expected a file, or parts in one folder")
        for key, name in parts.items():
            store.get_file(key, str(folder / name))
        changed = _objects(store, path) != before
    except (PipelineError, MemoryError):
        raise
    except FileNotFoundError:
        raise PipelineError(f"{url}: there is nothing; expected a file, or parts") from None
    except ImportError as error:
        install = f"pip install {S3FS} (the extra `cloud`)" if scheme == "s3" else str(error)
        raise PipelineError(f"{url}: the library for {scheme}:// is missing: {install}") from None
    except Exception as error:  # each store raises what its library does
        reason = str(error).split("\n")[0] or type(error).__name__
        raise PipelineError(f"{url}: cannot be fetched: {reason}") from None
    sizes = {key: (folder / name).stat().st_size for key, name in parts.items()}
    if changed or any(before[key].get("size") not in (None, size) for key, size in sizes.items()):
        raise PipelineError(
            f"{url}: was changed while it was fetched; run again once nobody writes to it"
        )
    return folder / next(iter(parts.values())) if one else folder


def _objects(store: Any, path: str) -> dict[str, Mapping[str, Any]]:
    """What a path names now, by key: an object, those in a folder, or those that fit a pattern."""
    store.invalidate_cache()
    if not _in_one(path):
        found = store.glob(path, detail=True)
        return dict(sorted(found.items()))
    entry = store.info(path)
    if entry["type"] != "directory":
        return {path: entry}
    entries = {one["name"]: one for one in store.ls(path, detail=True)}
    own = path.rstrip("/")  # a folder may be an object, too, of that name
    return {key: entries[key] for key in sorted(entries) if key.rstrip("/") != own}


def _name(url: str, key: str, entry: Mapping[str, Any]) -> str:
    """The name of the file that an object becomes."""
    if entry["type"] == "directory":
        raise PipelineError(
            f"{url}: {shown(key)} is a folder; expected the parts beside each other"
        )
    name = key.rpartition("/")[2]
    fits = name.isprintable() and "\\" not in name and name not in ("", ".", "..")
    if not fits or len(name.encode()) > LONGEST:
        raise PipelineError(f"{url}: {shown(key)} is no name for a file; rename the object")
    return name
