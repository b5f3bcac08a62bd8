"""Publish the results of this folder that MLflow does not have: it was down, or is a new server.

Reads the results of all stages, and data/unpublished, where track leaves what MLflow could not
take. Ends with exit code 2 where MLflow is down.
"""

from argparse import ArgumentParser, Namespace

from pipeline.tracking.stage import sync


def add_arguments(_: ArgumentParser) -> None:
    """Declare nothing: `sync` stands alone."""


def run(_: Namespace) -> None:
    """Run the command."""
    sync()
