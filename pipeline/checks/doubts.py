"""What a table that fits its schema should still be warned of."""

from collections.abc import Iterator

import numpy as np

from pipeline.checks.drift import drifts
from pipeline.checks.profile import Profile
from pipeline.checks.schema import Source
from pipeline.core.errors import SHOWN

RARE = 0.05  # share of a class
PERFECT = 1 - 1e-9  # correlation; what is left is rounding
RISING = 20  # rows from which integers that only rise are no chance
LEFT = 1e6  # values that a float can take within a spread, at least
REPEATS = 5


def doubts(profile: Profile, source: Source) -> list[str]:
    """The warnings, in the order of their weight.

    What is about the training rows (constant or collinear columns, fewer rows than columns) is
    `split`'s to say, which knows them.
    """
    return [
        *drifts(profile, source),
        *_giveaways(profile, source),
        *_row_numbers(profile, source),
        *_repeated_rows(profile, source),
        *_rare_classes(profile, source),
        *_lost_digits(profile, source),
    ]


def _giveaways(profile: Profile, source: Source) -> Iterator[str]:
    target = profile.numbers.get(profile.target)
    if target is None or profile.rows < 3:  # any two points lie on a line
        return
    for name, column in profile.numbers.items():
        r = column.correlation(target)
        if column is not target and abs(r) > PERFECT:
            yield (
                f"{source.path}: column {name} gives the target {profile.target} away: their "
                f"correlation is {r:.0f}; remove it if it is the target under another name"
            )


def _row_numbers(profile: Profile, source: Source) -> Iterator[str]:
    for name, column in profile.numbers.items():
        if name == profile.target or not column.rising or profile.rows < 3:
            continue
        counts = column.low in (0, 1) and column.high - column.low == profile.rows - 1
        if counts or profile.rows >= RISING:
            how = "counts the rows" if counts else "rises from row to row"
            yield (
                f"{source.path}: column {name} {how}, from {column.low:.0f} to {column.high:.0f}, "
                "as an index does: a model would learn the order of the file; remove it, unless it "
                "measures something"
            )


def _repeated_rows(profile: Profile, source: Source) -> Iterator[str]:
    count, some = profile.repeated(REPEATS)
    if count:
        numbers = source.numbers
        pairs = [f"{source.unit} {numbers[a]} as {numbers[b]}" for a, b in some]
        more = [f"{count - REPEATS} more"] if count > REPEATS else []
        rows = "1 row repeats" if count == 1 else f"{count} rows repeat"
        yield (
            f"{source.path}: {rows} an earlier one in all columns: {', '.join([*pairs, *more])}; "
            "remove them, unless each was observed"
        )


def _rare_classes(profile: Profile, source: Source) -> Iterator[str]:
    for label, count in profile.labels.items():
        if 0 < count < RARE * profile.rows:
            other = 1 - count / profile.rows
            yield (
                f"{source.path}: {count} of {profile.rows} rows have {profile.target} {label}: to "
                f"foretell the other class always has accuracy {other:.3f}; judge by roc_auc or "
                "log_loss (params.yaml: evaluate.metric)"
            )


def _lost_digits(profile: Profile, source: Source) -> Iterator[str]:
    """Values far from 0 and near each other: a float has few digits left to tell them apart."""
    doubted = [
        name
        for name, c in profile.numbers.items()
        if 0 < c.sd < LEFT * np.spacing(max(abs(c.low), abs(c.high)))
    ]
    for name in doubted[:SHOWN]:
        column = profile.numbers[name]
        step = np.spacing(max(abs(column.low), abs(column.high)))
        yield (
            f"{source.path}: column {name} lies around {column.mean:.3g} and spreads by "
            f"{column.sd:.2g} only, where floats are {step:.1g} apart: digits are lost; subtract "
            "a constant from it before it is saved"
        )
