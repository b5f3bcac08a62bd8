"""Rows of a folder of parts: files of one kind with the same columns, one behind another."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, PipelineWarning, listed
from pipeline.core.tables import Lines, Rejected
from pipeline.ingest.cells import Kind
from pipeline.ingest.foreign import Format
from pipeline.ingest.formats import format_of, opened_table
from pipeline.ingest.table_file import Batch, TableFile

ENDS = (".csv", ".csv.gz", ".csv.zip", ".parquet")
BESIDE = ("_", ".")  # what names begin with of files that programs write beside parts: _SUCCESS


class Parts(TableFile):
    """A folder whose parts have the same columns; its rows can be read again and again.

    Parts are read in the order of their names, as if they were one file. Those of CSV all have the
    header.

    Parameters
    ----------
    folder : Path
    opened : callable
        Opens a part; is told of the first, by which the others have to go.

    Attributes
    ----------
    files : list of TableFile
        The parts.

    Raises
    ------
    PipelineError
        When there is no part, one cannot be opened, or some have other columns: each is named.
    """

    def __init__(self, folder: Path, opened: Callable[[Path, bool], TableFile]) -> None:
        super().__init__(folder)
        paths, beside = parts_of(folder)
        self.files = [opened(paths[0], True)]
        self.header, problems = self.files[0].header, list[str]()
        for path in paths[1:]:
            try:
                self.files.append(opened(path, False))
                problems += _other_names(self.files[-1], self.header)
            except PipelineError as error:
                problems.append(str(error))
        problems = problems or [*_other_types(self.files)]
        if problems:
            all_have = (
                "expected the same columns in all parts, of the same types where they have some"
            )
            raise PipelineError(f"{listed(problems)}\n{all_have}; the first is {paths[0].name}")
        say_beside(folder, beside)

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return sum(file.size for file in self.files)

    @property
    def rejected(self) -> list[Rejected]:
        """The records that were set aside, in all parts."""
        return [
            one._replace(reason=f"of {file.path.name}: {one.reason}")
            for file in self.files
            for one in file.rejected
        ]

    def refuse_changed(self) -> None:
        """Refuse parts that are others than when their headers were read, or of which more came."""
        for file in self.files:
            file.refuse_changed()
        if parts_of(self.path)[0] != [file.path for file in self.files]:
            raise PipelineError(
                f"{self.path}: parts came or went while they were read; "
                "run again once nobody writes there"
            )

    def markers(self) -> list[str]:
        """Cells that may stand for no value in one of the parts."""
        return [*dict.fromkeys(marker for file in self.files for marker in file.markers())]

    def _kinds_before(self) -> list[Kind]:
        return self.files[0]._kinds_before()

    def _batches(self) -> Iterator[Batch]:
        for file in self.files:
            file.lines, file._kinds = Lines(), self._kinds  # which the batches look at
            self.lines.begin(file.path.name)
            for lines, arrays in file._batches():
                for line, count in lines:
                    file.lines.add(line, count)
                yield lines, arrays
            if not file.lines:
                raise PipelineError(f"{file.path}: has a header but no rows; remove the part")

    def _refuse_odd(self) -> None:
        self.files[0]._refuse_odd()


def parts_of(folder: Path) -> tuple[list[Path], list[str]]:
    """The parts of a folder by name, and the names of what stands beside them.

    Raises
    ------
    PipelineError
        When there is no such folder or no part, or something that would be a part to one program
        and none to another.
    """
    if not folder.is_dir():
        there = folder.exists()
        raise PipelineError(
            f"{folder}: is {'a file, expected a folder of parts' if there else 'missing'}; "
            "put the parts there"
        )
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise PipelineError(f"{folder}: cannot be read: {error.strerror}") from None
    beside = [path.name for path in entries if is_beside(path.name)]
    parts = [path for path in entries if path.name not in beside]
    if problems := [f"{path}: {why}" for path in parts if (why := _no_part(path))]:
        raise PipelineError(listed(problems))
    if not parts:
        raise PipelineError(f"{folder}: has no parts; expected files NAME{', NAME'.join(ENDS)}")
    return parts, beside


def say_beside(folder: Path | str, names: Sequence[str]) -> None:
    """Warn of what stands beside parts."""
    if names:
        text = f"{folder}: {', '.join(names[:5])}{', ...' * (len(names) > 5)}"
        warnings.warn(f"{text}: no part, and left out", PipelineWarning, stacklevel=3)


def is_beside(name: str) -> bool:
    """Whether a file is none of the parts, to every program that reads such folders."""
    return name.startswith(BESIDE) and not name.lower().endswith(ENDS)


def _no_part(path: Path) -> str:
    """Why a file beside parts may be none, or nothing."""
    if path.is_dir():
        return "is a folder; expected the parts beside each other"
    if path.name.startswith(BESIDE):
        return f"begins with {path.name[0]}, so that others skip it; rename it or take it away"
    if not path.name.lower().endswith(ENDS):
        return f"is no part: expected NAME{', NAME'.join(ENDS)}; take it away"
    return "" if path.name.isprintable() else "has a name with odd characters; rename it"


def kind_of(folder: Path) -> Format:
    """The kind of the parts of a folder.

    Raises
    ------
    PipelineError
        As `parts_of`; where they are of several, or of one that has no parts.
    """
    kinds = {path: format_of(path)[1] for path in parts_of(folder)[0]}
    first, *others = kinds.items()
    other = next((found for found in others if found[1] != first[1]), None)
    if other:
        raise PipelineError(
            f"{other[0]}: is {other[1].value}, and {first[0].name} is {first[1].value}; "
            "expected parts of one kind"
        )
    return first[1]


def opened_rows(
    path: Path, dialect: Dialect | None = None, table: Table | None = None, advise: bool = True
) -> TableFile:
    """Open a file of any kind, or a folder of parts, up to the header.

    Parameters and errors are those of `opened_table`, and errors those of `Parts`, too.
    """
    if not path.is_dir():
        return opened_table(path, dialect, table, advise)
    if kind_of(path) is Format.PARQUET:
        return Parts(path, lambda part, _: opened_table(part, table=table))
    dialect = dialect or Dialect()
    asked = dialect.model_copy(update={"header": dialect.header})  # the first line is one

    def opened(part: Path, first: bool) -> TableFile:
        return opened_table(part, dialect if first else asked, advise=advise and first)

    return Parts(path, opened)


def _other_names(file: TableFile, header: Sequence[str]) -> Iterator[str]:
    """How the columns of a part are called otherwise than those of the first."""
    missing = [name for name in header if name not in file.header]
    more = [name for name in file.header if name not in header]
    if missing or more:
        lacks = f"has no column {_names(missing)}" * bool(missing)
        has = f"has {_names(more)} besides" * bool(more)
        yield f"{file.heading}: {', and '.join(filter(None, [lacks, has]))}"
    elif file.header != header:
        yield f"{file.heading}: has the columns in another order: {_names(file.header)}"


def _other_types(files: Sequence[TableFile]) -> Iterator[str]:
    """Where a column is of another type than in the parts before, but for those without a value.

    One type for all, as other readers take that of the first part, loses digits or text.
    """
    expected = dict[str, tuple[pa.DataType, str]]()
    for file in files:
        for name, found in zip(file.header, file.types, strict=bool(file.types)):
            kind = _plain(found)
            if kind == pa.null():
                continue
            wanted, where = expected.setdefault(name, (kind, file.path.name))
            if kind != wanted:
                yield f"{file.path}: column {name} is of {kind}, and of {wanted} in {where}"


def _names(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:5]))}{', ...' * (len(names) > 5)}"


def _plain(kind: pa.DataType) -> pa.DataType:
    """A type of Arrow, the same of columns that become the same: some are only stored otherwise."""
    is_of = pa.types
    if is_of.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if is_of.is_large_string(kind) or is_of.is_string_view(kind) else kind
