import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.artifacts.models import read_model, write_model
from pipeline.core.errors import PipelineError
from pipeline.core.files import md5
from tests.conftest import ROOT
from tests.report.sample import BITING, CLASSES, REASON, draw_sample, write_sample

Attributes = dict[str, str | None]


class Reader(HTMLParser):
    """The page by what a test asks of it: tags with attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, Attributes]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.tags if name == tag]


def written() -> dict[str, bytes]:
    paths = [layout.REPORT, *sorted(layout.REPORT.with_suffix("").iterdir())]
    return {path.name: path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_sample()
        draw_sample()
    return folder


@pytest.fixture
def page(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page, in a copy of the folder where it was made."""
    folder = shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(folder)
    return layout.REPORT.read_text(encoding="utf-8")


@pytest.mark.slow
def test_another_process_and_matplotlibrc_give_the_same_bytes(page: str) -> None:
    here = written()
    Path("matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\n")
    subprocess.run(
        [sys.executable, "-c", "import tests.report.sample as s; s.draw_sample()"],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
    )
    assert written() == here


def test_no_path_of_this_machine_and_no_time_is_in_the_report(page: str, made: Path) -> None:
    for text in [page, *(content.decode() for content in written().values())]:
        assert str(made) not in text
        assert str(ROOT) not in text
        assert not re.search(r"\b20[2-9]\d-\d\d-\d\d", text)


def test_names_that_look_like_markup_are_shown_as_they_are(page: str) -> None:
    reader = Reader(page)
    for name in [BITING[0], BITING[1], BITING[2], *CLASSES, REASON, "A <note> & more."]:
        assert name in reader.text
    assert reader.all("script") == reader.all("b<") == []
    assert not [tag for tag, _ in reader.tags if tag in ("the", "note", "iframe", "img")]


def test_pictures_show_names_with_dollars_as_they_are(page: str) -> None:
    root = ET.parse(layout.picture("line", "fit")).getroot()
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert BITING[0] in texts
    assert BITING[1] in texts


def test_pictures_are_files_of_their_own(page: str) -> None:
    pictures = sorted(path.name for path in layout.REPORT.with_suffix("").iterdir())
    assert "line_fit.svg" in pictures
    assert "wide_confusion.svg" in pictures
    assert len(pictures) == 7 + 8
    for path in layout.REPORT.with_suffix("").iterdir():
        root = ET.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in path.read_text()


def test_pictures_of_datasets_that_are_gone_go_too(page: str) -> None:
    old = layout.picture("gone", "fit")
    old.write_text("<svg/>")
    draw_sample()
    assert not old.exists()


def test_dvc_plots_has_the_data_of_every_plot_and_of_no_dataset_that_is_gone(page: str) -> None:
    old = layout.PLOTS / "roc/gone.csv"
    old.write_text("trainer\n")
    draw_sample()
    made = [*Path("data/5_evaluated").glob("*/*.csv")]
    assert len(made) > 10
    copies = {layout.PLOTS / path.stem / f"{path.parent.name}.csv": path for path in made}
    assert {*layout.PLOTS.glob("*/*")} == {*copies}
    assert all(copy.read_bytes() == path.read_bytes() for copy, path in copies.items())


def test_every_figure_says_in_words_and_numbers_what_it_shows(page: str) -> None:
    reader = Reader(page)
    drawings = [one for one in reader.all("svg") if one.get("role") == "img"]
    assert len(drawings) == len(reader.all("figure")) == len(reader.all("figcaption")) == 15
    for drawing in drawings:
        finding = drawing["aria-label"] or ""
        assert len(finding) > 30
        assert re.search(r"\d", finding)
    assert len({drawing["aria-label"] for drawing in drawings}) == 15


def test_the_page_asks_nothing_of_a_network(page: str) -> None:
    reader = Reader(page)
    links = [a[key] or "" for _, a in reader.tags for key in ("src", "href") if key in a]
    assert {link[:1] for link in links} == {"#", "d"}
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    assert re.findall(r"https?://|@import", page) == []
    styles = [a.get("style") or "" for _, a in reader.tags]
    assert all(re.match(r"#", u) for s in styles for u in re.findall(r"url\((.)", s))


def test_ids_are_unique_and_every_reference_has_its_id(page: str) -> None:
    reader = Reader(page)
    ids = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(ids) == len(set(ids))
    references = re.findall(r'(?:href="|url\()#([^")]+)', re.sub(r">[^<]*<", "><", page))
    assert set(references) <= set(ids)


def test_the_verdicts_come_first_and_a_failed_audit_stands_out(page: str) -> None:
    text = Reader(page).text
    assert text.index("rejected") < text.index(REASON) < text.index("Leakage audit")
    assert page.count('class="alarm"') == 4
    assert "leakage audit failed: Giveaway feature" in text


def test_at_most_40_features_are_listed_and_30_coefficients_drawn(page: str) -> None:
    assert "5 more features are left out" in page
    root = ET.parse(layout.picture("wide", "coefficients")).getroot()
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert len([text for text in texts if re.fullmatch(r"x\d+", text)]) in range(20, 31)


def test_the_least_squares_line_is_drawn_where_it_bounds_the_loss(page: str) -> None:
    assert "least-squares minimum, 0.9." in page
    path = layout.model("line", "manual_gd")
    features, rows = [BITING[1]], md5(layout.split_part("line", "train"))
    model = read_model(path, "manual_gd", features, rows)
    write_model(path, features, replace(model, params={**model.params, "weight_decay": 0.1}), rows)
    draw_sample()
    assert "least-squares minimum" not in layout.REPORT.read_text()


def test_many_rows_give_a_small_page(workspace: Path) -> None:
    write_sample(rows=5000)
    draw_sample()
    assert layout.REPORT.stat().st_size < 600_000


def test_the_page_speaks_chinese(workspace: Path) -> None:
    write_sample(language="zh")
    draw_sample()
    page = layout.REPORT.read_text(encoding="utf-8")
    assert '<html lang="zh-Hans">' in page
    for word in ("混淆矩阵", "受试者工作特征曲线", "均方误差", "学习率", "交叉验证", "残差"):
        assert word in page


@pytest.mark.parametrize(
    "lacking",
    [
        lambda: layout.evaluated("line"),
        lambda: layout.plot("wide", "calibration"),
        lambda: layout.history("line", "manual_gd"),
        lambda: layout.validated("wide"),
        lambda: layout.model("line", "mean"),
    ],
)
def test_a_missing_file_is_named(workspace: Path, lacking: Callable[[], Path]) -> None:
    write_sample()
    lacking().unlink()
    with pytest.raises(PipelineError, match=f"{lacking()} is missing"):
        draw_sample()
    assert not layout.REPORT.exists()


def test_files_that_do_not_fit_together_are_named(workspace: Path) -> None:
    write_sample()
    path = layout.plot("line", "predictions")
    path.write_text("trainer,actual,predicted\nmean,1,2\n")
    with pytest.raises(PipelineError, match=r"line/predictions.csv: has nothing of closed_form"):
        draw_sample()
