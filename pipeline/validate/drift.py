"""Whether the values still lie where those of the champion's training rows did."""

from collections.abc import Iterator

import numpy as np

from pipeline.core import layout
from pipeline.validate.profile import Profile
from pipeline.validate.values import Source

BY_CHANCE = 1e-6  # less often than this is not taken for chance; tables have many columns
FAR_BY_CHANCE = 1e-2  # where all lie farther outside than the range is wide


def drifts(profile: Profile, source: Source) -> Iterator[str]:
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
                f"{source.path}: column {name}: {column.outside} of {known} values {lie} outside "
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
