from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.__main__ import main

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in the workspace: exit code, and what it printed on stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        code = main([*map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run
