"""Make plots.html, the page of `dvc plots`, from frame.html and Vega; and LICENSES.

`python .dvc/page/build.py` needs npm and network; the page itself, and this repository, do not.
"""

import re
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
# What DVC's built-in templates are written for: Vega-Lite 5, on Vega 5.
SCRIPTS = {"vega": "5.33.1", "vega-lite": "5.23.0", "vega-embed": "6.29.0"}
# What these carry inside them.
BUNDLED = re.compile(
    "vega.*|d3-.*|internmap|delaunator|robust-predicates|topojson-client|fast-json-patch"
    "|json-stringify-pretty-compact|semver|tslib"
)
PLACEHOLDERS = ("{scripts}", "{plot_divs}", "{refresh_tag}")


def inlined(package: Path) -> str:
    """A package's script as an element; it must hold nothing that ends it or that DVC replaces."""
    script = (package / "build" / f"{package.name}.min.js").read_text(encoding="utf-8")
    script = re.sub(r"\n//# sourceMappingURL=.*\s*$", "", script)
    assert not re.search("</script|<!--", script, re.IGNORECASE), package.name
    assert not any(placeholder in script for placeholder in PLACEHOLDERS), package.name
    origin = f"/* {package.name} {SCRIPTS[package.name]}: see LICENSES */"
    return f"<script>{origin}\n{script}\n</script>"


def licences(modules: Path) -> str:
    """Each licence text once, under the packages that it came with."""
    packages = defaultdict(list)
    for path in sorted(modules.glob("*/[Ll][Ii][Cc][Ee][Nn][SsCc][Ee]*")):
        if BUNDLED.fullmatch(path.parent.name):
            packages[path.read_text(encoding="utf-8").strip()].append(path.parent.name)
    parts = [f"{', '.join(names)}:\n\n{text}\n" for text, names in packages.items()]
    head = "Licences of what plots.html carries. That of vega stands at vega-view.\n"
    return f"\n{'-' * 80}\n\n".join([head, *parts])


def main() -> None:
    """Fetch the packages into a temporary folder, then write both files."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = [f"{name}@{version}" for name, version in SCRIPTS.items()]
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "install", "--prefix", folder, *quiet, *wanted], check=True)
        modules = Path(folder) / "node_modules"
        scripts = "\n".join(inlined(modules / name) for name in SCRIPTS)
        frame = (HERE / "frame.html").read_text(encoding="utf-8")
        page = frame.replace("<!-- vega -->", scripts)
        (HERE / "plots.html").write_text(page, encoding="utf-8")
        (HERE / "LICENSES").write_text(licences(modules), encoding="utf-8")


if __name__ == "__main__":
    main()
