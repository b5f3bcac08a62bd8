"""docs/textbook.md: page.md.j2 has its words."""

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from pipeline.textbook.exercises import Measured
from pipeline.textbook.figures import Listing

TEMPLATE = Path(__file__).with_name("page.md.j2")


def page(
    listings: Iterable[Listing], variants: Iterable[Measured], counts: Iterable[Measured]
) -> str:
    """The whole page as Markdown.

    Parameters
    ----------
    listings : iterable of Listing
        Those of the chapter, in order.
    variants, counts : iterable of Measured
        The rows of the tables of the first and the second exercise.
    """
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(listings=listings, variants=variants, counts=counts)
