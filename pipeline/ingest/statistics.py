"""Rows of a file of SPSS, Stata or SAS (transport), by pyreadstat, which is an extra."""

from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from pipeline.core.checked_inputs import state
from pipeline.core.errors import PipelineError, Problems
from pipeline.core.params import Table
from pipeline.core.tables import Lines
from pipeline.ingest.arrow import not_finite
from pipeline.ingest.cells import FLOAT, INT, NULL, TEXT, Kind
from pipeline.ingest.records import shown
from pipeline.ingest.table_file import Batch, TableFile, unfit_names

ROWS = 65_536  # in memory
RECORD = 80  # bytes, of which a transport file is a multiple; it does not say how many rows it has
EXACT = 2**53  # below it a float is one integer
READERS = {".sav": "read_sav", ".zsav": "read_sav", ".dta": "read_dta", ".xpt": "read_xport"}
BLANK_IS_MISSING = (".dta", ".xpt")  # to Stata and SAS, not to SPSS
Values: TypeAlias = list[Any]


class StatisticsFile(TableFile):
    """A file of SPSS, Stata or SAS; its rows can be read again and again.

    Numbers are int64 where all of a column are whole. Where every value of a column has a label,
    and each its own, the labels are the values. What the file calls missing has no value. Dates and
    times are text of ISO 8601.

    Parameters
    ----------
    path : Path
    table : Table
        Texts that are no value.
    end : str
        What the name of such a file ends with.

    Raises
    ------
    PipelineError
        When pyreadstat is not installed, or the file cannot be read.
    """

    def __init__(self, path: Path, table: Table, end: str) -> None:
        self.path, self.state, self._missing = path, state(path), {*table.missing}
        self._end = end
        if end in BLANK_IS_MISSING:
            self._missing.add("")
        self.lines, self.settled, self._kinds = Lines(), True, list[Kind]()
        _, about = self._read(metadataonly=True, **self._user_missing())
        self.header = list(about.column_names)
        self._ranges = dict(getattr(about, "missing_ranges", None) or {})
        self._labels, self._notes = dict[str, Mapping[Any, str]](), list[str]()
        if problem := unfit_names(self.header):
            raise PipelineError(f"{path}: {problem}")
        self._take_labels(dict(about.variable_value_labels))

    def notes(self) -> list[str]:
        """Which labels stand for values, and which values for none."""
        ranges = (f"{name} ({_ends(of)})" for name, of in self._ranges.items())
        missing = ", ".join(name for name in ranges)
        labelled = ", ".join(self._labels)
        said = [f"labels are the values of {labelled}"] if labelled else []
        said += [f"no values, as the file says: {missing}"] if missing else []
        return [*said, *self._notes]

    def _take_labels(self, labels: dict[str, Mapping[Any, str]]) -> None:
        """The labels of columns that have one, and only one, for each value."""
        seen = {name: set[Any]() for name in labels}
        for part in self._chunks([*labels]) if labels else ():
            for name, values in part.items():
                seen[name] |= {*values} - {None}
        for name, of in labels.items():
            there = {value: of[value] for value in seen[name] if value in of}
            if not there:
                continue
            bare = seen[name] - there.keys()
            if bare:
                what = f"{len(there)} values of {name} have labels"
                text = f"{what} and {len(bare)} have none: they stay as they are"
                self._notes.append(text)
            elif len({*there.values()}) < len(there):
                self._notes.append(f"two values of {name} have one label: they stay as they are")
            else:
                self._labels[name] = there

    def _batches(self) -> Iterator[Batch]:
        row, problems = 1, Problems()
        for part in self._chunks(self.header):
            arrays = [self._array(name, part[name]) for name in self.header]
            for name, values in zip(self.header, arrays, strict=True):
                if odd := not_finite(values):
                    place = f"{self.path}, row {row + odd[0]}, column {name}"
                    problems.add(f"{place}: {odd[1]}, expected a finite number")
            if not problems:
                yield [(row, len(arrays[0]))], arrays
            row += len(arrays[0])
        if problems:
            raise PipelineError(str(problems))

    def _array(self, name: str, values: Values) -> pa.Array:
        if labels := self._labels.get(name):
            values = [None if value is None else labels[value] for value in values]
        present = [value for value in values if value is not None]
        if not present:
            return pa.array(values, NULL)
        if all(isinstance(value, int | float) for value in present):
            whole = all(value == value // 1 and abs(value) < EXACT for value in present)
            exact = [None if value is None else int(value) for value in values] if whole else values
            return pa.array(exact, INT if whole else FLOAT)
        texts = [_text(value) for value in values]
        return pa.array([None if text in self._missing else text for text in texts], TEXT)

    def _chunks(self, names: list[str]) -> Iterator[dict[str, Values]]:
        offset = 0
        while True:
            part, _ = self._read(row_offset=offset, row_limit=ROWS, usecols=names)
            count = len(part[names[0]])
            if count:
                yield {name: list(part[name]) for name in names}
            offset += count
            if count < ROWS:
                return

    def _user_missing(self) -> dict[str, bool]:
        return {"user_missing": True} if self._end != ".xpt" else {}

    def _read(self, **options: Any) -> tuple[dict[str, Values], Any]:
        pyreadstat = _library(self.path)
        if not self.path.is_file():
            raise PipelineError(f"{self.path} is missing; put the file there")
        if self._end == ".xpt" and self.path.stat().st_size % RECORD:
            raise PipelineError(f"{self.path}: is cut off; export it again")
        read = getattr(pyreadstat, READERS[self._end])
        try:
            found, about = read(str(self.path), output_format="dict", **options)
        except MemoryError:
            raise
        except Exception as error:  # its own, OSError, OverflowError, UnicodeDecodeError, ...
            reason = f"cannot be read: {str(error) or type(error).__name__}"
            raise PipelineError(f"{self.path}: {reason}; save it again") from None
        return found, about


def _library(path: Path) -> Any:
    try:
        import pyreadstat
    except ImportError:
        raise PipelineError(
            f"{path}: needs the package pyreadstat: `pip install pyreadstat==1.3.7` (the extra "
            "`statistics` of pyproject.toml)"
        ) from None
    return pyreadstat


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return repr(value)


def _ends(ranges: list[dict[str, Any]]) -> str:
    """Ranges of values that are none."""
    pairs = [(one["lo"], one["hi"]) for one in ranges]
    return ", ".join(_value(a) if a == b else f"{_value(a)} to {_value(b)}" for a, b in pairs)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else shown(str(value))
