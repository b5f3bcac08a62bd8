"""`add` fetches objects of a store: a local one of S3, which moto serves on loopback."""

import gzip
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import s3fs
from moto.server import ThreadedMotoServer

from pipeline.commands.add.sources import fetched
from pipeline.core.errors import PipelineError
from tests.commands.conftest import Cli
from tests.commands.test_add import every_file
from tests.commands.test_add_parts import HEADER, ROWS
from tests.conftest import clone_into
from tests.servers import dead_server

CHURN = {f"churn/p{k}.csv": HEADER + "".join(ROWS[30 * k : 30 * k + 30]) for k in range(3)}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a store that is empty."""
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(scope="module")
def environment(server: str) -> Iterator[Mapping[str, str]]:
    """What the library of the store reads: its address, and credentials."""
    said = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in said.items():
            patch.setenv(name, value)
        yield said


@pytest.fixture(scope="module")
def client(environment: Mapping[str, str]) -> s3fs.S3FileSystem:
    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@pytest.fixture
def store(server: str, client: s3fs.S3FileSystem) -> s3fs.S3FileSystem:
    """The store, with churn/ in its bucket and nothing else."""
    requests.post(f"{server}/moto-api/reset", timeout=60).raise_for_status()
    client.mkdir("bucket")
    put(client, CHURN)
    return client


def put(store: s3fs.S3FileSystem, objects: Mapping[str, str | bytes]) -> None:
    for key, held in objects.items():
        store.pipe(f"bucket/{key}", held.encode() if isinstance(held, str) else held)


def put_in_pieces(store: s3fs.S3FileSystem, key: str, content: bytes) -> None:
    """Put the same bytes as another writer does: S3 gives them another ETag."""
    before = store.info(f"bucket/{key}")["ETag"]
    where = {"Bucket": "bucket", "Key": key}
    where["UploadId"] = store.call_s3("create_multipart_upload", **where)["UploadId"]
    made = store.call_s3("upload_part", **where, PartNumber=1, Body=content)
    piece = {"PartNumber": 1, "ETag": made["ETag"]}
    store.call_s3("complete_multipart_upload", **where, MultipartUpload={"Parts": [piece]})
    store.invalidate_cache()
    assert store.info(f"bucket/{key}")["ETag"] != before


def refused(cli: Cli, url: str) -> str:
    """Refused, with one message, and nothing is another."""
    before = every_file()
    code, _, errors = cli("add", url, "--target", "price", "--name", "churn")
    assert (code, errors.count("error: "), every_file()) == (2, 1, before)
    assert not [*Path("data/raw").glob(".*")]
    return errors.removeprefix("error: add: ")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://bucket/churn/", "s3://bucket/churn: 3 parts, 90 rows"),
        ("s3://bucket/churn", "s3://bucket/churn: 3 parts, 90 rows"),
        ("s3://bucket/churn/*.csv", "s3://bucket/churn: 3 parts, 90 rows"),
        ("s3://bucket/churn/p[02].csv", "s3://bucket/churn: 2 parts, 60 rows"),
        ("s3://bucket/churn/p1.csv", "s3://bucket/churn/p1.csv: 30 rows"),
        ("s3://bucket/packed.csv.gz", "s3://bucket/packed.csv.gz: 60 rows"),
    ],
)
def test_an_address_is_looked_at(cli: Cli, store: s3fs.S3FileSystem, url: str, told: str) -> None:
    put(store, {"packed.csv.gz": gzip.compress((HEADER + "".join(ROWS[:60])).encode())})
    before = every_file()
    code, said, errors = cli("add", url, "--target", "price", "--dry-run")
    assert (code, said.split(", 4 columns")[0], errors) == (0, told, "")
    assert every_file() == before
    assert not [*Path("data/raw").glob(".*")]


def test_what_stands_beside_parts_is_said_and_not_fetched(
    store: s3fs.S3FileSystem, tmp_path: Path
) -> None:
    put(store, {"churn/": b"", "churn/_SUCCESS": b""})  # as consoles and Spark leave them
    with pytest.warns(UserWarning, match=r"s3://bucket/churn: _SUCCESS: no part, and left out"):
        assert fetched("s3://bucket/churn", tmp_path) == tmp_path
    assert {f"churn/{path.name}": path.read_text() for path in tmp_path.iterdir()} == CHURN


@pytest.mark.parametrize(
    ("objects", "url", "message"),
    [
        ({}, "s3://bucket/none/", "s3://bucket/none/: there is nothing"),
        ({}, "s3://bucket/none/*.csv", "s3://bucket/none/*.csv: names nothing"),
        ({}, "s3://nobucket/a.csv", "s3://nobucket/a.csv: "),
        ({}, "s3://bucket", "s3://bucket: 'bucket/churn' is a folder; expected the parts beside"),
        ({"churn/old/a.csv": "a\n"}, "s3://bucket/churn/", "s3://bucket/churn/: 'bucket/churn/o"),
        ({"a/p.csv": "a\n", "b/p.csv": "a\n"}, "s3://bucket/?/p.csv",
         "s3://bucket/?/p.csv: names objects of one name in several folders"),
        ({"c/a\\b.csv": "a\n"}, "s3://bucket/c/", "s3://bucket/c/: 'bucket/c/a\\\\b.csv' is n"),
        ({"c/..": "a\n"}, "s3://bucket/c/", "s3://bucket/c/: 'bucket/c/..' is no name for a file"),
        ({"churn/p1.csv": HEADER + "1,2,0\n"}, "s3://bucket/churn/",
         "s3://bucket/churn/p1.csv, line 2: has 3 fields, expected 4"),
        ({"churn/p1.csv": "a,b\n1,2\n"}, "s3://bucket/churn/*.csv",
         "s3://bucket/churn/p1.csv, line 1: has no column 'area'"),
        ({"churn/p9.parquet": "PAR1"}, "s3://bucket/churn/", "s3://bucket/churn/p9.parquet: is a"),
        ({}, "s3://key:secret@bucket/a.csv", "s3://...: holds credentials; put them into the env"),
        ({}, "https://127.0.0.1/a.csv?key=secret", "https://127.0.0.1/a.csv?...: holds a query"),
        ({}, "simplecache::s3://bucket/churn", "simplecache::s3://: expected a plain address"),
        ({}, "nostore://bucket/churn", "nostore://bucket/churn: cannot be fetched: Protocol not"),
    ],
)  # fmt: skip
def test_fault_125_an_address_of_no_parts_is_refused(
    cli: Cli, store: s3fs.S3FileSystem, objects: Mapping[str, str], url: str, message: str
) -> None:
    put(store, objects)
    said = refused(cli, url)
    assert said.startswith(message)
    assert "secret" not in said


def test_fault_126_a_store_that_refuses_is_told(
    cli: Cli, store: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", dead_server())
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert "s3://bucket/churn: cannot be fetched: Could not connect to the endpoint URL: " in (
        refused(cli, "s3://bucket/churn")
    )


def test_fault_126_credentials_that_are_missing_are_told(
    cli: Cli, store: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert "cannot be fetched: Unable to locate credentials" in refused(cli, "s3://bucket/churn")


def test_fault_126_the_extra_is_named_where_it_is_missing(
    cli: Cli, store: s3fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3")
    said = refused(cli, "s3://bucket/churn")
    assert "the library for s3:// is missing: pip install s3fs==" in said


@pytest.mark.parametrize("url", ["s3://bucket/churn", "s3://bucket/churn/p1.csv"])
def test_fault_123_objects_that_change_meanwhile_are_refused(
    store: s3fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """The listing is asked for anew, and has the hash of what another has just put there."""
    get = s3fs.S3FileSystem.get_file

    def changing(self: s3fs.S3FileSystem, key: str, *rest: Any, **how: Any) -> None:
        get(self, key, *rest, **how)
        if key.endswith("p1.csv"):
            put(store, {"churn/p1.csv": CHURN["churn/p1.csv"].replace("1", "2")})

    monkeypatch.setattr(s3fs.S3FileSystem, "get_file", changing)
    with pytest.raises(PipelineError, match=f"{url}: was changed while it was fetched"):
        fetched(url, tmp_path)


def test_a_name_that_is_a_path_is_refused_before_anything_is_fetched(
    cli: Cli, store: s3fs.S3FileSystem, tmp_path: Path
) -> None:
    before = every_file()
    words = ("add", "s3://bucket/churn", "--target", "price", "--name", "x/../../../elsewhere")
    code, _, errors = cli(*words)
    assert (code, errors.startswith("error: add: --name x/../../../elsewhere: expected a-z")) == (
        2,
        True,
    )
    assert every_file() == before


@pytest.mark.slow
def test_objects_go_to_dvc_and_come_again_as_the_same_bytes(
    store: s3fs.S3FileSystem, environment: Mapping[str, str], tmp_path: Path
) -> None:
    clone = clone_into(tmp_path / "cloned")
    add = "python -m pipeline add s3://bucket/churn/ --target price"
    clone.ok(add, **environment)
    folder, known = clone.folder / "data/raw/churn", clone.folder / "data/raw/churn.dvc"
    assert {f"churn/{path.name}": path.read_text() for path in folder.iterdir()} == CHURN
    assert clone.ok("git status --porcelain data/raw") == (
        "?? data/raw/.gitignore\n?? data/raw/churn.dvc\n"
    )
    first = known.read_bytes()
    clone.ok("git add -A && git commit -qm 'Add churn' && dvc repro validate@churn")
    assert "data/raw/churn" in (clone.folder / "dvc.lock").read_text()
    assert clone.ok("dvc status ingest@churn validate@churn").startswith(
        "Data and pipelines are up"
    )
    for key, text in CHURN.items():
        put_in_pieces(store, key, text.encode())
    clone.ok(f"python -m pipeline remove churn && {add}", **environment)
    assert known.read_bytes() == first
    (folder / "p1.csv").write_text("a,b\n1,2\n")
    failed = clone.run("dvc repro ingest@churn")
    assert failed.returncode != 0
    assert "error: ingest: data/raw/churn/p1.csv, line 1: has no column 'area'" in failed.stdout
