"""A figure of the chapter beside ours."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal


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
    """

    name: str
    book: str
    ours: float | str

    @property
    def digits(self) -> tuple[int, int] | None:
        """How many leading digits agree when rounded, of how many printed; None without both."""
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
        """Ours as text, with three digits more than the book prints."""
        if isinstance(self.ours, str):
            return self.ours
        printed = len(Decimal(self.book).as_tuple().digits) if self.book else 6
        return f"{self.ours:.{min(printed + 3, 17)}g}"


@dataclass(frozen=True)
class Listing:
    """What a listing, or several that belong together, does, and its figures."""

    numbers: str
    shows: str
    figures: list[Figure]
    remarks: list[str] = field(default_factory=list)


def _rounded(value: Decimal, like: Decimal, digits: int) -> Decimal:
    """To so many digits, counted from the first digit of `like`."""
    exponent = like.adjusted() - digits + 1
    return value.quantize(Decimal(1).scaleb(exponent), rounding=ROUND_HALF_EVEN)
