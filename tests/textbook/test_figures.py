import pytest

from pipeline.textbook.figures import Figure


@pytest.mark.parametrize(
    ("book", "ours", "agreement"),
    [
        ("178.3555", 178.35553, "7 of 7"),
        ("178.3555", 178.35556, "6 of 7"),  # rounds to 178.356, as the book's does
        ("178.3555", 179.0, "2 of 7"),
        ("178.3555", 0.178, "0 of 7"),
        ("0.0894", 0.0899, "1 of 3"),
        ("-0.36180827", -0.361808267, "8 of 8"),
        ("-0.36180827", 0.361808267, "0 of 8"),
        ("9.99", 10.0, "2 of 3"),
        ("True", "True", "equal"),
        ("True", "False", "differs"),
        ("", 1.5, ""),
    ],
)
def test_digits_that_agree_are_counted(book: str, ours: float | str, agreement: str) -> None:
    assert Figure("x", book, ours).agreement == agreement


def test_ours_is_shown_with_three_digits_more() -> None:
    assert Figure("x", "70.8946", 70.89464479278).shown == "70.8946448"
    assert Figure("x", "", 1 / 3).shown == "0.333333333"
    assert Figure("x", "True", "False").shown == "False"
