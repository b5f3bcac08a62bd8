"""Recompute what the chapter prints, listing by listing.

Writes metrics/textbook.json, docs/textbook.md and its pictures.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined

from pipeline.core import layout
from pipeline.core.files import write_json, write_text
from pipeline.solvers.quadratic import analytic_iterate, mean_squared_error
from pipeline.solvers.torch_sgd import weights_of
from pipeline.textbook import cancer, exercises, house, synthetic
from pipeline.textbook.exercises import Measured
from pipeline.textbook.figures import Figure, Listing, listings
from pipeline.textbook.pictures import draw

DOCS = Path("docs")
TEMPLATE = Path(__file__).with_name("page.md.j2")  # the words of docs/textbook.md


def textbook(full: bool = False) -> None:
    """Write metrics/textbook.json, docs/textbook.md and its pictures.

    With `full`, take the 5,000,000 torch steps of listing 3-14 instead, and print what they reach.
    """
    if full:
        _take_all_steps()
        return
    found = [*listings({**house.ours(), **synthetic.ours(), **cancer.ours()})]
    text = page(found, exercises.variants(), exercises.feature_counts())
    draw(DOCS)
    write_text(DOCS / "textbook.md", text)
    figures = {
        listing.numbers: {figure.name: _facts(figure) for figure in listing.figures}
        for listing in found
    }
    write_json(layout.METRICS / "textbook.json", figures)


def _facts(figure: Figure) -> dict[str, str]:
    return {"book": figure.book, "ours": figure.shown, "agreement": figure.agreement}


def page(
    chapter: Iterable[Listing], variants: Iterable[Measured], counts: Iterable[Measured]
) -> str:
    """The whole of docs/textbook.md.

    Parameters
    ----------
    chapter : iterable of Listing
        Its listings, in order.
    variants, counts : iterable of Measured
        The rows of the tables of the first and the second exercise.
    """
    jinja = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    template = jinja.from_string(TEMPLATE.read_text(encoding="utf-8"))
    curves, _ = exercises.rate_curves(np.array([0.5]))
    return template.render(
        listings=chapter,
        variants=variants,
        counts=counts,
        rates=exercises.STEPS,
        optimizers=[*exercises.optimizers()],
        start=curves[0][0],
        least=curves[0][-1],
    )


def _take_all_steps() -> None:
    from tqdm import tqdm

    layer = house.seeded_layer()
    loss, start = mean_squared_error(house.ROWS), weights_of(layer)
    with tqdm(total=house.EPOCHS, unit="epoch", mininterval=1) as bar:
        taken = house.torch_descent(layer, house.EPOCHS, lambda epoch, _: bar.update(epoch - bar.n))
    exact = analytic_iterate(loss, start, house.RATE, house.EPOCHS)
    for name, theta in (("torch   ", taken), ("analytic", exact)):
        print(f"{name} w {theta[0]:.9f}  b {theta[1]:.9f}  loss {loss.values(theta):.9f}")
