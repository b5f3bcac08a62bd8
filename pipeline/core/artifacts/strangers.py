"""What earlier stages have made for datasets and models that params.yaml no longer has.

DVC leaves the outputs of a stage that is gone where they are. Later stages, which depend on whole
folders, would take them for results; DVC's cache has them still.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.core import layout
from pipeline.core.params import NAMES_TAKEN, Params

OF_DATASETS = ("data/[1-5]_*/*", "metrics/plots/*", "metrics/*.json")
NAME = re.compile("[a-z][a-z0-9_]*")


def remove_strangers(params: Params) -> None:
    """Remove the outputs of datasets, and the models, for which params.yaml has no line."""
    for path in [*_of_datasets(params), *_models(params)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _of_datasets(params: Params) -> Iterator[Path]:
    known = {*params.datasets, *NAMES_TAKEN}
    for pattern in OF_DATASETS:
        for path in Path().glob(pattern):
            name = path.name.partition(".")[0]
            if NAME.fullmatch(name) and name not in known:
                yield path


def _models(params: Params) -> Iterator[Path]:
    for dataset in params.datasets:
        names = params.models_of(dataset)
        ours = {of(dataset, name) for name in names for of in (layout.model, layout.history)}
        yield from (path for path in layout.models(dataset).glob("[!.]*") if path not in ours)
