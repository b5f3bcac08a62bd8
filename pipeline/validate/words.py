"""How often each category of a column comes, a row group at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline.core.columns import as_text

NAMES = 5


@dataclass
class Words:
    """Counts of the categories that are known, and of all others; memory does not grow with these.

    Attributes
    ----------
    counts : dict
        By known category how many rows have it.
    unseen : int
        How many rows have another one.
    first : list of str
        The first of those others.
    missing : int
        How many rows have none.
    """

    known: Sequence[str]
    unseen: int = 0
    missing: int = 0
    first: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = dict.fromkeys(self.known, 0)

    def add(self, column: pa.ChunkedArray) -> None:
        """Take the next rows."""
        self.missing += column.null_count
        found = column.drop_null().value_counts()
        words = as_text(pa.chunked_array([found.field("values")])).to_pylist()
        for word, count in zip(words, found.field("counts").to_pylist(), strict=True):
            if word in self.counts:
                self.counts[word] += count
                continue
            self.unseen += count
            if len(self.first) < NAMES and word not in self.first:
                self.first.append(word)
