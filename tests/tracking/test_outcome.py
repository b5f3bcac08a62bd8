from pathlib import Path

import pytest

from pipeline.core.files import write_text
from pipeline.core.layout import RECEIPT
from pipeline.tracking.outcome import Outcome, changes, last_outcomes, write_outcomes

GD = "house manual_gd"


def outcome(value: float | None = 149.8961, **changed: float | str) -> Outcome:
    settings: dict[str, float | int | str] = {"lr": 0.1, "epochs": 100, "cross_validation.folds": 5}
    return Outcome(
        fingerprint=f"{value} {changed}",
        standing=["undecided"],
        score="loo_mse",
        value=value,
        settings=settings | changed,
    )


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (outcome(1011.2, lr=0.01), "loo mse 149.9 -> 1011 (lr 0.1 -> 0.01)"),
        (outcome(150.0, lr=1.0, epochs=50), "loo mse 149.9 -> 150 (lr 0.1 -> 1, epochs 100 -> 50)"),
        (outcome(149.8961, optimizer="adam"), "loo mse 149.9 -> 149.9 (optimizer adam)"),
        (outcome(None, lr=2.0), "loo mse 149.9 -> - (lr 0.1 -> 2)"),
        (outcome(3.0), "loo mse 149.9 -> 3"),
    ],
)
def test_a_model_made_anew_says_what_changed_and_what_came_of_it(after: Outcome, line: str) -> None:
    assert [*changes({GD: outcome()}, {GD: after})] == [f"{GD}: {line}"]


def test_what_was_not_made_anew_is_left_out_and_what_is_new_has_its_score() -> None:
    after = {GD: outcome(), "house new": outcome(7.0)}
    assert [*changes({GD: outcome()}, after)] == ["house new: loo mse 7"]
    assert [*changes({}, after)] == [f"{GD}: loo mse 149.9", "house new: loo mse 7"]


def test_another_metric_has_no_score_before() -> None:
    after = outcome(9.7).model_copy(update={"score": "loo_mae"})
    assert [*changes({GD: outcome()}, {GD: after})] == [f"{GD}: loo mae 9.7"]


def test_a_remark_stands_at_the_end() -> None:
    after = outcome(1e64, lr=1.5).model_copy(update={"remark": "the training failed"})
    assert [*changes({GD: outcome()}, {GD: after})] == [
        f"{GD}: loo mse 149.9 -> 1e+64 (lr 0.1 -> 1.5); the training failed"
    ]


@pytest.mark.parametrize("text", ["", "{", '{"house/mean": ["old form"]}', "[]"])
def test_a_receipt_of_another_form_is_none(workspace: Path, text: str) -> None:
    assert last_outcomes() == {}
    write_text(RECEIPT, text)
    assert last_outcomes() == {}


def test_a_receipt_is_read_as_it_was_written(workspace: Path) -> None:
    write_outcomes({GD: outcome()})
    assert last_outcomes() == {GD: outcome()}
