"""Damaged records: refused, or set aside where the dialect declares how many may be.

Only a record whose end is certain is set aside. A quote that may go on in the next line leaves open
which lines are records at all, and the file is refused.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import Problems
from pipeline.core.tables import Rejected
from pipeline.ingest.records import ENDED, Record

MOST = 2**22  # characters of all that is set aside
FEW = (0.001, 0.01, 0.05)  # shares to propose
NO_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass
class BadRecords:
    """Those of one file.

    Parameters
    ----------
    path : Path
    share : float
        The share of all records that may be set aside; 0: none.

    Attributes
    ----------
    refused : Problems
        Of the records that must not be set aside.
    rejected : list of Rejected
        The records that are set aside.
    problems : Problems
        All, with their places.
    """

    path: Path
    share: float
    refused: Problems = field(default_factory=Problems)
    problems: Problems = field(default_factory=Problems)
    rejected: list[Rejected] = field(default_factory=list)
    blank: int = 0
    uncertain: int = 0
    _size: int = 0

    def add(self, record: Record, told: str) -> None:
        """Take one, with its problem as people are told it."""
        ended = record.line == ENDED
        self.problems.add(told, final=ended)
        self.blank += "blank" in record.problem
        self.uncertain += record.text is None
        if not self.share or self.refused or record.text is None:
            certain = record.text is not None or ended or not self.share
            where = "" if certain else "; not set aside: it may go on in the next line"
            self.refused.add(told + where, final=ended)
            return
        reason = told.partition(f"line {record.line}")[2].removeprefix(", ").removeprefix(": ")
        reason = reason.removesuffix(f", or declare {record.declare}")
        one = Rejected(record.line, printed(reason), printed(record.text))
        self._size += len(one.reason) + len(one.text)
        if self._size > MOST:
            self.rejected.clear()
            self.refused.add(f"{told}; not set aside: too many are, of more than {MOST} characters")
        else:
            self.rejected.append(one)

    def too_many(self, records: int) -> str:
        """What is wrong where more are set aside than may be, of so many records; or nothing."""
        count = len(self.rejected)
        if count <= self.share * records:
            return ""
        return (
            f"{self.problems}\n{self.path}: {count} of {records} records are damaged, more than "
            f"bad_records: {{set_aside: {self.share:g}}} lets be set aside"
        )

    def few(self, records: int) -> bool:
        """Whether so few of the records are bad that the file is written as declared."""
        return len(self.problems) <= FEW[-1] * records

    def offer(self, records: int) -> str:
        """What to declare where few of the records are bad, and not all of them blank."""
        count = len(self.problems)
        enough = [share for share in FEW if count <= share * records]
        if self.share or self.uncertain or count == self.blank or not enough:
            return ""
        return (
            f"or set such records aside ({count} of {records}): declare bad_records: "
            f"{{set_aside: {enough[0]:g}}} (params.yaml: datasets.*.ingest.csv)"
        )


def printed(text: str) -> str:
    r"""Text of a damaged file: what is no character stands there as its byte.

    >>> print(printed("caf\udce9"))
    caf\xe9
    """
    return NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
