"""metrics/report.html as a reader sees it, opened from disk, without network."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser import is_drawn, opened, save_picture
from tests.conftest import ROOT, Clone

pytestmark = pytest.mark.slow

BRIGHTNESS = """element => {
    const [red, green, blue] = getComputedStyle(element).color.match(/[0-9.]+/g).map(Number);
    return (red + green + blue) / 765;
}"""


@pytest.fixture(scope="module")
def report(reproduced: Clone) -> Path:
    return reproduced.folder / "metrics/report.html"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 375, 320])
def test_every_picture_is_drawn_within_the_page(report: Path, width: int, colours: Any) -> None:
    with opened(report, width=width, colours=colours) as seen:
        pictures = seen.page.locator("figure svg").all()
        assert len(pictures) > 20
        for picture in pictures:
            assert is_drawn(picture), picture.get_attribute("aria-label")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert seen.requests == []
        assert seen.errors == []


@pytest.mark.parametrize(("colours", "bright"), [("light", False), ("dark", True)])
def test_pictures_write_in_the_colour_of_the_page(report: Path, colours: Any, bright: bool) -> None:
    with opened(report, colours=colours) as seen:
        texts = seen.page.locator("figure svg text")
        assert (texts.first.evaluate(BRIGHTNESS) > 0.5) is bright
        fills = texts.evaluate_all("all => new Set(all.map(t => getComputedStyle(t).fill)).size")
        assert fills == 1


def test_every_table_wider_than_a_phone_scrolls_in_its_box(report: Path) -> None:
    with opened(report, width=375) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 375
        outside = "all => all.filter(table => !table.closest('.scroll')).length"
        assert seen.page.locator("table").evaluate_all(outside) == 0


def test_every_link_of_the_contents_leads_to_its_part(report: Path) -> None:
    with opened(report) as seen:
        for link in seen.page.locator("nav a").all():
            target = (link.get_attribute("href") or "")[1:]
            assert seen.page.locator(f"[id='{target}']").count() == 1


def test_the_verdicts_are_the_first_screen(report: Path, tmp_path: Path) -> None:
    with opened(report, width=1200, height=800) as seen:
        badges = seen.page.locator(".overview .badge").all()
        assert len(badges) == 3
        for badge in badges:
            box = badge.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 800
        folder = ROOT / "docs" if os.environ.get("UPDATE_PICTURES") else tmp_path
        save_picture(seen.page.screenshot(), folder / "report.png")
        assert 10_000 < (folder / "report.png").stat().st_size < 200_000
