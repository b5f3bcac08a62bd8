"""Stage `params`: params.yaml, checked."""

from pipeline.core.errors import PipelineError, listed
from pipeline.core.params import load_params
from pipeline.graph import unconnected


def params() -> None:
    """Refuse a params.yaml with unknown keys, wrong types and impossible values, all at once."""
    if problems := listed(unconnected(load_params())):
        raise PipelineError(problems)
