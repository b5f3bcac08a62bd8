"""The page: what the template shows, in the order in which it shows it."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.figures.svg import SERIES, inlined
from pipeline.report.gather import Gathered
from pipeline.report.picture import Picture
from pipeline.report.texts import Texts

FEATURES = 40
PACKAGES = ("numpy", "pandas", "scikit-learn", "torch", "matplotlib", "pyarrow")
SECTIONS = {
    "data": ("scatter", "histograms"),
    "training": ("fit", "loss"),
    "judged_rows": ("predictions", "residuals", "confusion", "roc", "pr", "calibration"),
    "weights": ("coefficients",),
    "compared": ("comparison",),
}


def page(gathered: list[Gathered], pictures: dict[str, list[Picture]], t: Texts) -> str:
    """The whole report as one HTML page that needs nothing else.

    Parameters
    ----------
    gathered : list of Gathered
        The datasets, in the order of params.yaml.
    pictures : dict
        Those of each dataset, by its name.

    Notes
    -----
    The template escapes whatever stands in it, since users named columns and classes. Only the
    pictures are markup already.
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
        datasets=[_block(d, pictures[d.name], t) for d in gathered],
        versions=versions(),
    )


def versions() -> dict[str, str]:
    """What computed the numbers; a package that is not installed is left out.

    Neither Python nor the build of torch: the same numbers come out of all of them.
    """
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package).split("+")[0]
        except PackageNotFoundError:
            continue
    return found


def _block(d: Gathered, pictures: list[Picture], t: Texts) -> dict[str, Any]:
    """Everything about one dataset, as the template asks for it."""
    failed = [t(audit.name) for audit in d.evaluated.audits if not audit.passed]
    key = f"{d.cross_validated}_{d.verdict.metric}"
    return {
        "d": d,
        "cross_validated": _shown(d, d.best, key, t),
        "judged": _shown(d, d.best, f"test_{d.verdict.metric}", t),
        "audit_failed": t("audit_failed", names=", ".join(failed)) if failed else "",
        "confidence": f"{100 * d.evaluated.confidence:g} %",
        "features": _features(d),
        "more_features": max(0, len(d.features) - FEATURES),
        "classes": _classes(d),
        "figures": {name: _figures(pictures, names) for name, names in SECTIONS.items()},
        "models": [_model(d, name, t) for name in d.judged],
        "scores": _scores(d),
        "descents": _descents(d, t),
    }


def _shown(d: Gathered, model: str, key: str, t: Texts) -> dict[str, str]:
    """A score, `value`, and its `interval`; "" where it has none."""
    value, low, high = d.score(model, key)
    interval = f"[{t.number(low)}, {t.number(high)}]" if low is not None else ""
    return {"value": t.number(value), "interval": interval}


def _features(d: Gathered) -> list[tuple[str, float, float, float]]:
    """Name, least value, mean and largest value of the first features."""
    columns = list(zip(d.features, d.X.T, strict=True))[:FEATURES]
    return [(name, float(x.min()), float(x.mean()), float(x.max())) for name, x in columns]


def _classes(d: Gathered) -> list[tuple[str, int, float]]:
    """Name, number of rows and share of each class; nothing of a regression."""
    counts = [int((d.y == label).sum()) for label in range(len(d.evaluated.classes or []))]
    names = d.evaluated.classes or []
    return [(name, n, n / len(d.y)) for name, n in zip(names, counts, strict=True)]


def _figures(pictures: list[Picture], names: tuple[str, ...]) -> list[tuple[Picture, Markup]]:
    # matplotlib and svg.py escape what users named; the page takes their markup as it is.
    return [(p, Markup(inlined(p.svg, p.finding))) for p in pictures if p.name in names]


def _model(d: Gathered, name: str, t: Texts) -> dict[str, Any]:
    """One row of the scores: the metric that the verdict goes by."""
    key, scores = f"{d.cross_validated}_{d.verdict.metric}", d.judged[name].scores
    return {
        "name": name,
        "role": _role(d, name, t),
        "cross_validated": _shown(d, name, key, t),
        "sd": t.number(scores.get(f"{key}_sd")),
        "range": " … ".join(t.number(scores.get(f"{key}_{end}")) for end in ("min", "max")),
        "judged": _shown(d, name, f"{d.held_out}_{d.verdict.metric}", t),
    }


def _role(d: Gathered, name: str, t: Texts) -> str:
    role = d.judged[name].role
    also = name == d.evaluated.champion and role != "champion"
    return t("and").join([t(role), *([t("champion")] if also else [])])


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
        every = {**one.params, **threshold, **facts}
        values = {
            key: f"{v:.6g}" if isinstance(v, float) else t("none") if v is None else str(v)
            for key, v in every.items()
        }
        if values:
            shown[name] = values
    return shown
