"""Rows to predict: read, and checked against the dataset's schema, a chunk at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pipeline.core.errors import PipelineError, Problems, listed
from pipeline.core.params import Dialect
from pipeline.core.tables import Array
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.records import ENDED, Record
from pipeline.validate.values import Problem, Source, check_columns, check_values

CHUNK = 16_384  # rows in memory


@dataclass(frozen=True)
class Chunk:
    """Some rows that have passed.

    Attributes
    ----------
    records : list of list of str
        The cells as received.
    lines : list of int
        Where they stand in the file.
    X : ndarray of shape (n_rows, n_features)
        The features that the model uses, in its order.
    """

    records: list[list[str]]
    lines: list[int]
    X: Array


class Rows:
    """The rows of a CSV file, read as `ingest` reads and checked as `validate` checks.

    Parameters
    ----------
    path : Path
    schema : DataFrameSchema
        Of the columns without the target, which may stand in any order.
    rules : Path
        The file of the schema, to name in messages.
    target : str
    features : sequence of str
        The columns that the model uses.

    Raises
    ------
    PipelineError
        When the file cannot be read, or its columns are not those of the schema.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.DataFrameSchema,
        rules: Path,
        target: str,
        features: Sequence[str],
        dialect: Dialect,
    ) -> None:
        self._path, self._schema, self._features = path, schema, [*features]
        self._rules = f"expected by {rules} of rows without {target}"
        self._file, self._decimal = CsvFile(path, dialect), dialect.decimal
        self.header = self._file.header
        problems = [
            f"{path}: column {target} is what the model predicts; remove it from the file"
            for name in self.header
            if name == target
        ]
        others = [name for name in self.header if name != target]
        problems += check_columns(others, schema, path)
        problems += [
            f"{path}: column {name} is missing, and the model uses it"
            for name in features
            if name not in others and not schema.columns[name].required
        ]
        if problems:
            raise PipelineError(f"{listed(problems)}\n{self._rules}")

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Chunks of rows, up to the first problem; then only the reading and checking goes on.

        Raises
        ------
        PipelineError
            At the end of the file, with its first 20 problems and a count of the rest.
        """
        problems, records = Problems(), self._file.records()
        while some := [*islice(records, size)]:
            chunk, found = self._checked(some)
            for line, _, text in found:
                problems.add(text, final=line == ENDED)
            if chunk.lines and not problems:
                yield chunk
        if problems:
            raise PipelineError(f"{problems}\n{self._rules}")

    def _checked(self, records: list[Record]) -> tuple[Chunk, list[Problem]]:
        """The rows of some records, and their problems in the order of the lines."""
        problems: list[Problem] = [
            (record.line, "", self._file.problem(record)) for record in records if record.problem
        ]
        good = [record for record in records if not record.problem]
        lines, cells = [record.line for record in good], [record.cells for record in good]
        if not good:
            return Chunk([], [], np.empty((0, len(self._features)))), problems
        by_name = dict(zip(self.header, zip(*cells, strict=True), strict=True))
        ordered = {name: by_name[name] for name in self._schema.columns if name in by_name}
        frame = pd.DataFrame(ordered, dtype=object)
        source = Source(self._path, "line", lines, self._decimal)
        typed, found, _ = check_values(frame, self._schema, source, most=frame.size)
        problems += [(lines[row] if row >= 0 else 0, name, text) for row, name, text in found]
        return Chunk(cells, lines, typed[self._features].to_numpy(dtype=float)), sorted(problems)
