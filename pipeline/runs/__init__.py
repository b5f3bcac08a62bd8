"""What made a run of the MLflow store, what brings it back, and how two runs differ."""

from pipeline.runs.diff import diff
from pipeline.runs.show import show

__all__ = ["diff", "show"]
