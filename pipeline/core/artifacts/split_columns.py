"""A table and what `split` made of it, a column at a time: for those who need no row whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.core import layout
from pipeline.core.artifacts.splits import (
    Scaling,
    of_other_runs,
    places,
    read_parts,
    refuse_unfit,
)
from pipeline.core.checked_inputs import known_as_made_of
from pipeline.core.columns import (
    DateColumn,
    Encoding,
    Learned,
    Raw,
    ends,
    feature_names,
    in_range,
    read_raw,
)
from pipeline.core.errors import PipelineError
from pipeline.core.files import read_as
from pipeline.core.settings.dataset import Dataset
from pipeline.core.tables import (
    Array,
    as_array,
    as_arrays,
    has_value,
    read_groups,
    read_table,
    row_groups,
    table_schema,
    take_rows,
)
from pipeline.core.target import target_values


@dataclass(frozen=True)
class SplitColumns:
    """The rows of a dataset that are used, and what became of them; a column is read when asked.

    Attributes
    ----------
    dataset : str
    settings : Dataset
    encoding : dict
        By name what the training rows taught of a column.
    features : list of str
        What the models use: plain numbers by the name of their column.
    used : ndarray of int
        The rows' numbers in the ingested table.
    y : ndarray of shape (n_rows,)
        The target; of classes their places.
    train, test : ndarray of int
        Which of the rows trained, and which did not.
    mean, scale : ndarray of shape (n_features,)
        By which the models' features are standardized.
    """

    dataset: str
    settings: Dataset
    encoding: Encoding
    features: Sequence[str]
    used: NDArray[np.int64]
    y: Array
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    mean: Array
    scale: Array

    @property
    def path(self) -> Path:
        """The ingested table."""
        return layout.ingested(self.dataset)

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types of all columns of the ingested table."""
        return table_schema(self.path)

    def received(self, name: str) -> pa.ChunkedArray:
        """A column as received, of all rows of the ingested table."""
        return read_table(self.path, [name])[name]

    def raw(self, name: str) -> Raw:
        """A column that features are made of.

        Raises
        ------
        PipelineError
            When it is no longer what the models learned from.
        """
        one, received, where = self.encoding[name], self.received(name), str(self.path)
        refuse_unfit(received, name, one, self.used, where)
        return read_raw(pa.table({name: received}), {name: one}, where).alone(self.used)

    def columns(self) -> Iterator[tuple[str, Array]]:
        """Name and values, of shape (n_rows,), of each feature."""
        for name in self.encoding:
            yield from self._features(name, self.raw(name))

    def compared(self, *parts: str) -> Iterator[tuple[str, Raw, list[tuple[str, Array]]]]:
        """Each column with its features, compared with those of `train`, or of `test`, too.

        Raises
        ------
        PipelineError
            When a part is not exactly what the table and the other files give.
        """
        rows = {layout.split_part(self.dataset, part): getattr(self, part) for part in parts}
        target = self.settings.target
        for path, of in rows.items():
            names, ends_of = row_groups(path)
            if names != [*self.features, target]:
                raise PipelineError(f"{path}: has other columns than scaler.json; run `dvc repro`")
            if (ends_of[-1] if ends_of else 0) != len(of) or not _holds(path, target, self.y[of]):
                raise of_other_runs(self.dataset)
        scaling = zip(self.mean, self.scale, strict=True)
        for name in self.encoding:
            raw = self.raw(name)
            features = [*self._features(name, raw)]
            for feature, x in features:
                mean, scale = next(scaling)
                for path, of in rows.items():
                    if not _holds(path, feature, x[of], mean, scale):
                        raise of_other_runs(self.dataset)
            yield name, raw, features

    def _features(self, name: str, raw: Raw) -> Iterator[tuple[str, Array]]:
        one = self.encoding[name]
        every = one.encode(raw.values[:, 0], raw.words[0])
        yield from zip(one.features(name), every, strict=True)

    def rows(self, rows: NDArray[np.int64]) -> Array:
        """The features of some of the rows, few enough for memory.

        Returns
        -------
        ndarray of shape (n, n_features)
        """
        found = [x[rows] for _, x in self.columns()]
        return np.column_stack(found)

    def examples(self, rows: NDArray[np.int64]) -> pa.Table:
        """Some of the rows as received: the columns that features are made of."""
        return take_rows(self.path, self.used[rows], [*self.encoding])

    def ranges(self) -> dict[str, tuple[float, float]]:
        """The smallest and the largest value of each column of numbers or dates, of training rows.

        Of dates in days since 1970-01-01.
        """
        return {
            name: ends(self.raw(name).values[self.train, 0])
            for name, one in self.encoding.items()
            if in_range(one) or isinstance(one, DateColumn)
        }

    def standardized(self, part: str) -> Iterator[Array]:
        """The rows of `train` or `test` as the models see them, a row group at a time."""
        for group in read_groups(layout.split_part(self.dataset, part)):
            yield as_arrays(group)[0]


def read_columns(dataset: str, settings: Dataset) -> SplitColumns:
    """Read what `split` wrote, and compare it with the ingested table, a column at a time.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or are of another table or run.
    """
    split = open_columns(dataset, settings)
    if not known_as_made_of(layout.split(dataset), split.path):  # evaluate has compared those
        for _ in split.compared("train"):
            pass
    return split


def open_columns(dataset: str, settings: Dataset) -> SplitColumns:
    """As `read_columns`, for who compares the columns when they pass: see `SplitColumns.compared`.

    Raises
    ------
    PipelineError
        When files are missing or damaged, or of other columns or rows than the table.
    """
    path = layout.ingested(dataset)
    encoding = read_as(layout.columns(dataset), dict[str, Learned])
    scaler = read_as(layout.scaler(dataset), dict[str, Scaling])
    if not {*encoding, settings.target} <= {*table_schema(path).names}:
        raise PipelineError(f"{layout.columns(dataset)}: is of other columns; run `dvc repro`")
    if [*scaler] != feature_names(encoding):
        raise PipelineError(
            f"{layout.scaler(dataset)}: is of other features than columns.json; run `dvc repro`"
        )
    train, test = read_parts(dataset)
    used = np.sort(np.concatenate([train, test]))
    target = read_table(path, [settings.target])[settings.target]
    _refuse_other_rows(dataset, used, target, settings, [*encoding])
    y = target_values(target, settings.evaluate.classes, f"{path}: column {settings.target}")[used]
    return SplitColumns(
        dataset=dataset,
        settings=settings,
        encoding=encoding,
        features=[*scaler],
        used=used,
        y=y,
        train=places(train, used),
        test=places(test, used),
        mean=np.array([learned.mean for learned in scaler.values()]),
        scale=np.array([learned.scale for learned in scaler.values()]),
    )


def _refuse_other_rows(
    dataset: str,
    used: NDArray[np.int64],
    target: pa.ChunkedArray,
    settings: Dataset,
    columns: Sequence[str],
) -> None:
    """Refuse other rows than all those of the table that split uses."""
    whole = has_value(target)
    for name in columns if settings.split.gaps == "leave_out" else ():
        whole = whole & has_value(read_table(layout.ingested(dataset), [name])[name])
    if not np.array_equal(used, np.flatnonzero(whole)):
        raise PipelineError(f"{layout.split_rows(dataset)}: is of other rows; run `dvc repro`")


def _holds(path: Path, name: str, values: Array, mean: float = 0.0, scale: float = 1.0) -> bool:
    """Whether a column of as many rows has these values, standardized; a row group at a time."""
    end = 0
    for group in read_groups(path, [name]):
        begin, end = end, end + len(group)
        if not np.array_equal((values[begin:end] - mean) / scale, as_array(group[name])):
            return False
    return True
