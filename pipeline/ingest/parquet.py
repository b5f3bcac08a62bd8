"""Rows of a Parquet file."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.dialect import Table
from pipeline.core.errors import PipelineError, Problems, listed
from pipeline.ingest.arrow import NAN, not_finite, refusal, settled
from pipeline.ingest.table_file import Batch, TableFile, unfit_names

ROWS = 65_536  # in memory


class ParquetRows(TableFile):
    """A Parquet file whose columns can be used; its rows can be read again and again.

    Parameters
    ----------
    path : Path
    table : Table
        Texts that are no value, and `nan` where that is none.

    Raises
    ------
    PipelineError
        When there is no such file, or a column cannot be used.
    """

    def __init__(self, path: Path, table: Table) -> None:
        super().__init__(path)
        self._missing, self._nan = table.missing, False
        with self._opened() as file:
            schema = file.schema_arrow
        self.header, self.types = list(schema.names), schema.types
        if problem := unfit_names(self.header):
            raise PipelineError(f"{path}: {problem}")
        refused = {
            name: refusal(kind) for name, kind in zip(schema.names, schema.types, strict=True)
        }
        if problems := [f"{path}: column {name} {why}" for name, why in refused.items() if why]:
            raise PipelineError(listed(problems))

    def markers(self) -> list[str]:
        """`nan`, where it stands for no value, and is not declared."""
        return [NAN] * self._nan

    def _batches(self) -> Iterator[Batch]:
        row, problems = 1, Problems()
        with self._opened() as file:
            for batch in file.iter_batches(ROWS, use_threads=False):
                batch.validate(full=True)  # text that is not UTF-8
                arrays = [settled(column, self._missing) for column in batch.columns]
                for problem in self._odd(arrays, row):
                    problems.add(problem)
                if len(batch) and not problems:
                    yield [(row, len(batch))], arrays
                row += len(batch)
        if problems:
            raise PipelineError(str(problems))

    def _odd(self, arrays: Sequence[pa.Array], row: int) -> Iterator[str]:
        """The first value of each column that is no number."""
        for name, values in zip(self.header, arrays, strict=True):
            if odd := not_finite(values):
                at, what = odd
                self._nan |= what == NAN
                declare = f', or declare table: {{missing: ["{NAN}"]}}' if what == NAN else ""
                expected = f"{what}, expected a finite number or null{declare}"
                yield f"{self.path}, row {row + at}, column {name}: {expected}"

    @contextlib.contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(
                self.path, page_checksum_verification=True, pre_buffer=False
            ) as file:
                yield file
        except (PipelineError, MemoryError):
            raise
        except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise PipelineError(f"{self.path}: cannot be read: {reason}; export it again") from None
