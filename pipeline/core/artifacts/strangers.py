"""What earlier stages have made for datasets and models that params.yaml no longer has.

DVC leaves the outputs of a stage that is gone where they are. Later stages, which depend on whole
folders, would run again for them. DVC's cache has them still.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import NAMES_TAKEN, Params
from pipeline.core.trainers import TRAINERS

# Where the outputs lay that have a folder for each dataset now: an older checkout has them still.
FORMER = [
    *("data/2_validated/{}.json", "data/2_validated/{}.txt"),
    *("data/5_evaluated/{}.json", "data/5_evaluated/{}-reference.json"),
    "data/5_evaluated/{}-baseline.json",
]
FOLDERS = [
    layout.validated("*"),
    layout.scaler("*"),
    layout.split_warnings("*"),
    layout.evaluated("*"),
]


def remove_strangers(params: Params) -> None:
    """Remove the outputs of datasets, and the models, for which params.yaml has no line.

    And those that lay elsewhere. Only files that stages name; whatever else lies beside them stays.

    Raises
    ------
    PipelineError
        When a file cannot be removed.
    """
    try:
        for dataset in _named() - {*params.datasets, *NAMES_TAKEN}:
            for path in _outputs(dataset):
                path.unlink(missing_ok=True)
            for path in FOLDERS:
                with suppress(OSError):  # it is not there, or holds something else
                    path.parent.with_name(dataset).rmdir()
        former = (Path(of.format(dataset)) for dataset in params.datasets for of in FORMER)
        for path in (*_models(params), *_states(params), *former):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise PipelineError(
            f"{error.filename}: no stage makes it any more, and it cannot be removed: "
            f"{error.strerror}"
        ) from None


def _named() -> set[str]:
    """The datasets of which there are outputs."""
    files = {path.stem for path in Path().glob(str(layout.ingested("*")))}
    folders = {path.parent.name for pattern in FOLDERS for path in Path().glob(str(pattern))}
    return {name for name in files | folders if re.fullmatch(layout.NAME, name)}


def _outputs(dataset: str) -> Iterator[Path]:
    yield from (layout.ingested(dataset), layout.evaluated(dataset))
    yield from (layout.validated(dataset), layout.validated_text(dataset), layout.rejected(dataset))
    yield from (layout.split_part(dataset, part) for part in ("train", "test"))
    yield from (layout.columns(dataset), layout.scaler(dataset))
    yield from (layout.split_rows(dataset), layout.split_warnings(dataset))
    yield from (layout.model(dataset, name) for name in TRAINERS)
    yield from _models_of(dataset)
    yield layout.metrics(dataset)
    yield from layout.evaluated(dataset).parent.glob("*.csv")


def _models(params: Params) -> Iterator[Path]:
    for dataset in params.datasets:
        wanted = params.models_of(dataset)
        ours = {of(dataset, name) for name in wanted for of in (layout.model, layout.history)}
        ours |= {
            layout.beside(layout.model(dataset, name), one.trainer)
            for name, one in wanted.items()
            if TRAINERS[one.trainer].form in layout.BESIDE
        }
        yield from (path for path in _models_of(dataset) if path not in ours)


def _states(params: Params) -> Iterator[Path]:
    """The states of trainings that were killed, of models that are gone."""
    networks = params.models.network
    for path in Path().glob(str(layout.checkpoint("*", "*", "*"))):
        if path.stem.rpartition("-")[0] not in networks:
            yield path


def _models_of(dataset: str) -> Iterator[Path]:
    folder = layout.models(dataset)
    for suffix in (".json", *layout.BESIDE.values()):
        yield from folder.glob(f"{dataset}-*{suffix}")
    yield from folder.glob(f"{dataset}-*_history.csv")
