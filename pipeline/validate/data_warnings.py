"""What a table that fits its schema should still be warned of.

Each warning names the file, what was seen, and what to do about it.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from pipeline.core import layout
from pipeline.core.artifacts.trained_on import Range
from pipeline.core.errors import SHOWN
from pipeline.core.oddities import Oddity
from pipeline.core.tables import Array
from pipeline.core.text import EXACT
from pipeline.validate.drift import chance, moved
from pipeline.validate.multiples import multiples
from pipeline.validate.profile import Numbers, Profile
from pipeline.validate.sentinels import sentinels
from pipeline.validate.totals import summed
from pipeline.validate.values import Source

BY_CHANCE = 1e-6  # less often than this is not taken for chance; tables have many columns
FAR_BY_CHANCE = 1e-2  # where all lie farther outside than the range is wide
RARE = 0.1  # of the share that a class would have if all were of one size
PERFECT = 1 - 1e-9  # correlation; what is left is rounding
RISING = 20  # rows from which integers that only rise are no chance
LEFT = 1e6  # values that a float can take within a spread, at least
REPEATS = 5
NEARLY_ALL = 0.95  # of the values lie inside, once they are divided
ABOUT = 0.3  # log10: a factor of 2 from a power of ten
ORDERED = 30  # rows above which an order is no chance, where there are five values
SMALL_CLASS = 5
SAME = 1e-6  # so far from 1, a factor is one
LARGEST_ID = 1e20  # of 20 digits; beyond it, numbers are measured


def data_warnings(profile: Profile, source: Source) -> list[Oddity]:
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
        *_totals(profile, source),
        *islice(_sentinels(profile), SHOWN),
        *islice(_multiples(profile), SHOWN),
        *_ordered(profile),
        *_repeated_rows(profile, source),
        *_rare_classes(profile),
        *islice(_equal_ids(profile), SHOWN),
        *islice(_lost_digits(profile), SHOWN),
    ]
    return [Oddity(kind, f"{source.path}: {text}") for kind, text in found]


def drifts(profile: Profile) -> Iterator[Oddity]:
    """A warning for each column that is not as the champion's training rows were: one a column."""
    found = {name: one for name in profile.used if (one := _out_of_range(profile, name))}
    yield from found.values()
    yield from moved(profile, found)


def _out_of_range(profile: Profile, name: str) -> Oddity | None:
    """A warning of a column with too many values outside its range.

    Too many of all, as in a new file, or of the rows behind those that the table had when the
    champion was trained, as in one that has grown. In few rows even all of them are no proof; they
    are taken for it where all lie far away, as in another unit. The kind is `unit` where a power of
    ten brings nearly all of them back.
    """
    before, column = profile.trained_on, profile.numbers[name]
    if before is None or column.expected is None or not column.outside:
        return None
    trained, known = before.rows, profile.rows - column.missing
    low, high = column.expected.min, column.expected.max
    width = high - low  # infinite for the largest floats: then nothing is far
    far = column.high < low - width or column.low > high + width
    added = max(profile.rows - before.of, column.outside_behind)
    rare = min(
        chance(column.outside, known, trained), chance(column.outside_behind, added, trained)
    )
    if rare >= (FAR_BY_CHANCE if far else BY_CHANCE):
        return None
    lie = "lies" if column.outside == 1 else "lie"
    power = power_of_ten(profile.known(name), column, column.expected)
    tens = f"1{'0' * abs(power)}"
    factor = f"{tens} times too {'large' if power > 0 else 'small'}" if power else ""
    return Oddity(
        "unit" if power else "drift",
        f"column {name}: {column.outside} of {known} values {lie} outside "
        f"{low:.6g} to {high:.6g}, the range of the {trained} rows that the champion was "
        f"trained on ({layout.CHAMPION}); now it is {column.low:.6g} to {column.high:.6g}: "
        f"{f'nearly all are {factor}, ' if factor else ''}"
        "look for another unit or source; once a champion is trained on these data, "
        "`promote` it",
    )


def power_of_ten(values: Array, now: Numbers, before: Range) -> int:
    """The power of ten by which a column is too large (negative: too small); 0 where there is none.

    The largest magnitude has grown by it, to a factor of 2, and divided by it 95 % of the values
    lie inside the range of before.
    """
    largest = max(abs(before.min), abs(before.max))
    if not (largest and np.isfinite(largest) and len(values)):
        return 0
    grown = np.log10(max(abs(now.low), abs(now.high), np.finfo(float).tiny)) - np.log10(largest)
    power = round(grown)
    if power == 0 or abs(grown - power) > ABOUT:
        return 0
    with np.errstate(over="ignore", under="ignore"):
        divided = values * 10.0**-power
    inside = np.mean((divided >= before.min) & (divided <= before.max))
    return power if inside >= NEARLY_ALL else 0


def _giveaways(profile: Profile) -> Iterator[Oddity]:
    """Columns that correlate perfectly with the target: target leakage."""
    target = profile.numbers.get(profile.target)
    if target is None or profile.rows < 3:  # any two points lie on a line
        return
    for name, column in profile.used.items():
        r = column.correlation(target)
        if column is not target and abs(r) > PERFECT:
            yield Oddity(
                "giveaway",
                f"column {name} gives the target {profile.target} away: their "
                f"correlation is {r:.0f}; remove it if it is the target under another name",
            )


def _row_numbers(profile: Profile) -> Iterator[Oddity]:
    """Columns of integers that only rise, as an index does."""
    for name, column in profile.used.items():
        if name == profile.target or not column.rising or profile.rows < 3:
            continue
        counts = column.low in (0, 1) and column.high - column.low == profile.rows - 1
        if counts or profile.rows >= RISING:
            how = "counts the rows" if counts else "rises from row to row"
            yield Oddity(
                "row_numbers",
                f"column {name} {how}, from {column.low:.0f} to {column.high:.0f}, "
                "as an index does: a model would learn the order of the file; remove it, unless it "
                "measures something",
            )


def _totals(profile: Profile, source: Source) -> Iterator[Oddity]:
    """A last row, or one that is named so, with the sums of the rows above."""
    for total in profile.totals():
        if names := summed(total):
            place = f"{source.unit} {source.number(total.row)}"
            label = f" ({total.label})" if total.label else ""
            given = sum(bool(np.isfinite(v) and v) for v in total.values.values())
            more = f" and {len(names) - REPEATS} more" if len(names) > REPEATS else ""
            yield Oddity(
                "total",
                f"{place}{label} is the sum of the {total.row} rows above it in {len(names)} of "
                f"{given} columns of numbers ({', '.join(names[:REPEATS])}{more}): remove it, a "
                "total is no observation",
            )


def _sentinels(profile: Profile) -> Iterator[Oddity]:
    """Values that stand for none."""
    for name, values in zip(profile.numbers, profile.sample, strict=True):
        if name not in profile.used or (name == profile.target and profile.labels):
            continue
        known = values[~np.isnan(values)]
        for one in sentinels(known):
            yield Oddity(
                "sentinel",
                f"column {name}: {one.times} of {len(known)} values{_of_sample(profile)} are "
                f"{one.value:.15g}, all others lie in {one.low:.6g} to {one.high:.6g}: if it "
                f'stands for no value, declare missing: ["{one.value:.15g}"] (as the file writes '
                f'it, perhaps "{one.value!r}"; params.yaml: ingest.csv), or take these rows out',
            )


def _multiples(profile: Profile) -> Iterator[Oddity]:
    """Features that are others times a constant."""
    names, used = [*profile.numbers], profile.used.keys() - {profile.target}
    features = [k for k, name in enumerate(names) if name in used]
    for a, b, factor in multiples(profile.sample[features]):
        first, second = names[features[a]], names[features[b]]
        times = "" if abs(factor - 1) < SAME else f" times {factor:.6g}"
        yield Oddity(
            "multiple",
            f"column {second} is column {first}{times}, but for rounding, in all "
            f"{profile.sample.shape[1]} rows{_of_sample(profile)}: remove one of them",
        )


def _ordered(profile: Profile) -> Iterator[Oddity]:
    """A file that is sorted by its target."""
    order, target = profile.order, profile.numbers.get(profile.target)
    if target is None or profile.rows <= ORDERED or not order.changes:
        return
    classes = profile.labels.values()
    several = min(classes) >= SMALL_CLASS if classes else order.changes + 1 >= SMALL_CLASS
    if several and (order.rises or order.falls):
        yield Oddity(
            "sorted",
            f"the rows are sorted by the target {profile.target}: in all {profile.rows} it never "
            f"{'falls' if order.rises else 'rises'}, over {order.changes + 1} values; where rows "
            "are taken in order (test_size: 0 in batches, a part of the file) they do not stand "
            "for the others: shuffle the file, unless its order is that of time",
        )


def _of_sample(profile: Profile) -> str:
    """What to say of a figure that is of some rows only."""
    return "" if profile.sample.shape[1] == profile.rows else " looked at"


def _repeated_rows(profile: Profile, source: Source) -> Iterator[Oddity]:
    """Rows that equal an earlier one in all columns, and how many there are."""
    count, some = profile.repeated(REPEATS)
    if count:
        pairs = [f"{source.unit} {source.number(a)} as {source.number(b)}" for a, b in some]
        more = [f"{count - REPEATS} more"] if count > REPEATS else []
        rows = "1 row repeats" if count == 1 else f"{count} rows repeat"
        yield Oddity(
            "repeated_rows",
            f"{rows} an earlier one in all columns: {', '.join([*pairs, *more])}; "
            "remove them, unless each was observed",
        )


def _rare_classes(profile: Profile) -> Iterator[Oddity]:
    """Classes of less than a tenth of an equal share: accuracy says little about them."""
    several, equal = len(profile.labels) > 2, profile.rows / max(2, len(profile.labels))
    rare = {label: n for label, n in sorted(profile.labels.items()) if n < RARE * equal}
    for label, count in rare.items() if not several else ():
        other = 1 - count / profile.rows
        yield Oddity(
            "rare_class",
            f"{count} of {profile.rows} rows have {profile.target} {label}: to "
            f"foretell the other class always has accuracy {other:.3f}; judge by roc_auc or "
            "log_loss (params.yaml: evaluate.metric)",
        )
    if several and rare:
        first = ", ".join(f"{label} ({n})" for label, n in [*rare.items()][:SHOWN])
        more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
        yield Oddity(
            "rare_class",
            f"of {profile.rows} rows few have {profile.target} {first}{more}: accuracy hardly "
            "counts them; judge by roc_auc or log_loss (params.yaml: evaluate.metric)",
        )


def _equal_ids(profile: Profile) -> Iterator[Oddity]:
    """Whole numbers beyond 2^53 that lie closer than floats: different ones became equal."""
    for name in profile.floats:
        column, rows = profile.numbers[name], profile.rows - profile.numbers[name].missing
        if (left := floats_between(column.low, column.high)) and left < rows:
            yield Oddity(
                "equal_ids",
                f"column {name}: {rows} numbers beyond 2^53, so near each other that floats tell "
                f"{left} apart at most: at least {rows - left} are equal to another; if they are "
                "ids, take the column out, or subtract a constant before it is saved",
            )


def floats_between(low: float, high: float) -> int:
    """How many floats there are from low to high, all beyond 2^53 and of up to 20 digits.

    >>> floats_between(1e19, 1e19 + 4096), floats_between(1e15, 1e16)
    (3, 0)
    """
    nearest, farthest = sorted((abs(low), abs(high)))
    if not (nearest >= EXACT and farthest < LARGEST_ID and (low < 0) == (high < 0)):
        return 0
    return int((farthest - nearest) / float(np.spacing(nearest))) + 1


def _lost_digits(profile: Profile) -> Iterator[Oddity]:
    """Values far from 0 and near each other: a float has few digits left to tell them apart."""
    for name, column in profile.used.items():
        if not column.sd or 0 < floats_between(column.low, column.high) < profile.rows:
            continue  # _equal_ids says more
        step = np.spacing(float(max(-column.low, column.high)))
        if column.sd < LEFT * step:
            yield Oddity(
                "lost_digits",
                f"column {name} lies around {column.mean:.3g} and spreads by "
                f"{column.sd:.2g} only, where floats are {step:.1g} apart: digits are lost; "
                "subtract a constant from it before it is saved",
            )
