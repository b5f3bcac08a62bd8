"""The page: what the template shows, in the order in which it shows it."""

from collections.abc import Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.core.columns import CategoryColumn
from pipeline.core.errors import SHOWN
from pipeline.figures.svg import SERIES, inlined
from pipeline.report.forest_pictures import COEFFICIENTS
from pipeline.report.gather import Gathered
from pipeline.report.pictures import PICTURES, Picture
from pipeline.report.texts import Texts

FEATURES = 40
PACKAGES = ("numpy", "pandas", "scikit-learn", "torch", "matplotlib", "pyarrow")


def page(gathered: Sequence[Gathered], pictures: Sequence[Picture], t: Texts) -> str:
    """The whole report as one HTML page that needs nothing else.

    Parameters
    ----------
    gathered : sequence of Gathered
        The datasets, in the order of params.yaml.
    pictures : sequence of Picture
        Those of all datasets.

    Notes
    -----
    The template escapes whatever stands in it, since users named columns and classes. Only the
    pictures are markup already.

    The versions are what computed the numbers; neither Python nor the build of torch: the same
    numbers come out of all of them.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("template.html.j2")
    return template.render(
        t=t,
        colours=SERIES,
        coefficients=COEFFICIENTS,
        datasets=[_block(d, pictures, t) for d in gathered],
        versions={package: version(package).split("+")[0] for package in PACKAGES},
    )


def _block(d: Gathered, pictures: Sequence[Picture], t: Texts) -> dict[str, Any]:
    """Everything about one dataset, as the template asks for it."""
    failed = [t(audit.name) for audit in d.evaluated.audits if not audit.passed]
    classes = d.evaluated.classes or []
    # matplotlib and svg.py escape what users named; the page takes their markup as it is.
    drawn = [(p, Markup(inlined(p.svg, p.finding))) for p in pictures if p.dataset == d.dataset]
    return {
        "d": d,
        "audit_failed": t("audit_failed", names=", ".join(failed)) if failed else "",
        "categories": sum(isinstance(one, CategoryColumn) for one in d.encoding.values()),
        "left_out": ", ".join([*d.left_out[:SHOWN], *["..."] * (len(d.left_out) > SHOWN)]),
        "features": [
            (name, {"min": x.min(), "mean": x.mean(), "max": x.max()})
            for name, x in islice(d.columns(), FEATURES)
        ],
        "classes": [(name, int((d.y == label).sum())) for label, name in enumerate(classes)],
        "figures": {
            section: [(p, svg) for p, svg in drawn if PICTURES[p.name][0] == section]
            for section, _ in PICTURES.values()
        },
        "scores": _scores(d),
        "descents": _descents(d, t),
    }


def _scores(d: Gathered) -> list[tuple[str, str]]:
    """Prefix and name of every score of any model that is not a part of another."""
    keys = dict.fromkeys(key for one in d.judged.values() for key in one.scores)
    ends = ("low", "high", "sd", "min", "max")
    parts = {f"{key}_{end}" for key in keys for end in ends}
    order = {"test": 0, "train": 1, "cv": 2, "loo": 2}
    split = [tuple(key.split("_", 1)) for key in keys if key not in parts]
    return sorted(((a, b) for a, b in split if a in order), key=lambda pair: order[pair[0]])


def _descents(d: Gathered, t: Texts) -> dict[str, dict[str, str]]:
    """The settings of each model that has any, the stable rate among them."""
    shown: dict[str, dict[str, str]] = {}
    for name, one in d.judged.items():
        facts = d.models[name].facts if name in d.models else {}
        threshold = {} if one.threshold is None else {"threshold": one.threshold}
        shown[name] = {
            key: f"{v:.6g}" if isinstance(v, float) else t("none") if v is None else str(v)
            for key, v in {**one.params, **threshold, **facts}.items()
        }
    return {name: values for name, values in shown.items() if values}
