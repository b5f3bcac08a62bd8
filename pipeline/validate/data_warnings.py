"""What a table that fits its schema should still be warned of.

Each warning names the file, what was seen, and what to do about it.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from pipeline.core.errors import SHOWN
from pipeline.validate.drift import drifts
from pipeline.validate.profile import Profile
from pipeline.validate.values import Source

RARE = 0.05  # share of a class
PERFECT = 1 - 1e-9  # correlation; what is left is rounding
RISING = 20  # rows from which integers that only rise are no chance
LEFT = 1e6  # values that a float can take within a spread, at least
REPEATS = 5


def data_warnings(profile: Profile, source: Source) -> list[str]:
    """The warnings, in the order of their weight.

    Warnings about the training rows (constant or collinear columns, fewer rows than columns) come
    from `split`, which knows these rows.

    Parameters
    ----------
    profile : Profile
        Of the ingested table.
    source : Source
        How to name the file and its rows.
    """
    return [
        *drifts(profile, source),
        *_giveaways(profile, source),
        *_row_numbers(profile, source),
        *_repeated_rows(profile, source),
        *_rare_classes(profile, source),
        *islice(_lost_digits(profile, source), SHOWN),
    ]


def _giveaways(profile: Profile, source: Source) -> Iterator[str]:
    """Columns that correlate perfectly with the target: target leakage."""
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
    """Columns of integers that only rise, as an index does."""
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
    """Rows that equal an earlier one in all columns, and how many there are."""
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
    """Classes with less than 5 % of the rows: accuracy says little about them."""
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
    for name, column in profile.numbers.items():
        if not column.sd:
            continue
        step = np.spacing(float(max(-column.low, column.high)))
        if column.sd < LEFT * step:
            yield (
                f"{source.path}: column {name} lies around {column.mean:.3g} and spreads by "
                f"{column.sd:.2g} only, where floats are {step:.1g} apart: digits are lost; "
                "subtract a constant from it before it is saved"
            )
