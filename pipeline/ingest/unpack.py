"""Open a CSV file, unpacking it where its name says that it is packed."""

import gzip
import zipfile
import zlib
from pathlib import Path
from typing import IO, cast

from pipeline.core.errors import PipelineError
from pipeline.core.settings.ingest import TABLE_ENDS
from pipeline.core.text import shown

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile)  # what archives raise
NO_CSV = {".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".zst", *TABLE_ENDS}


def opened(path: Path) -> IO[bytes]:
    """Open the file, unpacking it if its name ends with .gz or .zip.

    Raises
    ------
    PipelineError
        When it is missing, or something else than a file, or an archive of more or less than one.
    """
    if path.exists() and not path.is_file():
        raise PipelineError(f"{path}: is not a file; expected a CSV file there")
    try:
        end = path.suffix.lower()
        if end == ".zip":
            return _member(path)
        return cast(IO[bytes], gzip.open(path)) if end == ".gz" else path.open("rb")
    except FileNotFoundError:
        packed = path.suffix == ".gz"
        other = path.with_suffix("") if packed else path.with_name(f"{path.name}.gz")
        declare = f"declare source: {other}"
        remedy = f"{other} is there: {declare}" if other.exists() else "put the CSV file there"
        raise PipelineError(f"{path} is missing; {remedy}") from None
    except OSError as error:
        raise PipelineError(f"{path}: cannot be read: {error.strerror}") from None


def _member(path: Path) -> IO[bytes]:
    """Open the one file of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:  # a file of it that is open keeps it open
            return archive.open(_only(path, archive))
    except zipfile.BadZipFile:
        raise PipelineError(f"{path}: is no zip archive, or damaged; fetch it again") from None
    except NotImplementedError as error:
        raise PipelineError(f"{path}: {error}; pack it by deflate") from None


def _only(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file of an archive."""
    files = [one for one in archive.infolist() if not (one.is_dir() or _beside(one.filename))]
    names = [shown(one.filename) for one in files]
    if len(names) != 1:
        few = f"{', '.join(names[:5])}{', ...' * (len(names) > 5)}" or "none"
        found = f"has {len(names)} files in it ({few})"
        raise PipelineError(f"{path}: {found}, expected one CSV file: pack it alone")
    if files[0].flag_bits & 1:
        raise PipelineError(f"{path}: {names[0]} is encrypted; pack it without a password")
    if Path(files[0].filename).suffix.lower() in NO_CSV:
        raise PipelineError(f"{path}: has {names[0]} in it, expected a CSV file: unpack it")
    return files[0]


def _beside(name: str) -> bool:
    """Whether macOS has put a file into an archive."""
    return name.startswith("__MACOSX/") or name.endswith(".DS_Store")
