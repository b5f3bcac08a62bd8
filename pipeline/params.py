"""Check params.yaml.

Unknown keys, wrong types, impossible values and files that are not there are named, all at once.
What earlier stages made of datasets and models that params.yaml no longer has is removed.
"""

from collections.abc import Iterator

from pipeline.core import layout
from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.errors import PipelineError, listed
from pipeline.core.params import Params, load_params


def params() -> None:
    """Run the stage.

    Raises
    ------
    PipelineError
        Names all faults of the keys, or else all files that are not there.
    """
    found = load_params()
    if problems := [*absent(found)]:
        raise PipelineError(listed(problems))
    remove_strangers(found)


def absent(found: Params) -> Iterator[str]:
    """DVC itself would give no more than the name of a file."""
    for name, dataset in found.datasets.items():
        source, schema = dataset.ingest.path, layout.schema(name)
        if not (dataset.ingest.make_regression or source.exists()):
            remedy = "put it there, or `git checkout` or `dvc pull` it"
            yield f"{layout.PARAMS}: datasets.{name}.ingest.source: {source} is missing; {remedy}"
        elif not schema.exists():
            remedy = f"write it, or begin with: python -m pipeline schema draft {source}"
            yield f"{layout.PARAMS}: datasets.{name}: {schema} is missing; {remedy}"
