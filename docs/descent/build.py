"""Make docs/descent/index.html, the page on gradient descent: one file that needs no network.

    python docs/descent/build.py

From template.html, style.css, texts.toml, the modules in src and what data.py computes with the
solvers; the same bytes each time, and a test holds the page to that.
"""

import json
import re
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from docs.descent.data import page_data  # noqa: E402

# Each after those that it imports; together they are one scope.
MODULES = (
    "solvers", "state", "language", "draw", "controls", "bcpm", "network",
    "flats", "listing", "cancer", "depth", "exercises", "main",
)  # fmt: skip
IMPORT = re.compile(r'(?ms)^import \{[^}]*\} from "\./(\w+)\.js";\n')
NAMED = re.compile(r"(?m)^(?:export )?(?:const|let|function|class) (\w+)")


def make() -> str:
    """The page."""
    data, texts = page_data(), read_texts()
    for name in data["cancer"]["names"]:
        texts["features"][name] = feature(name, texts)
    parts = {
        "title": texts["title"]["en"],
        "style": read("style.css"),
        "data": as_json(data),
        "texts": as_json(texts),
        "script": joined(),
    }
    template = read("template.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def read(name: str) -> str:
    """A source of the page."""
    return (HERE / name).read_text(encoding="utf-8")


def read_texts() -> dict[str, Any]:
    """The texts of the page, in both languages; those of the features are to come."""
    return tomllib.loads(read("texts.toml")) | {"features": {}}


def feature(name: str, texts: dict[str, Any]) -> dict[str, str]:
    """What a column of the breast-cancer table is called, such as `worst_radius`."""
    statistic, _, nucleus = name.partition("_")
    if name.endswith("_error"):
        statistic, nucleus = "error", name.removesuffix("_error")
    named, pattern = texts["nuclei"][nucleus], texts["statistics"][statistic]
    return {lang: pattern[lang].format(nucleus=named[lang]) for lang in ("en", "zh")}


def as_json(value: object) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def joined() -> str:
    """The modules in one scope, without imports and exports.

    Raises
    ------
    ValueError
        When two of them name the same, or one imports from a later one.
    """
    parts, names = list[str](), Counter[str]()
    for place, module in enumerate(MODULES):
        source = read(f"src/{module}.js")
        late = {*IMPORT.findall(source)} - {*MODULES[:place]}
        if late:
            raise ValueError(f"src/{module}.js imports {', '.join(sorted(late))}, which come later")
        names.update(NAMED.findall(source))
        parts.append(re.sub("(?m)^export ", "", IMPORT.sub("", source)))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"docs/descent/src: named in two modules: {', '.join(twice)}")
    return "\n".join(parts)


if __name__ == "__main__":
    (HERE / "index.html").write_text(make(), encoding="utf-8")
