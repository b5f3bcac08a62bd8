"""A query becomes a Parquet file that keeps all values; its address stands nowhere."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from pipeline.__main__ import main
from pipeline.commands.add.query import snapshot
from pipeline.core.errors import PipelineError
from tests.conftest import clone_into
from tests.servers import postgresql


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Fill a database of sqlite, which FLATS is the address of."""
    monkeypatch.setenv("FLATS", f"sqlite:///{tmp_path}/secret.db")

    def fill(create: str, *rows: tuple[object, ...]) -> None:
        with sqlite3.connect(tmp_path / "secret.db") as connection:
            connection.execute(create)
            marks = ", ".join("?" for _ in rows[0])
            connection.executemany(f"insert into flats values ({marks})", rows)
        connection.close()

    return fill


def taken(tmp_path: Path, query: str = "select * from flats") -> dict[str, list[object]]:
    snapshot(query, "FLATS", tmp_path / "a.parquet")
    return pq.read_table(tmp_path / "a.parquet").to_pydict()


def refused(tmp_path: Path, query: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        taken(tmp_path, query)


def test_integers_beside_null_and_empty_text_stay(
    database: Callable[..., None], tmp_path: Path
) -> None:
    database("create table flats (n, t, x)", (9007199254740993, "", 0.5), (None, None, None))
    found = taken(tmp_path)
    assert found == {"n": [9007199254740993, None], "t": ["", None], "x": [0.5, None]}
    assert pq.read_schema(tmp_path / "a.parquet").metadata[b"query"] == b"select * from flats"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select * from flats", "column n holds .*; CAST it to one type"),
        ("select 1 as a, 2 as a", "has two columns a; name them by AS"),
        ("select * from nowhere", "FLATS: no such table: nowhere"),
        ("select * from flats where n < 0", "--query: gives no row"),
        ("create table other (a)", "attempt to write a readonly database"),
        ("drop table flats", "attempt to write a readonly database"),
        ("insert into flats values (2) returning n", "attempt to write a readonly database"),
        ("", "expected a SELECT"),
    ],
)
def test_fault_118_a_query_that_cannot_be_kept_is_refused(
    database: Callable[..., None], tmp_path: Path, query: str, message: str
) -> None:
    database("create table flats (n)", (1,), ("a",))
    before = (tmp_path / "secret.db").read_bytes()
    with pytest.raises(PipelineError, match=message) as refused:
        taken(tmp_path, query)
    assert "secret" not in str(refused.value)
    assert (tmp_path / "secret.db").read_bytes() == before
    assert not (tmp_path / "a.parquet").exists()


def test_a_query_is_taken_as_the_database_takes_it(
    database: Callable[..., None], tmp_path: Path
) -> None:
    database("create table flats (t)", ("%a:b",), ("c",))
    assert taken(tmp_path, "select * from flats where t like '%a:_%' ; ") == {"t": ["%a:b"]}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@127.0.0.1:1/none",
        "postgresql+psycopg://127.0.0.1:1/none?user=me&password=secret",
        "postgresql+psycopg://me:a@secret@127.0.0.1:1/none",
        "postgresql+psycopg://me:a@b:secret@127.0.0.1:1/none",
        "postgresql+psycopg://me@127.0.0.1:secret/none",
        "mysql+nodriver://me:secret@host/none",
        "sqlite:///secret",
        "secret",
        "other://me:secret@host",
    ],
)
def test_fault_119_no_message_tells_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FLATS", url)
    with pytest.raises(PipelineError, match="--connection FLATS: ") as refused:
        taken(tmp_path)
    assert "secret" not in str(refused.value)
    assert not Path("secret").exists()


def test_fault_118_what_a_table_lacks_is_said_of_the_query(
    database: Callable[..., None], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database("create table flats (area, price)", *((k, b"x") for k in range(40)))
    words = ["add", "--query", "select * from flats", "--connection", "FLATS", "--target", "price"]
    assert main([*words, "--name", "flats"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: add: --query: column price is of binary, expected numbers")
    assert not (workspace / "data/raw/flats.parquet").exists()


def test_fault_119_a_name_that_is_not_set_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FLATS", raising=False)
    with pytest.raises(PipelineError, match="--connection FLATS: is not set; expected"):
        taken(tmp_path)


def test_a_snapshot_is_tried_without_writing(
    database: Callable[..., None], workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database("create table flats (area, price)", *((k, 2 * k + k % 3) for k in range(40)))
    words = ["add", "--query", "select * from flats", "--connection", "FLATS", "--target", "price"]
    assert main([*words, "--name", "flats", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("query of FLATS: 40 rows, 2 columns")
    assert "data/raw/flats.parquet" in said
    assert "secret" not in said
    assert main(words) == 2
    assert "--query needs --connection VARIABLE and --name NAME" in capsys.readouterr().err
    assert not (workspace / "data/raw/flats.parquet").exists()


@pytest.mark.slow
def test_rows_go_to_dvc_and_a_newer_snapshot_keeps_what_was_edited(
    database: Callable[..., None], tmp_path: Path
) -> None:
    clone = clone_into(tmp_path / "cloned")
    rows = [(2**53 + k, f"city {k % 3}", "" if k % 5 else None, 1.5 * k + k % 7) for k in range(99)]
    database("create table flats (n, city, note, price)", *rows)
    add = (
        "python -m pipeline add --query 'select * from flats order by n' --connection FLATS "
        "--name flats --target price"
    )
    clone.ok(add)
    file, text = clone.folder / "data/raw/flats.parquet", (clone.folder / "params.yaml").read_text()
    assert [*map(tuple, zip(*pq.read_table(file).to_pydict().values(), strict=True))] == rows
    assert "?? data/raw/flats.parquet.dvc" in clone.ok("git status --porcelain")
    assert "flats.parquet\n" not in clone.ok("git status --porcelain")
    first, edited = file.read_bytes(), text.replace("city: category", "city: drop")
    assert edited != text
    (clone.folder / "params.yaml").write_text(edited)
    clone.ok("git add -A && git commit -qm 'Add flats'")
    again = clone.run(add)
    assert (again.returncode, "`python -m pipeline remove flats` before" in again.stdout) == (
        2,
        True,
    )
    assert clone.ok("git status --porcelain") == ""
    clone.ok(f"python -m pipeline remove flats && {add}")
    clone.ok("git checkout -q params.yaml data/schema metrics/champion.json")
    assert (clone.ok("git status --porcelain"), file.read_bytes()) == ("", first)
    database("create table other (n)", (2**54, "city 0", None, 1.0))
    clone.ok(f"python -m pipeline remove flats && {add}")
    clone.ok("git checkout -q params.yaml data/schema metrics/champion.json")
    assert clone.ok("git status --porcelain") == " M data/raw/flats.parquet.dvc\n"
    clone.ok("dvc repro ingest@flats && git checkout -q dvc.lock")
    assert clone.ok(f"grep -rF '{tmp_path}/secret.db' . || true") == ""


@pytest.mark.slow
def test_types_of_postgresql_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noon = datetime(2024, 1, 2, 12, tzinfo=UTC)
    with postgresql() as url:
        monkeypatch.setenv("FLATS", url)
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "create sequence counted; create table flats (n bigint, t text, b bool, "
                "d numeric(12, 2), x float8, day date, at timestamptz)"
            )
            connection.exec_driver_sql(
                "insert into flats values (9007199254740993, '', true, 57.01, 0.1, '2024-01-02', "
                "'2024-01-02 12:00+00'), (null, null, null, null, null, null, null)"
            )
        engine.dispose()
        found = taken(tmp_path, "select * from flats order by n nulls last")
        for query, message in (
            ("select '12:00+02'::timetz as a", "column a holds time .times of day with a zone"),
            ("select 'NaN'::numeric as a", "column a holds Decimal .*; CAST it to one type"),
            ("select 'infinity'::date as a", "FLATS: date too large"),
            ("delete from flats", 'FLATS: syntax error at or near "delete"'),
            ("select 1/(n - n) from flats", "FLATS: division by zero"),
        ):
            refused(tmp_path, query, message)
        refused(tmp_path, "select setval('counted', 7) as a", "in a read-only transaction")
    assert {name: values[0] for name, values in found.items()} == {
        "n": 9007199254740993,
        "t": "",
        "b": True,
        "d": Decimal("57.01"),
        "x": 0.1,
        "day": date(2024, 1, 2),
        "at": noon,
    }
    assert {values[1] for values in found.values()} == {None}
