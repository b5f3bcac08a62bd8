"""Which rows train and which test: drawn, the last, by what a row holds, or as a column says."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from pipeline.core.columns import as_text
from pipeline.core.errors import SHOWN, PipelineError
from pipeline.core.kept import Kept, kept_together
from pipeline.core.passes import counted_rows
from pipeline.core.preprocessing import split_rows
from pipeline.core.settings.dataset import Dataset
from pipeline.core.settings.split import SplitRows
from pipeline.core.tables import Array, read_group
from pipeline.split.look import Group, groups

Rows = NDArray[np.int64]
TRAIN, TEST = "train", "test"  # in the column that says it
BETWEEN, NOTHING = "\x1f", "\0"  # the cells of a row, and in place of a missing one


def sides(
    table: pa.Table, used: Rows, y: Array, settings: Dataset, seed: int, where: str
) -> tuple[Rows, Rows]:
    """The rows that train, and those that test.

    Parameters
    ----------
    table : Table
        The columns, as ingested, that say it.
    used : ndarray of shape (n_rows,)
        Which of its rows are parted.
    y : ndarray of shape (n_rows,)
        Their target; of classes their places.
    settings : Dataset
        `split` says how the rows are parted.
    seed : int
    where : str
        The dataset's block of params.yaml, to name in messages.

    Returns
    -------
    train, test : ndarray of int
        Numbers of rows among those that are used.

    Raises
    ------
    PipelineError
        When the column that parts the rows has gaps or other words, or a class has too few rows to
        be on both sides.
    """
    split = settings.split
    if kept := kept_together(table, used, split, where):
        if kept.kind == "groups":
            return _groups(kept, split, seed, f"{where}.split")
        return _last(kept, split, f"{where}.split")
    if split.column is not None:
        told = table[split.column].take(used)
        return _as_told(told, f"{where}.split.column: {split.column}")
    stratified = settings.cut(len(y)) == "stratified"
    if stratified and split.test_size:
        _refuse_few(y, split.test_size, settings.evaluate.classes or [], f"{where}.split")
    return split_rows(len(y), split.test_size, seed, y if stratified else None)


def _groups(kept: Kept, split: SplitRows, seed: int, where: str) -> tuple[Rows, Rows]:
    """Groups drawn by scikit-learn's GroupShuffleSplit; `test_size` is their share."""
    every, count = np.arange(len(kept.codes)), int(kept.codes.max(initial=0)) + 1
    if split.test_size == 0:
        return every, every[:0]
    if count == 1:
        raise PipelineError(
            f"{where}.group: {split.group} is the same in all {len(every)} rows: no group is left "
            "to train on beside it; take another column"
        )
    if split.test_size * count > count - 1:
        raise PipelineError(
            f"{where}.test_size: {split.test_size:g} of {count} groups by {split.group} "
            "leaves none to train; lower it, or take another column"
        )
    drawn = GroupShuffleSplit(n_splits=1, test_size=split.test_size, random_state=seed)
    train, test = next(drawn.split(every, groups=kept.codes))
    return train, test


def _last(kept: Kept, split: SplitRows, where: str) -> tuple[Rows, Rows]:
    """The last rows, `test_size` of all, with those of the same moment as the first of them."""
    n_test = int(np.ceil(split.test_size * len(kept.codes)))
    first = np.sort(kept.codes)[-n_test] if n_test else len(kept.codes)
    test = kept.codes >= first
    if test.all():
        raise PipelineError(
            f"{where}.test_size: {split.test_size:g} of the rows are those of all moments by "
            f"{split.time}, and leave none to train; lower it, or take another column"
        )
    return np.flatnonzero(~test), np.flatnonzero(test)


def _as_told(column: pa.ChunkedArray, where: str) -> tuple[Rows, Rows]:
    """The rows where a column says train, and where it says test."""
    told = as_text(column)
    strange = [word for word in told.unique().to_pylist() if word not in (TRAIN, TEST)]
    if strange:
        shown = ", ".join("nothing" if word is None else repr(word) for word in strange[:SHOWN])
        raise PipelineError(f"{where} says {shown} in some rows, expected {TRAIN} or {TEST}")
    test = np.array(pc.equal(told, TEST).to_pylist(), dtype=bool)
    return np.flatnonzero(~test), np.flatnonzero(test)


def hashed(path: Path, used: Rows, split: SplitRows, seed: int, where: str) -> tuple[Rows, Rows]:
    """Rows parted by a hash of what they hold, a row group at a time; as `sides`.

    Raises
    ------
    PipelineError
        When the column that is the key misses a value in a row that is used.
    """
    names = None if split.key is None else [split.key]

    def of(group: Group) -> tuple[int, NDArray[np.bool_]]:
        """How many rows miss the key, and which test."""
        a, b = np.searchsorted(used, [group.first, group.end])
        rows = read_group(path, group.number, names).take(pa.array(used[a:b] - group.first))
        gaps = 0 if split.key is None else rows[split.key].null_count
        return gaps, np.zeros(0, bool) if gaps else _falls_below(_keys(rows), split.test_size, seed)

    each = groups(path)
    rows = [group.end - group.first for group in each]
    found = [*counted_rows(map(of, each), rows, "split: hashes rows")]
    missing = sum(gaps for gaps, _ in found)
    if missing:
        raise PipelineError(
            f"{where}.split.key: {split.key} is missing in {missing} rows; a key is what "
            "each row is known by: fill it in, or take another column"
        )
    test = np.concatenate([tests for _, tests in found])
    return np.flatnonzero(~test), np.flatnonzero(test)


def _keys(table: pa.Table) -> list[str]:
    """What a row is known by: its cells, by name of the column."""
    cells = [as_text(table[name]) for name in sorted(table.column_names)]
    joined = pc.binary_join_element_wise(
        *cells, BETWEEN, null_handling="replace", null_replacement=NOTHING
    )
    return [str(one) for one in joined.to_pylist()]


def by_hash(keys: Sequence[str], test_size: float, seed: int) -> tuple[Rows, Rows]:
    """Part rows by a hash of what they are known by: rows that come later move none.

    A row tests where the first 8 bytes of BLAKE2b over seed and key, as a fraction of their
    largest value, are below `test_size`. So the share of the test rows is that but for chance.

    Parameters
    ----------
    keys : sequence of str
        One for each row; rows of one key are on one side.
    test_size : float
        From 0, below 1.
    seed : int
        Other seeds part the rows otherwise.

    Returns
    -------
    train, test : ndarray of int
        Row numbers from 0, in their order.

    Examples
    --------
    >>> by_hash(["a", "b", "c", "d", "a"], 0.5, seed=0)
    (array([0, 2, 3, 4]), array([1]))
    """
    test = _falls_below(keys, test_size, seed)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _falls_below(keys: Sequence[str], test_size: float, seed: int) -> NDArray[np.bool_]:
    salt, limit = str(seed).encode(), test_size * 2.0**64
    return np.array(
        [
            int.from_bytes(blake2b(key.encode(), digest_size=8, salt=salt).digest()) < limit
            for key in keys
        ],
        dtype=bool,
    )


def _refuse_few(y: Array, test_size: float, classes: Sequence[str], where: str) -> None:
    """Refuse classes that cannot be on both sides in equal shares."""
    labels, counts = np.unique(y, return_counts=True)
    n_test = int(np.ceil(test_size * len(y)))
    random = "say by: random, which need not have each class on both sides"
    if counts.min(initial=2) < 2:
        label = int(labels[np.argmin(counts)])
        name = repr(classes[label]) if label < len(classes) else f"label {label}"
        raise PipelineError(
            f"{where}: class {name} has 1 row, and is to be among training and test rows; add "
            f"rows of it, or {random}"
        )
    if min(n_test, len(y) - n_test) < len(labels):
        raise PipelineError(
            f"{where}.test_size: {test_size:g} of {len(y)} rows leaves {len(y) - n_test} to train "
            f"and {n_test} to test, and each is to have all {len(labels)} classes; change it, or "
            f"{random}"
        )
