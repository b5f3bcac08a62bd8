from string import Formatter

import pytest

from pipeline.report.texts import Texts, texts

EN, ZH = texts("en"), texts("zh")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_every_text() -> None:
    assert list(EN) == list(ZH)
    assert all(EN.values())
    assert all(ZH.values())


@pytest.mark.parametrize("key", EN)
def test_both_languages_have_the_same_places(key: str) -> None:
    assert places(EN[key]) == places(ZH[key])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (58276.5, "58,276"), (0.938596, "0.9386"), (12.0, "12"), (1e12, "1e+12"), (0.0, "0"),
        (-0.5, "\N{MINUS SIGN}0.5"), (1.5e-7, "1.5e\N{MINUS SIGN}07"), (None, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
    ],
)  # fmt: skip
def test_numbers_have_the_digits_that_a_reader_compares(value: float | None, shown: str) -> None:
    assert Texts("en").number(value) == shown


def test_an_interval_stands_beside_its_figure_where_there_is_one() -> None:
    assert Texts("en").interval(0.5, 0.25, 1) == "0.5 [0.25, 1]"
    assert Texts("zh").interval(0.5, None, None) == "0.5"
