"""docs/reliability.md: every row has its tests."""

import re

from tests.conftest import ROOT

ROW = re.compile(r"^\| (\d+) \| .+ \| .+ \| (`.+`) \|$", re.MULTILINE)


def test_every_row_names_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs/reliability.md").read_text())
    assert [int(number) for number, _ in rows] == list(range(1, 127))
    for number, named in rows:
        for part in named.split("; "):
            file, *names = re.findall(r"`(\w+)`", part)
            text = "".join(path.read_text() for path in (ROOT / "tests").rglob(f"{file}.py"))
            assert names
            for name in names:
                assert re.search(rf"^def test_fault_{name}\(", text, re.MULTILINE), name
                assert int(number) in map(int, re.findall(r"(?:^|and_)(\d+)", name)), name
