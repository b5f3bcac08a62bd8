"""The report's own words, in the language that params.yaml asks for.

What other stages found (reasons, notes, audits) is shown as they wrote it.
"""

import tomllib
from numbers import Real
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]


def texts(language: Language) -> dict[str, str]:
    """All texts of texts_LANGUAGE.toml by key; every language has the same keys and places."""
    path = Path(__file__).with_name(f"texts_{language}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def minus(number: str) -> str:
    """The sign as print has it: as wide as a plus."""
    return number.replace("-", "\N{MINUS SIGN}")


class Texts:
    """The words of one language, and its way with numbers."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = texts(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with its places filled: numbers as `number` has them.

        Raises
        ------
        KeyError
            When there is no such text, or a place has no value.
        """
        shown = {k: self.number(float(v)) if isinstance(v, Real) else v for k, v in values.items()}
        return self._texts[key].format(**shown)

    def score(self, key: str) -> str:
        """The name of a score without its prefix: `recall_<class>` is a class's recall."""
        if key.startswith("recall_"):
            return self("recall_of", name=key.removeprefix("recall_"))
        return self._texts.get(key, key)

    def number(self, value: float | None) -> str:
        """Four digits, as many as a reader compares: 58,276; 0.9386; 1.2e-07.

        >>> [Texts("en").number(x) for x in (58276.5, 0.93859, 1.23e17, 12.0)]
        ['58,276', '0.9386', '1.23e+17', '12']
        """
        if value is None or value != value:
            return "\N{EN DASH}"
        whole = abs(value) < 1e9 and (abs(value) >= 1000 or float(value).is_integer())
        return minus(f"{value:,.0f}" if whole else f"{value:.4g}")

    def interval(self, value: float | None, low: float | None, high: float | None) -> str:
        """A figure with its interval, where there is one: 0.939 [0.87, 0.97]."""
        if low is None or high is None:
            return self.number(value)
        return f"{self.number(value)} [{self.number(low)}, {self.number(high)}]"
