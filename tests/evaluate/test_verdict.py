from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import main
from pipeline.core import layout
from tests.conftest import keep_datasets


def test_only_a_verdict_that_changed_is_printed(
    run: Callable[[str], tuple[int, str]],
    prepared: Callable[[str], None],
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def printed() -> str:
        assert main(["verdict"]) == 0
        return capsys.readouterr().out

    params, yaml = workspace / "params.yaml", YAML()
    keep_datasets(params, "house")
    content = yaml.load(params)
    content["models"]["gradient"] = {}
    yaml.dump(content, params)
    prepared("house")
    for command in ("train house pairwise_mean closed_form", "evaluate house"):
        assert run(command) == (0, "")
    assert printed().startswith("house: closed_form undecided: not distinguishable from the")
    assert printed() == ""
    layout.VERDICT.write_text(layout.VERDICT.read_text().replace("undecided", "accepted"))
    assert printed().startswith("house: closed_form undecided: ")
    layout.VERDICT.write_text("{}")
    assert printed().startswith("house: closed_form undecided: ")
