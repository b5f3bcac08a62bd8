"""A figure of the chapter beside ours; chapter.toml holds the chapter's words and figures."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

CHAPTER = Path(__file__).with_name("chapter.toml")
# By the numbers of a listing: a value for each of its figures, then those of its remarks.
Ours = Mapping[str, Sequence[float | str]]


@dataclass(frozen=True)
class Figure:
    """One thing that a listing prints.

    Attributes
    ----------
    name : str
        What it is.
    book : str
        As the chapter prints it; empty where it prints nothing that could be compared.
    ours : float or str
        The same, recomputed; text where it is no number.
    """

    name: str
    book: str
    ours: float | str

    @property
    def digits(self) -> tuple[int, int] | None:
        """How many leading digits agree when rounded, of how many printed; None without both.

        >>> Figure("loss", "178.3555", 178.35556).digits  # rounds to 178.356, the book's does, too
        (6, 7)
        """
        if not self.book or isinstance(self.ours, str):
            return None
        book = Decimal(self.book)
        printed = len(book.as_tuple().digits)
        ours = Decimal(repr(float(self.ours)))
        counts = range(printed, 0, -1)
        same = (k for k in counts if _rounded(ours, book, k) == _rounded(book, book, k))
        return next(same, 0), printed

    @property
    def agreement(self) -> str:
        """`7 of 7` digits; for text whether it is equal; empty where nothing is to compare."""
        if self.digits:
            return "{} of {}".format(*self.digits)
        return "" if not self.book else "equal" if self.book == self.ours else "differs"

    @property
    def shown(self) -> str:
        """Ours as text, with three digits more than the book prints.

        >>> Figure("mse", "70.8946", 70.89464479278).shown
        '70.8946448'
        """
        if isinstance(self.ours, str):
            return self.ours
        printed = len(Decimal(self.book).as_tuple().digits) if self.book else 6
        return f"{self.ours:.{min(printed + 3, 17)}g}"


@dataclass(frozen=True)
class Listing:
    """What a listing, or several that belong together, does, and its figures.

    Attributes
    ----------
    numbers : str
        As the chapter counts them: `3-2, 3-3`.
    shows : str
        What the listing is about, in one line.
    figures : list of Figure
        In the order in which the listing prints them.
    remarks : list of str
        What a reader should know beside the figures; Markdown.
    """

    numbers: str
    shows: str
    figures: list[Figure]
    remarks: list[str]


def listings(ours: Ours) -> Iterator[Listing]:
    """Every listing of the chapter, with our values in their places.

    Parameters
    ----------
    ours : mapping
        Values of each listing in the order of its figures. What follows them fills the places,
        `{}`, of the text above the table and of the remarks below it, one after another.

    Raises
    ------
    KeyError, IndexError
        When the values are not those that chapter.toml asks for.
    """
    for listing in tomllib.loads(CHAPTER.read_text(encoding="utf-8"))["listing"]:
        values = ours[listing["numbers"]]
        pairs = listing["figures"]
        figures = [Figure(name, book, values[k]) for k, (name, book) in enumerate(pairs)]
        words = "\n".join([listing["shows"], *listing.get("remarks", [])])
        shows, *remarks = words.format(*values[len(pairs) :]).split("\n")
        yield Listing(listing["numbers"], shows, figures, remarks)


def _rounded(value: Decimal, like: Decimal, digits: int) -> Decimal:
    """To so many digits, counted from the first digit of `like`."""
    exponent = like.adjusted() - digits + 1
    return value.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_EVEN)
