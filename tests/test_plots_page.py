"""The pages of `dvc plots show` and `dvc plots diff`, opened from disk, without network."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator
from ruamel.yaml import YAML

from tests.browser import Opened, is_drawn, opened, save_picture
from tests.conftest import ROOT, Clone, copied

pytestmark = pytest.mark.slow

GRAPH: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")
DATASETS: dict[str, Any] = YAML(typ="safe").load(ROOT / "params.yaml")["datasets"]


# The other task has the header alone; the page removes the place that DVC leaves for it.
OF_ONE_TASK = {
    "classification": {"confusion", "roc", "pr", "calibration"},
    "regression": {"predictions", "residuals"},
}


def titles() -> Iterator[str]:
    """Of the plots that each dataset has; the template says what it shows."""
    entries = [(Path(path).name, plot) for one in GRAPH["plots"] for path, plot in one.items()]
    for key, dataset in DATASETS.items():
        (others,) = (names for task, names in OF_ONE_TASK.items() if task != dataset["task"])
        for plot in (plot for name, plot in entries if name not in others):
            template = json.loads((ROOT / f".dvc/plots/{plot['template']}.json").read_text())
            *_, words, _ = template["title"]["text"]["expr"].split("'")
            yield key + words


TITLES = [*titles()]


@pytest.fixture(scope="module")
def clone(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = copied(reproduced, tmp_path_factory.mktemp("plots"))
    # HEAD has the plots that this machine makes, should their last digits differ
    clone.ok("git add -A && git commit -q --allow-empty -m made")
    clone.ok("dvc exp run --temp -S lr=0.01 --name slow")
    return clone


@pytest.fixture(scope="module")
def shown(clone: Clone) -> Path:
    clone.ok("dvc plots show")
    return clone.folder / "dvc_plots/index.html"


@pytest.fixture(scope="module")
def compared(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "compared"
    clone.ok(f"dvc plots diff HEAD slow -o '{folder}'")
    return folder / "index.html"


def drawings(seen: Opened) -> list[Locator]:
    """The drawing of every plot: there, not empty, and made without complaint."""
    found = []
    for words in TITLES:
        title = seen.page.get_by_text(words, exact=True)
        drawing = seen.page.locator("main svg.marks").filter(has=title)
        drawing.wait_for()
        assert is_drawn(drawing), words
        shapes = drawing.locator(".role-mark path, .role-mark line")
        outlines = shapes.evaluate_all("all => all.map(shape => shape.outerHTML)")
        assert outlines, words
        assert not [o for o in outlines if "NaN" in o or "undefined" in o], words
        found.append(drawing)
    assert seen.page.locator("main > div").count() == len(TITLES)
    assert seen.requests == []
    assert seen.errors == []
    return found


def test_the_page_is_what_its_frame_makes() -> None:
    page = (ROOT / ".dvc/page/plots.html").read_text()
    frame = (ROOT / ".dvc/page/frame.html").read_text()
    before, after = frame.split("<!-- vega -->")
    assert page.startswith(before)
    assert page.endswith(after)
    assert "{scripts}" not in page  # there DVC would put scripts of other hosts


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_every_plot_is_drawn_within_the_page(shown: Path, width: int, colours: Any) -> None:
    with opened(shown, width=width, colours=colours) as seen:
        assert len(drawings(seen)) == len(TITLES) > 15
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_plot_names_the_trainers(shown: Path) -> None:
    trainers = {"house": "torch_sgd", "synthetic": "torch_sgd", "breast_cancer": "bcpm"}
    with opened(shown) as seen:
        for title, drawing in zip(TITLES, drawings(seen), strict=True):
            trainer = trainers[title.split(":")[0]]
            assert drawing.get_by_text(trainer, exact=True).count() == 1, title


def test_every_plot_shows_both_revisions(compared: Path, tmp_path: Path) -> None:
    with opened(compared, width=1200, height=510) as seen:
        for title, drawing in zip(TITLES, drawings(seen), strict=True):
            for revision in ("HEAD", "slow"):
                assert drawing.get_by_text(revision, exact=True).count() == 1, title
        folder = ROOT / "docs" if os.environ.get("UPDATE_PICTURES") else tmp_path
        seen.page.evaluate("scrollTo(0, 0)")
        save_picture(seen.page.screenshot(), folder / "plots.png")
        assert 10_000 < (folder / "plots.png").stat().st_size < 200_000
