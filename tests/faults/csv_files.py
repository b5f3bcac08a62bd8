"""A house.csv as somebody might send it, through the stages that read it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.tables import read_table

Run = Callable[[str], tuple[int, str]]
GOOD = "area_m2,price_wan\n50,100\n80,160\n110,210.5\n"
MADE = ("data/1_ingested/house.parquet", "data/2_validated/house/report.json")


class House:
    """The workspace's house dataset; `good` has gone through ingest and validate."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.write(GOOD)
        assert self.read() == (0, "")
        self._table = read_table(Path(MADE[0]))

    def write(self, content: str | bytes, name: str = "house.csv") -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        Path("data/raw", name).write_bytes(raw)

    def declare(self, **dialect: Any) -> None:
        self._set("csv", dialect)

    def name(self, file: str) -> None:
        """Read another file of data/raw."""
        self._set("source", f"data/raw/{file}")

    @staticmethod
    def _set(key: str, value: Any) -> None:
        yaml = YAML()
        params = yaml.load(Path("params.yaml"))
        params["datasets"]["house"]["ingest"][key] = value
        yaml.dump(params, Path("params.yaml"))

    def read(self) -> tuple[int, str]:
        """Ingest and validate, as dvc would."""
        code, ingest_said = self.run("ingest house")
        if code:
            return code, ingest_said
        code, validate_said = self.run("validate house")
        return code, ingest_said + validate_said

    def refused(self, content: str | bytes, *expected: str) -> None:
        """The file ends with 2 and one message that has all `expected`; what was made stays."""
        self.write(content)
        before = self._made()
        code, said = self.read()
        assert code == 2, said
        assert re.match(r"error: (ingest|validate): ", said)
        assert "Traceback" not in said
        assert "data/raw/house.csv" in said or "params.yaml" in said
        for pattern in expected:
            assert re.search(pattern, said), said
        ingested, report = self._made()
        assert report == before[1]
        assert ingested == before[0] or said.startswith("error: validate")

    def accepted(self, content: str | bytes, name: str = "house.csv") -> str:
        """The file gives the same table as the good one."""
        self.write(content, name)
        code, said = self.read()
        assert code == 0, said
        assert read_table(Path(MADE[0])).equals(self._table)
        return said

    def accepted_as_csv(self, content: str) -> None:
        """The file passes ingest and validate, whatever it says."""
        self.write(content)
        assert self.read() == (0, "")

    @staticmethod
    def _made() -> list[bytes]:
        return [Path(path).read_bytes() for path in MADE]
