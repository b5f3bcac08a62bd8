"""Check params.yaml.

Unknown keys, wrong types and impossible values are named, all at once. What earlier stages made of
datasets and models that params.yaml no longer has is removed.
"""

from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.params import load_params


def params() -> None:
    """Check params.yaml, and remove the models that it has no line for any more.

    Raises
    ------
    PipelineError
        Names every key that is unknown, missing or impossible, all at once.
    """
    found = load_params()
    for dataset in found.datasets:
        remove_strangers(found, dataset)
