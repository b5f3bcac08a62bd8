"""What made a run of the MLflow store, what brings it back, and how two runs differ."""

from pipeline.commands.runs.diff import diff
from pipeline.commands.runs.show import show

__all__ = ["diff", "show"]
