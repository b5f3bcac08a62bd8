import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.champions import read_champions
from pipeline.core.errors import PipelineError

Run = Callable[[str], tuple[int, str]]
Judge = Callable[..., dict[str, object]]
SYNTHETIC = "closed_form manual_gd torch_sgd linear_regression mean"


@pytest.fixture
def judged(run: Run, prepared: Callable[[str], None], workspace: Path) -> Judge:
    """Train and judge synthetic alone; gives its verdict."""
    params = workspace / "params.yaml"
    text = params.read_text()
    kept = text[text.index("  # A straight line") : text.index("  # Wisconsin")]
    params.write_text(text[: text.index("  # Rows come from")] + kept)
    prepared("synthetic")

    def judge(trainers: str = SYNTHETIC) -> dict[str, object]:
        for command in (f"train synthetic {trainers}", "evaluate synthetic", "verdict"):
            code, message = run(command)
            assert code == 0, message
        verdicts = json.loads((workspace / "metrics/verdict.json").read_text())
        found: dict[str, object] = verdicts["datasets"]["synthetic"]
        return found

    return judge


def test_an_accepted_trainer_becomes_champion_and_a_worse_one_is_rejected(
    judged: Judge, run: Run, workspace: Path
) -> None:
    assert judged()["verdict"] == "accepted"
    assert run("promote synthetic") == (0, "")
    assert json.loads((workspace / "metrics/champion.json").read_text()) == {
        "synthetic": {"trainer": "closed_form", "params": {}, "features": ["x1"]}
    }
    again = judged()
    assert (again["verdict"], again["champion"]) == ("accepted", "closed_form")
    assert "it is the champion" in str(again["reason"])
    params = workspace / "params.yaml"
    params.write_text(
        params.read_text()
        .replace("lr: 0.1", "lr: 0.003")
        .replace("[closed_form, manual_gd, torch_sgd]", "[manual_gd]")
    )
    for path in (workspace / "data/4_models/synthetic").iterdir():
        path.unlink()
    worse = judged("manual_gd linear_regression mean")
    assert (worse["best"], worse["verdict"], worse["champion"]) == (
        "manual_gd",
        "rejected",
        "champion",
    )
    assert "manual_gd against the champion closed_form" in str(worse["reason"])
    code, message = run("promote synthetic")
    assert code == 2
    assert "manual_gd is rejected, not accepted" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}', "metrics/champion.json: a"),
        ('{"a": {"trainer": "magic", "params": {}, "features": []}}', "a.trainer"),
        (
            '{"a": {"trainer": "manual_gd", "params": {}, "features": []}}',
            "a.params: manual_gd takes",
        ),
        ("{", "metrics/champion.json: damaged"),
    ],
)
def test_a_damaged_file_is_named(workspace: Path, content: str, message: str) -> None:
    (workspace / "metrics/champion.json").write_text(content)
    with pytest.raises(PipelineError, match=message):
        read_champions()


def test_a_champion_of_features_that_are_gone_is_named(
    judged: Judge, run: Run, workspace: Path
) -> None:
    judged()
    champion = {"trainer": "closed_form", "params": {}, "features": ["x1", "x9"]}
    (workspace / "metrics/champion.json").write_text(json.dumps({"synthetic": champion}))
    code, message = run("evaluate synthetic")
    assert code == 2
    assert "synthetic.features: the data have no x9" in message
