import re
import tomllib
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from pipeline.solvers.quadratic import analytic_iterate, mean_squared_error
from pipeline.textbook import cancer, exercises, house, synthetic
from pipeline.textbook import figures as figures_of_the_chapter
from pipeline.textbook.figures import CHAPTER, Figure, Listing, Ours
from pipeline.textbook.stage import page
from tests.conftest import ROOT

pytestmark = pytest.mark.slow  # torch and scikit-learn's data, a few seconds
RANDOM = {("3-14", "w"), ("3-14", "b"), ("3-14", "loss"), ("3-14", "loss at the book's w and b")}
MISPRINT = ("3-31", "nearest accuracies of 114 rows")


@cache
def listings() -> list[Listing]:
    return [*figures_of_the_chapter.listings(values())]


@cache
def values() -> Ours:
    return {**house.ours(), **synthetic.ours(), **cancer.ours()}


def figures() -> Iterator[tuple[str, Figure]]:
    for listing in listings():
        for figure in listing.figures:
            yield listing.numbers, figure


def ours(numbers: str, name: str) -> float | str:
    return next(f.ours for n, f in figures() if n == numbers and f.name == name)


def test_every_listing_is_there_once_and_in_order() -> None:
    numbers = re.findall(r"3-(\d+)", " ".join(listing.numbers for listing in listings()))
    assert numbers == [str(k) for k in range(1, 32)]


def test_every_value_has_its_place_in_the_words_of_the_chapter() -> None:
    chapter = tomllib.loads(CHAPTER.read_text())["listing"]
    places = {
        one["numbers"]: len(one["figures"]) + str([one["shows"], one.get("remarks")]).count("{")
        for one in chapter
    }
    assert {numbers: len(found) for numbers, found in values().items()} == places


def test_all_that_can_agree_with_the_book_does() -> None:
    for numbers, figure in figures():
        if figure.book and (numbers, figure.name) not in {*RANDOM, MISPRINT}:
            same, printed = figure.digits or (figure.ours == figure.book, True)
            assert same == printed, (numbers, figure)


def test_the_misprint_is_none_of_the_possible_accuracies() -> None:
    assert "0.9479" not in {f"{k / 114:.4f}" for k in range(115)}


def test_the_books_torch_result_lies_on_the_slow_trajectory() -> None:
    epoch = ours("3-14", "epoch at which w = b = 1 comes to that loss")
    loss = mean_squared_error(house.ROWS)
    theta = analytic_iterate(loss, np.ones(2), house.RATE, int(epoch))
    assert theta == pytest.approx([1.147982, 115.7532196], rel=1e-4)


def test_least_squares_of_the_synthetic_rows() -> None:
    assert ours("3-18", "least squares: w") == pytest.approx(38.47185549, abs=5e-9)
    assert ours("3-18", "least squares: mean squared error") == pytest.approx(399.51743, abs=5e-6)
    assert ours("3-21", "largest loss over seeds 0 to 4") == pytest.approx(399.51743, abs=5e-6)
    assert ours("3-19", "least squares: w") == pytest.approx(35.54429248, abs=5e-9)


def test_accuracy_with_and_without_the_leak() -> None:
    names = [f"seed {seed}: accuracy" for seed in range(5)]
    honest = [round(float(ours("3-31", name)), 4) for name in names]
    leaky = [round(float(ours("3-31", f"{name} with the leak of 3-26")), 4) for name in names]
    assert honest == [0.9298, 0.9386, 0.9474, 0.9474, 0.9298]
    assert leaky == [0.9474, 0.9561, 0.9474, 0.9474, 0.9386]


def test_a_few_torch_steps_follow_the_analytic_trajectory() -> None:
    layer = house.seeded_layer()
    start = np.array([parameter.item() for parameter in layer.parameters()])
    loss = mean_squared_error(house.ROWS)
    exact = analytic_iterate(loss, start, house.RATE, 200)
    np.testing.assert_allclose(house.torch_descent(layer, 200), exact, rtol=1e-12)


def test_the_page_has_every_listing_and_the_wrong_claims() -> None:
    one = exercises.Measured("`-S lr=1`", 0.98, 0.01)
    text = page(listings(), [one], [one])
    assert [f"## Listing {listing.numbers}" in text for listing in listings()].count(False) == 0
    assert "| `-S lr=1` | 0.9800 | 0.0100 |" in text
    for mistake in ("malignant", "leakage", "misprint", "1/N", "eight", "never defines"):
        assert mistake in text.split("## The chapter's mistakes")[1].split("## Listing")[0]


def test_rates_above_the_bound_grow_and_below_it_fall() -> None:
    curves, bound = exercises.rate_curves(np.array([0.01, 0.99, 1.01, 1e200]))
    assert bound == pytest.approx(1)
    assert [history[-1] < history[0] for history in curves[:3]] == [True, True, False]
    assert curves[3].tolist() == [np.inf]


def test_accuracy_is_measured_on_rows_that_did_not_train() -> None:
    X, y = exercises.training_rows()
    assert X.shape == (455, 30)
    shuffled = np.random.default_rng(1).permutation(y)
    rows = np.arange(455)
    accuracy = exercises.accuracies(X, shuffled, (rows[:300], rows[300:]), {})
    assert accuracy[1] < 0.7


def test_the_committed_page_is_of_this_code() -> None:
    committed = (ROOT / "docs/textbook.md").read_text()
    for numbers, figure in figures():
        row = f"| {figure.name} | {figure.book} | {figure.shown} | {figure.agreement} |"
        assert row in committed, numbers
