"""MLflow's own pages, after `dvc repro`, an experiment with `lr=0.01` and `mlflow ui`."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser import Elsewhere, elsewhere, is_drawn, save_picture, visited
from tests.conftest import ROOT, Clone, copied
from tests.servers import free_port

pytestmark = pytest.mark.slow

PATIENCE = 60_000  # milliseconds, on a busy machine
expect.set_options(timeout=PATIENCE)

# Runs of a dataset: each trainer once, with a rate twice; its columns.
RUNS = {
    "house": 8,
    "synthetic": 7,
    "breast_cancer": 4,
}
COLUMNS = {
    "house": ["lr", "epochs", "loo_mse", "train_mse", "verdict", "dvc_experiment"],
    "synthetic": ["lr", "epochs", "cv_mse", "test_mse", "verdict", "dvc_experiment"],
    "breast_cancer": ["lr", "epochs", "cv_accuracy", "test_accuracy", "verdict", "dvc_experiment"],
}

TOP = "element => element.getBoundingClientRect().top"


@dataclass
class Site:
    """A running `mlflow ui`.

    Attributes
    ----------
    links : list of str
        As `dvc repro` printed them, but for the port.
    """

    url: str
    links: list[str]
    others: Elsewhere


@pytest.fixture(scope="module")
def site(reproduced: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    clone = copied(reproduced, tmp_path_factory.mktemp("mlflow_ui"))
    said = clone.ok("dvc repro")
    clone.ok("dvc exp run -S lr=0.01 -S +models.gradient.house-torch_sgd.lr=1.5")  # it fails
    with elsewhere() as others, mlflow_ui(clone, others) as url:
        links = re.findall(r"http://127\.0\.0\.1:5000(/#\S+)", said)
        yield Site(url, [url + link for link in links], others)


@contextmanager
def mlflow_ui(clone: Clone, others: Elsewhere) -> Iterator[str]:
    """Run `mlflow ui` as a user does, but with one worker, which starts sooner."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = clone.start(
        # in a test, and in CI, MLflow's telemetry is off by itself
        "exec env -u PYTEST_CURRENT_TEST -u CI -u GITHUB_ACTIONS setsid "
        f"mlflow ui --port {port} --workers 1 > ../mlflow_ui.log 2>&1",
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        HTTP_PROXY=others.url,
        HTTPS_PROXY=others.url,
        NO_PROXY="127.0.0.1",
    )
    try:
        end = time.monotonic() + 120
        while not answers(f"{url}/health"):
            assert process.poll() is None, (clone.folder / "../mlflow_ui.log").read_text()
            assert time.monotonic() < end, (clone.folder / "../mlflow_ui.log").read_text()
            time.sleep(0.1)
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def link(page: Page, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True)


def follow(page: Page, name: str) -> None:
    """Click a link until it leads elsewhere.

    The compare page draws its table of metrics anew by itself; a click during that is lost.
    """
    before = page.url
    end = time.monotonic() + PATIENCE / 1000
    while page.url == before:
        assert time.monotonic() < end, f"no click on {name} leads away from {before}"
        with suppress(PlaywrightTimeout):
            link(page, name).click(timeout=5000)
            page.wait_for_url(lambda url: url != before, timeout=5000)


def run(page: Page, name: str) -> Locator:
    """The row of a run in the runs table."""
    return page.get_by_role("row").filter(has=link(page, name))


def test_two_clicks_lead_from_the_plain_address_to_a_table_of_runs(site: Site) -> None:
    with visited(site.url, site.others) as page:
        page.get_by_role("button", name="Model training").click()
        for experiment in RUNS:
            expect(link(page, experiment)).to_be_visible()
        link(page, "breast_cancer").click()
        expect(run(page, "bcpm")).to_be_visible()
        expect(run(page, "bcpm lr=0.01")).to_be_visible()
        assert site.others.requests == []


def test_the_printed_links_open_tables_of_runs_with_their_scores(site: Site) -> None:
    assert len(site.links) == len(RUNS)
    with visited("about:blank", site.others) as page:
        for address, (experiment, runs) in zip(site.links, RUNS.items(), strict=True):
            page.goto(address)
            expect(page.get_by_test_id("experiment-link")).to_have_text(experiment)
            expect(page.get_by_text(f"{runs} matching runs")).to_be_visible()
            for name in COLUMNS[experiment]:
                column = page.get_by_role("columnheader", name=name, exact=True)
                expect(column.first).to_be_visible()
        assert site.others.requests == []


def test_charts_begin_with_the_losses_which_a_failed_training_does_not_flatten(site: Site) -> None:
    with visited("about:blank", site.others, width=1800, height=1200) as page:
        page.goto(f"{site.links[0]}&compareRunsMode=CHART")
        expect(page.get_by_text("Losses and scores")).to_be_visible()
        expect(run(page, "torch_sgd lr=1.5")).to_be_visible()
        plots = page.locator(".js-plotly-plot")
        expect(plots).to_have_count(3)
        ticks = plots.first.locator(".ytick text")
        expect(ticks.first).to_be_visible()
        values = [float(text.replace("k", "e3")) for text in ticks.all_text_contents()]
        assert 10 <= min(values) < 100
        assert 50_000 <= max(values) <= 200_000
        bars = plots.nth(1).locator(".bars path")
        expect(bars.first).to_be_visible()
        widths = [box["width"] for bar in bars.all() if (box := bar.bounding_box())]
        assert sorted(widths)[len(widths) // 2] > max(widths) / 100
        assert site.others.requests == []


def test_the_runs_of_two_learning_rates_are_compared(site: Site, tmp_path: Path) -> None:
    folder = ROOT / "docs" if os.environ.get("UPDATE_PICTURES") else tmp_path
    with visited(site.url, site.others, width=1400, height=620) as page:
        page.get_by_role("button", name="Model training").click()
        page.goto(site.links[0])
        page.get_by_role("button", name="Close").click()  # MLflow's assistant
        page.get_by_role("button", name="Hide banner").click()
        for name in ("manual_gd", "manual_gd lr=0.01"):
            run(page, name).get_by_role("checkbox", name="row selection").check()
        page.get_by_role("heading", name="Runs").click()  # no cell has the focus
        picture(page, folder / "mlflow_runs.png")

        page.get_by_role("button", name="Compare").click()
        page.set_viewport_size({"width": 1200, "height": 1045})
        page.get_by_text("Visualizations").click()
        page.get_by_role("switch", name="Parameters - Show diff only").click()
        page.get_by_role("switch", name="Metrics - Show diff only").click()
        names = page.get_by_role("row", name="Run Name: manual_gd manual_gd lr=0.01", exact=True)
        expect(names).to_be_visible()
        param = page.get_by_role("row", name="lr 0.1 0.01", exact=True)
        expect(param).to_be_visible()
        expect(param.locator("xpath=../tr")).to_have_count(1)
        assert row(page, "loo_mse") == ["loo_mse", "149.9", "1010.6"]
        assert row(page, "train_mse") == ["train_mse", "42.87", "1067.1"]
        picture(page, folder / "mlflow_compare.png")

        follow(page, "loss")
        page.set_viewport_size({"width": 1200, "height": 690})
        for name in ("manual_gd", "manual_gd lr=0.01"):
            expect(page.get_by_text(f"{name} (loss)", exact=True)).to_be_visible()
        page.get_by_role("switch").last.click()  # Y-axis Log Scale
        plot = page.locator(".js-plotly-plot")
        expect(plot.get_by_text("50000", exact=True)).to_be_visible()
        curves = plot.locator(".scatterlayer .js-line")
        shapes = curves.evaluate_all("all => all.map(curve => curve.getAttribute('d'))")
        assert len({shape for shape in shapes if "L" in shape}) == 2
        assert is_drawn(plot)
        picture(page, folder / "mlflow_loss.png")
        assert site.others.requests == []


def row(page: Page, metric: str) -> list[str]:
    """A metric in the table of the compare page: its name, and the values on the same height."""
    name = link(page, metric).locator("..")
    expect(name).to_be_visible()
    top = name.evaluate(TOP)
    cells = page.locator("[role=rowgroup] > div").all()
    return [cell.inner_text() for cell in cells if cell.evaluate(TOP) == top]


def picture(page: Page, path: Path) -> None:
    page.mouse.move(0, 0)
    save_picture(page.screenshot(animations="disabled"), path)
    assert 10_000 < path.stat().st_size < 200_000
