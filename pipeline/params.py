"""Check params.yaml.

Unknown keys, wrong types and impossible values are named, all at once. What earlier stages made of
datasets and models that params.yaml no longer has is removed.
"""

from pipeline.core.artifacts.strangers import remove_strangers
from pipeline.core.params import load_params


def params() -> None:
    """Check params.yaml, and remove what was made of datasets and models that it has no more.

    Raises
    ------
    PipelineError
        Names every key that is unknown, missing or impossible, all at once.
    """
    remove_strangers(load_params())
