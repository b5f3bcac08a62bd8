from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.core import layout
from pipeline.core.params import load_params
from pipeline.report.verdict import give_verdicts
from tests.conftest import Clone, copied, keep_datasets


def test_only_a_verdict_that_changed_is_printed(
    run: Callable[[str], tuple[int, str]],
    prepared: Callable[[str], None],
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def printed() -> str:
        give_verdicts(load_params())
        return capsys.readouterr().out

    params, yaml = workspace / "params.yaml", YAML()
    keep_datasets(params, "house")
    content = yaml.load(params)
    content["models"]["gradient"] = {}
    yaml.dump(content, params)
    prepared("house")
    for command in ("train house pairwise_mean closed_form", "evaluate house"):
        assert run(command) == (0, "")
    assert printed().startswith("house: closed_form accepted: better than the trivial model, and")
    assert printed() == ""
    layout.VERDICT.write_text(layout.VERDICT.read_text().replace("accepted", "undecided"))
    assert printed().startswith("house: closed_form accepted: ")
    layout.VERDICT.write_text("{}")
    assert printed().startswith("house: closed_form accepted: ")


@pytest.mark.slow
def test_a_page_that_fails_leaves_the_verdict_which_is_printed_once(
    house_alone: Clone, tmp_path: Path
) -> None:
    clone, told = copied(house_alone, tmp_path), "house: closed_form accepted: "
    params, page = clone.folder / layout.PARAMS, clone.folder / layout.REPORT
    template = clone.folder / "pipeline/report/template.html.j2"
    earlier, whole = page.read_bytes(), template.read_text()
    params.write_text(params.read_text().replace("confidence: 0.95", "confidence: 0.9"))
    template.write_text(f"{whole}{{{{ nothing }}}}")
    failed = clone.run("dvc repro report")
    assert failed.returncode != 0
    assert failed.stdout.count(told) == 1
    assert "90 % interval" in (clone.folder / layout.VERDICT).read_text()
    assert page.read_bytes() == earlier
    template.write_text(whole)
    assert told not in clone.ok("dvc repro report")
    assert "90 % interval" in page.read_text()
