"""Rows of a file of SPSS, Stata or SAS (transport), by pyreadstat, which is an extra."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, time
from math import isfinite
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from pipeline.core.dialect import Table
from pipeline.core.errors import PipelineError, Problems
from pipeline.core.text import EXACT, nearest, shown
from pipeline.ingest.cells import FLOAT, INT, NULL, TEXT
from pipeline.ingest.table_file import Batch, TableFile, unfit_names

ROWS = 65_536  # in memory
RECORD = 80  # bytes, of which a transport file is a multiple; it does not say how many rows it has
READERS = {".sav": "read_sav", ".zsav": "read_sav", ".dta": "read_dta", ".xpt": "read_xport"}
BLANK_IS_MISSING = (".dta", ".xpt")  # to Stata and SAS, not to SPSS
Values: TypeAlias = list[Any]


class StatisticsFile(TableFile):
    """A file of SPSS, Stata or SAS; its rows can be read again and again.

    Numbers are int64 where all of a column are whole. Of declared columns the labels are the
    values. What the file calls missing has no value. Dates and times are text of ISO 8601.

    Parameters
    ----------
    path : Path
    table : Table
        Texts that are no value, and columns with labels.
    end : str
        What the name of such a file ends with.

    Raises
    ------
    PipelineError
        When pyreadstat is not installed, the file cannot be read, or it lacks declared labels.
    """

    def __init__(self, path: Path, table: Table, end: str) -> None:
        super().__init__(path)
        self._missing, self._end = {*table.missing}, end
        if end in BLANK_IS_MISSING:
            self._missing.add("")
        _, about = self._read(metadataonly=True, **self._user_missing())
        self.header = [name or "" for name in about.column_names]
        self._ranges = dict(getattr(about, "missing_ranges", None) or {})
        if problem := unfit_names(self.header):
            raise PipelineError(f"{path}: {problem}")
        self._every_label: dict[str, Mapping[Any, str]] = dict(about.variable_value_labels)
        for name in table.labels:
            if problem := self._unlabelled(name):
                where = "(params.yaml: datasets.*.ingest.table.labels)"
                raise PipelineError(f"{path}: {problem} {where}")
        self._labels = {name: self._every_label[name] for name in table.labels}

    def _unlabelled(self, name: str) -> str:
        """Why the labels of a column cannot stand for its values, or nothing."""
        labelled = [one for one in self.header if not _unfit(self._every_label.get(one, {}))]
        others = f"columns with labels: {', '.join(labelled) or 'none'}"
        if name not in self.header:
            return f"there is no column {name}{nearest(name, labelled or self.header)}; {others}"
        problem = _unfit(self._every_label.get(name, {}))
        return f"column {name} {problem}; {others}" if problem else ""

    def notes(self) -> list[str]:
        """Which values stand for none."""
        ranges = [f"{name} ({_ends(of)})" for name, of in self._ranges.items()]
        return [f"no values, as the file says: {', '.join(ranges)}"] * bool(ranges)

    def found_labels(self) -> tuple[list[str], list[str]]:
        """The columns of which every value has a label of its own; of others why they have not."""
        seen = {name: set[Any]() for name in self._every_label if name in self.header}
        for part in self._chunks([*seen]) if seen else ():
            for name, values in part.items():
                seen[name] |= {*values} - {None}
        found, notes = list[str](), list[str]()
        for name, of in seen.items():
            labels = self._every_label[name]
            bare = of - labels.keys()
            if of and not bare and not _unfit(labels):
                found.append(name)
            elif of - bare:
                why = f"{len(bare)} have none" if bare else _unfit(labels)
                what = f"{len(of - bare)} values of {name} have labels"
                notes.append(f"{what}, and {why}: they stay as they are")
        return found, notes

    def _batches(self) -> Iterator[Batch]:
        row, problems = 1, Problems()
        for part in self._chunks(self.header):
            for problem in self._odd(part, row):
                problems.add(problem)
            if not problems:
                yield [(row, _rows(part))], [self._array(n, part[n]) for n in self.header]
            row += _rows(part)
        if problems:
            raise PipelineError(str(problems))

    def _odd(self, part: Mapping[str, Values], row: int) -> Iterator[str]:
        """Of each column the first value that has no label where it should, or is no number."""
        for name, values in part.items():
            labels = self._labels.get(name)
            for k, value in enumerate(values):
                if labels is not None and not (value is None or value in labels):
                    what = f"{_value(value)} has no label; expected one of each value"
                elif isinstance(value, float) and not isfinite(value):
                    what = f"{value}, expected a finite number"
                else:
                    continue
                yield f"{self.path}, row {row + k}, column {name}: {what}"
                break

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
            if _rows(part):
                yield {name: list(part[name]) for name in names}
            offset += _rows(part)
            if _rows(part) < ROWS:
                return

    def _user_missing(self) -> dict[str, bool]:
        return {"user_missing": True} if self._end != ".xpt" else {}

    def _read(self, **options: Any) -> tuple[dict[str, Values], Any]:
        pyreadstat = _library(self.path)
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


def _rows(part: Mapping[str, Values]) -> int:
    return len(next(iter(part.values())))


def _unfit(labels: Mapping[Any, str]) -> str:
    """Why labels cannot stand for values, or nothing."""
    twice = [label for label, count in Counter(labels.values()).items() if count > 1]
    if twice:
        return f"has the label {shown(twice[0])} for two values"
    return "" if labels else "has no labels"


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
