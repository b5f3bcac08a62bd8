"""SVG as matplotlib writes it, made fit for a page: small, with ids and colours of its own."""

import re
from collections.abc import Callable
from html import escape

from pipeline.core.text import in_one_line

INK = "#010203"  # stands for the page's text colour
FAINT = "#040506"  # and for that of its lines
# Light and dark: at least 3:1 on either background, and apart for colour-blind readers.
SERIES = (
    ("#0072b2", "#56b4e9"),  # blue
    ("#c65100", "#f0955a"),  # vermilion
    ("#00795a", "#3cc89b"),  # green
    ("#9a3f78", "#e39ac5"),  # purple
    ("#7a6400", "#d9bf45"),  # ochre
    ("#5b5f66", "#a9b0ba"),  # grey
)
COLOURS = tuple(light for light, _ in SERIES)
FONTS = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"

_TAG = re.compile(r"<[^>]*>")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_RUN = re.compile(r'<g( clip-path="[^"]*")?>((?:\s*<use [^>]*?style="([^"]*)"/>)+)\s*</g>')
_UNUSED = re.compile(r' id="[^"]*_\d+"')  # of groups, which nothing refers to
_ID = re.compile(r'( id="|href="#|url\(#)([^")]*)')
_STYLE = re.compile(r' style="[^"]*"')


def tidy(raw: str, name: str) -> str:
    """The <svg> element alone: two decimals, and ids of this picture only.

    Parameters
    ----------
    raw : str
        What matplotlib wrote.
    name : str
        Begins every id; no other picture of the page has it. Of ASCII letters, digits, _ and -.
    """
    text = raw[raw.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = _in_tags(text, _shorter)
    text = _numbered(_RUN.sub(_hoisted, text), name)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def _numbered(text: str, name: str) -> str:
    """Number the ids in order: matplotlib's hash last digits, which Python's version changes."""
    ids: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        return f"{found[1]}{name}-{ids.setdefault(found[2], len(ids))}"

    return _in_tags(text, lambda tag: _ID.sub(number, tag))


def alone(text: str, finding: str) -> str:
    """The picture as a file of its own, black on nothing.

    Parameters
    ----------
    text : str
        As `tidy` gives it.
    finding : str
        What is to be seen, for readers who do not see it.
    """
    text = _in_tags(text, lambda tag: tag.replace(INK, "#000000").replace(FAINT, "#a0a0a0"))
    return _labelled(text, finding, f' font-family="{FONTS}"') + "\n"


def inlined(text: str, finding: str) -> str:
    """The picture as a part of the page, which sets font and colours; parameters as `alone`."""
    return _labelled(_in_tags(text, _of_the_page), finding, "")


def _labelled(text: str, finding: str, more: str) -> str:
    label = escape(in_one_line(finding))
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"{more}', 1)


def _in_tags(text: str, change: Callable[[str], str]) -> str:
    """Change the tags; what is between them stays: users named it."""
    return _TAG.sub(lambda tag: change(tag[0]), text)


def _shorter(tag: str) -> str:
    """Two decimals of a point are enough; fonts, needless turns and unused ids go."""
    tag = _LONG.sub(lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r" font-family: [^;]*;", "", tag).replace("xlink:href=", "href=")
    tag = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", tag).replace(" \n", " ")
    return _UNUSED.sub("", tag)


def _of_the_page(tag: str) -> str:
    tag = tag.replace(INK, "currentColor").replace(FAINT, "var(--line)")
    for k, colour in enumerate(COLOURS):
        tag = tag.replace(colour, f"var(--s{k})")
    return re.sub(r' (xmlns(:xlink)?|version)="[^"]*"', "", tag)


def _hoisted(group: re.Match[str]) -> str:
    """One style on the group instead of one on each of its markers, where all have the same."""
    clip, uses, last = group[1] or "", group[2], group[3]
    if set(_STYLE.findall(uses)) != {f' style="{last}"'}:
        return group[0]
    return f'<g{clip} style="{last}">{_STYLE.sub("", uses)}</g>'
