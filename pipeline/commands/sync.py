"""Publish what MLflow could not take, because it was down.

Reads data/unpublished, where track leaves it. Ends with exit code 2 where MLflow is still down.
"""

from argparse import ArgumentParser, Namespace

from pipeline.tracking.stage import sync


def add_arguments(_: ArgumentParser) -> None:
    """Declare nothing: `sync` stands alone."""


def run(_: Namespace) -> None:
    """Run the command."""
    sync()
