"""Rows to predict: read, and checked against the dataset's schema, a chunk at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pipeline.core.errors import SHOWN, PipelineError, listed
from pipeline.core.tables import Array
from pipeline.stages.ingest.csv_reader import read_records, wrong_length
from pipeline.stages.validate.schema import Problem, Source, check_columns, checked_rows

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
    ) -> None:
        self._path, self._schema, self._features = path, schema, [*features]
        self._rules = f"expected by {rules} of rows without {target}"
        self._records = read_records(path)
        self.header = next(self._records)
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
        shown, count, line = list[str](), 0, 2
        broken: PipelineError | None = None
        while broken is None:
            records, broken = self._take(size)
            if not records:
                break
            chunk, found = self._checked(records, line)
            shown, count = [*shown, *found][:SHOWN], count + len(found)
            line += len(records)
            if not count:
                yield chunk
        if broken and not count:
            raise broken
        if broken:
            shown, count = [*shown, str(broken)], count + 1
        if count:
            more = [f"... and {count - len(shown)} more"] if count > len(shown) else []
            raise PipelineError("\n".join([*shown, *more, self._rules]))

    def _take(self, size: int) -> tuple[list[list[str]], PipelineError | None]:
        """The next records, and the error of the reader behind them, if any."""
        records: list[list[str]] = []
        try:
            records.extend(islice(self._records, size))  # keeps what comes before an error
        except PipelineError as error:
            return records, error
        return records, None

    def _checked(self, records: list[list[str]], first: int) -> tuple[Chunk, list[str]]:
        """One chunk, of which the first record stands on line `first`."""
        numbered = [*enumerate(records, start=first)]
        whole = [(line, r) for line, r in numbered if len(r) == len(self.header)]
        problems: list[Problem] = [
            (line, "", wrong_length(self._path, line, record, self.header))
            for line, record in numbered
            if len(record) != len(self.header)
        ]
        lines, good = [line for line, _ in whole], [record for _, record in whole]
        if not good:
            nothing = np.empty((0, len(self._features)))
            return Chunk([], [], nothing), [text for _, _, text in problems]
        cells = dict(zip(self.header, zip(*good, strict=True), strict=True))
        ordered = {name: cells[name] for name in self._schema.columns if name in cells}
        frame = pd.DataFrame(ordered, dtype=object)
        typed, found = checked_rows(frame, self._schema, Source(self._path, "line", lines))
        problems += [(lines[row] if row >= 0 else 0, name, text) for row, name, text in found]
        X = typed[self._features].to_numpy(dtype=float)
        return Chunk(good, lines, X), [text for _, _, text in sorted(problems)]
