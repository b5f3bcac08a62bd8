"""Recompute what the chapter prints, listing by listing.

Writes metrics/textbook.json, docs/textbook.md and its pictures.
"""

from pathlib import Path

import numpy as np

from pipeline.core import layout
from pipeline.core.files import write_json, write_text
from pipeline.solvers.quadratic import analytic_iterate, mean_squared_error
from pipeline.textbook import cancer, exercises, house, synthetic
from pipeline.textbook.figures import Figure, listings
from pipeline.textbook.page import page
from pipeline.textbook.pictures import draw_house, draw_rates

DOCS = Path("docs")


def textbook(full: bool = False) -> None:
    """Write metrics/textbook.json, docs/textbook.md and its pictures.

    With `full`, take the 5,000,000 torch steps of listing 3-14 instead, and print what they reach.
    """
    if full:
        _take_all_steps()
        return
    found = [*listings({**house.ours(), **synthetic.ours(), **cancer.ours()})]
    text = page(found, exercises.variants(), exercises.feature_counts())
    draw_house(DOCS / "house.png")
    draw_rates(DOCS / "learning_rates.png")
    write_text(DOCS / "textbook.md", text)
    figures = {
        listing.numbers: {figure.name: _facts(figure) for figure in listing.figures}
        for listing in found
    }
    write_json(layout.METRICS / "textbook.json", figures)


def _facts(figure: Figure) -> dict[str, str]:
    return {"book": figure.book, "ours": figure.shown, "agreement": figure.agreement}


def _take_all_steps() -> None:
    from tqdm import trange

    model = house.seeded_line()
    start = np.array([parameter.item() for parameter in model.parameters()])
    w, b = house.torch_descent(model, trange(house.EPOCHS, unit="epoch", mininterval=1))
    loss = mean_squared_error(house.ROWS)
    exact = analytic_iterate(loss, start, house.RATE, house.EPOCHS)
    print(f"torch    w {w:.9f}  b {b:.9f}  loss {loss.values(np.array([w, b])):.9f}")
    print(f"analytic w {exact[0]:.9f}  b {exact[1]:.9f}  loss {loss.values(exact):.9f}")
