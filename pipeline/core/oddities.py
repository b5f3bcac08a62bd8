"""What is odd in data that fit their schema: the kinds, by which a dataset may mute them."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple

from pipeline.core import layout

Kind = Literal[
    # of validate
    "drift",
    "unit",
    "giveaway",
    "row_numbers",
    "total",
    "sentinel",
    "multiple",
    "sorted",
    "repeated_rows",
    "rare_class",
    "equal_ids",
    "lost_digits",
    "century",
    # of split
    "left_out",
    "hashed",
    "one_value",
    "constant",
    "few_rows",
    "collinear",
    "together",
]


class Oddity(NamedTuple):
    """What was seen and what to do about it, and the kind by which it may be muted."""

    kind: Kind
    text: str


def heard(found: Iterable[Oddity], muted: Collection[Kind]) -> list[str]:
    """The texts of the kinds that are not muted, each with its kind behind it.

    >>> heard([Oddity("sorted", "x: rises"), Oddity("total", "x: a sum")], ["total"])
    ['x: rises [sorted]']
    """
    return [f"{one.text} [{one.kind}]" for one in found if one.kind not in muted]


def hushed(found: Iterable[Oddity], muted: Collection[Kind], dataset: str) -> list[str]:
    """One line that counts those that are muted; none where there are none.

    >>> hushed([Oddity("total", "x: a sum"), Oddity("sorted", "x: rises")], ["total"], "x")
    ['1 warning muted: 1 total (params.yaml: datasets.x.ingest.mute)']
    """
    counts = Counter(one.kind for one in found if one.kind in muted)
    several = f"{counts.total()} warning{'' if counts.total() == 1 else 's'}"
    of_each = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    where = f"{layout.PARAMS}: datasets.{dataset}.ingest.mute"
    return [f"{several} muted: {of_each} ({where})"] if counts else []
