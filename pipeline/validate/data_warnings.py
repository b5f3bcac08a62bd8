"""What a table that fits its schema should still be warned of.

Each warning names the file, what was seen, and what to do about it.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from pipeline.core import layout
from pipeline.core.errors import SHOWN
from pipeline.validate.profile import Profile
from pipeline.validate.values import Source

BY_CHANCE = 1e-6  # less often than this is not taken for chance; tables have many columns
FAR_BY_CHANCE = 1e-2  # where all lie farther outside than the range is wide
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
    found = [
        *drifts(profile),
        *_giveaways(profile),
        *_row_numbers(profile),
        *_repeated_rows(profile, source),
        *_rare_classes(profile),
        *islice(_lost_digits(profile), SHOWN),
    ]
    return [f"{source.path}: {text}" for text in found]


def drifts(profile: Profile) -> Iterator[str]:
    """A warning for each column with too many values outside its range.

    Too many of all, as in a new file, or of the rows behind those that the table had when the
    champion was trained, as in one that has grown. In few rows even all of them are no proof; they
    are taken for it where all lie far away, as in another unit.
    """
    before = profile.trained_on
    for name, column in profile.numbers.items():
        if before is None or column.expected is None or not column.outside:
            continue
        trained, known = before.rows, profile.rows - column.missing
        low, high = column.expected.min, column.expected.max
        width = high - low  # infinite for the largest floats: then nothing is far
        far = column.high < low - width or column.low > high + width
        added = max(profile.rows - before.of, column.outside_behind)
        rare = min(
            chance(column.outside, known, trained), chance(column.outside_behind, added, trained)
        )
        if rare < (FAR_BY_CHANCE if far else BY_CHANCE):
            lie = "lies" if column.outside == 1 else "lie"
            yield (
                f"column {name}: {column.outside} of {known} values {lie} outside "
                f"{low:.6g} to {high:.6g}, the range of the {trained} rows that the champion was "
                f"trained on ({layout.CHAMPION}); now it is {column.low:.6g} to {column.high:.6g}: "
                "look for another unit or source; once a champion is trained on these data, "
                "`promote` it"
            )


def chance(outside: int, rows: int, trained: int) -> float:
    """The probability of so many values, or more, outside the range of earlier ones.

    Without drift the rows to come have a share outside the extremes of `trained` continuous values
    that follows Beta(2, trained - 1), whatever their distribution (S. S. Wilks, Determination of
    sample sizes for setting tolerance limits, Annals of Mathematical Statistics 12, 1941); their
    number is then beta-binomial.

    Parameters
    ----------
    outside : int
        Of the `rows` new values, from 0 to `rows`.
    trained : int
        At least 2; of one value the range says nothing, and the probability is 1.
    """
    if trained < 2:
        return 1.0
    k = np.arange(rows, dtype=float)
    none = trained * (trained - 1) / (rows + trained) / (rows + trained - 1)
    ratios = (rows - k) / (k + 1) * ((k + 2) / (rows - k + trained - 2))
    logs = np.cumsum(np.append(np.log(none), np.log(ratios)))
    return float(min(1.0, np.exp(logs[outside:]).sum()))


def _giveaways(profile: Profile) -> Iterator[str]:
    """Columns that correlate perfectly with the target: target leakage."""
    target = profile.numbers.get(profile.target)
    if target is None or profile.rows < 3:  # any two points lie on a line
        return
    for name, column in profile.numbers.items():
        r = column.correlation(target)
        if column is not target and abs(r) > PERFECT:
            yield (
                f"column {name} gives the target {profile.target} away: their "
                f"correlation is {r:.0f}; remove it if it is the target under another name"
            )


def _row_numbers(profile: Profile) -> Iterator[str]:
    """Columns of integers that only rise, as an index does."""
    for name, column in profile.numbers.items():
        if name == profile.target or not column.rising or profile.rows < 3:
            continue
        counts = column.low in (0, 1) and column.high - column.low == profile.rows - 1
        if counts or profile.rows >= RISING:
            how = "counts the rows" if counts else "rises from row to row"
            yield (
                f"column {name} {how}, from {column.low:.0f} to {column.high:.0f}, "
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
            f"{rows} an earlier one in all columns: {', '.join([*pairs, *more])}; "
            "remove them, unless each was observed"
        )


def _rare_classes(profile: Profile) -> Iterator[str]:
    """Classes with less than 5 % of the rows: accuracy says little about them."""
    for label, count in profile.labels.items():
        if 0 < count < RARE * profile.rows:
            other = 1 - count / profile.rows
            yield (
                f"{count} of {profile.rows} rows have {profile.target} {label}: to "
                f"foretell the other class always has accuracy {other:.3f}; judge by roc_auc or "
                "log_loss (params.yaml: evaluate.metric)"
            )


def _lost_digits(profile: Profile) -> Iterator[str]:
    """Values far from 0 and near each other: a float has few digits left to tell them apart."""
    for name, column in profile.numbers.items():
        if not column.sd:
            continue
        step = np.spacing(float(max(-column.low, column.high)))
        if column.sd < LEFT * step:
            yield (
                f"column {name} lies around {column.mean:.3g} and spreads by "
                f"{column.sd:.2g} only, where floats are {step:.1g} apart: digits are lost; "
                "subtract a constant from it before it is saved"
            )
