"""A folder of parts is the table of one file of their rows, or is refused by its part."""

import gzip
import os
from collections.abc import Callable, Sequence
from hashlib import md5
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.dialect import Dialect, Table
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.core.settings.ingest import Ingest
from pipeline.core.tables import read_lines, read_rejected, read_table
from pipeline.core.text import load_yaml
from pipeline.ingest import fast
from pipeline.ingest.detect_table import detect_file
from pipeline.ingest.formats import opened_source
from pipeline.ingest.parts import opened_rows
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import write_rows
from tests.conftest import ROOT

CELLS = st.sampled_from(["1", "-2", "0.5", "1e3", "x", "007", '"a, b"', '"a\nb"', "é", "9" * 18])
FOLDER = "data/raw/churn"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of parts, as params.yaml would name it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / FOLDER).mkdir(parents=True)
    return Path(FOLDER)


def csv_parts(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def parquet_part(folder: Path, name: str, **columns: Any) -> None:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")


def ingested(folder: Path, **declared: Any) -> pa.Table:
    write_rows(Path("made"), opened_source(Ingest(source=str(folder), **declared)))
    return read_table(Path("made"))


def refused(folder: Path, *expected: str, **declared: Any) -> None:
    """Refused with these texts; an earlier table stays, and nothing is beside it."""
    Path("made").write_bytes(b"earlier")
    with pytest.raises(PipelineError) as error:
        ingested(folder, **(declared or {"csv": {}}))
    for text in expected:
        assert text in str(error.value)
    assert Path("made").read_bytes() == b"earlier"
    assert not [*Path().glob(".*")]


def places(path: Path) -> list[tuple[str, int]]:
    lines = read_lines(path)
    return [(lines.part(row), lines[row]) for row in range(pq.read_metadata(path).num_rows)]


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 11), max_size=4),
    packed=st.booleans(),
    block=st.integers(1, 60),
)
def test_parts_are_the_table_of_one_file(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]], cuts: list[int], packed: bool, block: int,
) -> None:  # fmt: skip
    base = tmp_path_factory.mktemp("parts")
    (base / "parts").mkdir()

    def text(some: Sequence[tuple[str, str]]) -> str:
        return "a,b\n" + "".join(f"{a},{b}\n" for a, b in some)

    bounds = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    expected = list[tuple[str, int]]()
    for k, (first, last) in enumerate(pairwise(bounds)):
        name, line = f"{k}.csv" + ".gz" * packed, 2
        data = text(rows[first:last]).encode()
        (base / "parts" / name).write_bytes(gzip.compress(data) if packed else data)
        for row in rows[first:last]:
            expected.append((name, line))
            line += 1 + "".join(row).count("\n")
    (base / "one.csv").write_text(text(rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "BLOCK", block)
        write_rows(base / "of_parts", opened_rows(base / "parts"))
        write_rows(base / "of_one", CsvFile(base / "one.csv"))
    made, one = read_table(base / "of_parts"), read_table(base / "of_one")
    assert made == one
    assert made.schema.types == one.schema.types
    assert places(base / "of_parts") == expected
    assert {part for part, _ in places(base / "of_one")} == {""}


def test_only_the_metadata_tell_parts_from_one_file(folder: Path) -> None:
    """Row groups are cut alike: the pages are the same bytes."""
    draw = np.random.default_rng(0)
    rows = [f"{a!r},{b}\n" for a, b in zip(draw.normal(size=70_000), range(70_000), strict=True)]
    csv_parts(folder, p0="a,b\n" + "".join(rows[:30_000]), p1="a,b\n" + "".join(rows[30_000:]))
    Path("one.csv").write_text("a,b\n" + "".join(rows))
    ingested(folder, csv={})
    write_rows(Path("one"), CsvFile(Path("one.csv")))
    ends = [pq.read_metadata(path) for path in ("made", "one")]
    pages = [
        Path(path).read_bytes()[: -8 - end.serialized_size]
        for path, end in zip(("made", "one"), ends, strict=True)
    ]
    assert pages[0] == pages[1]
    assert [ends[0].row_group(k).num_rows for k in range(2)] == [65_536, 4_464]
    first = Path("made").read_bytes()
    ingested(folder, csv={})
    assert Path("made").read_bytes() == first


@pytest.mark.parametrize("name", ["house", "breast_cancer"])
def test_a_single_file_keeps_its_bytes(tmp_path: Path, name: str) -> None:
    """Those that dvc.lock has: of a file that is one there is no word of parts."""
    [made] = load_yaml((ROOT / "dvc.lock").read_text())["stages"][f"ingest@{name}"]["outs"]
    write_rows(tmp_path / "made", CsvFile(ROOT / f"data/raw/{name}.csv"))
    assert md5((tmp_path / "made").read_bytes()).hexdigest() == made["md5"]


def test_parts_of_parquet_follow_their_names(folder: Path) -> None:
    parquet_part(folder, "part-2", a=[3], t=pa.array(["z"]).dictionary_encode())
    parquet_part(folder, "part-10", a=[1, 2], t=["x", "y"])
    parquet_part(folder, "part-3", a=pa.nulls(1), t=pa.nulls(1))
    table = ingested(folder, table={})
    assert table.to_pydict() == {"a": [1, 2, 3, None], "t": ["x", "y", "z", None]}
    assert places(Path("made")) == [
        ("part-10.parquet", 1), ("part-10.parquet", 2), ("part-2.parquet", 1),
        ("part-3.parquet", 1),
    ]  # fmt: skip


def test_a_type_that_only_all_parts_tell_is_read_again(folder: Path) -> None:
    csv_parts(folder, p0="a,b\n1,1\n", p1="a,b\n2.5,x\n")
    table = ingested(folder, csv={})
    assert table.to_pydict() == {"a": [1.0, 2.5], "b": ["1", "x"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,c\n1,2\n", "p1.csv, line 1: has no column 'b', and has 'c' besides"),
        ("a\n1\n", "p1.csv, line 1: has no column 'b'"),
        ("a,b,c\n1,2,3\n", "p1.csv, line 1: has 'c' besides"),
        ("b,a\n1,2\n", "p1.csv, line 1: has the columns in another order: 'b', 'a'"),
        ("1,2\n3,4\n", "p1.csv, line 1: has no column 'a', 'b', and has '1', '2' besides"),
        ("3,3\n3,4\n", "p1.csv, line 1: column 3 stands there twice"),
        ("a;b\n1;2\n", "p1.csv, line 1: has no column 'a', 'b', and has 'a;b' besides"),
        ("", "p1.csv: is empty; expected a header line and rows"),
    ],
)
def test_fault_120_a_part_with_other_columns_is_named(
    folder: Path, text: str, expected: str
) -> None:
    csv_parts(folder, p0="a,b\n1,2\n", p1=text, p2="a,b\n1,2\n")
    refused(folder, f"{folder}/{expected}", "the same columns in all parts", "the first is p0.csv")


def test_fault_120_every_part_with_other_columns_is_named(folder: Path) -> None:
    csv_parts(folder, p0="a,b\n1,2\n", p1="a\n1\n", p2="a,b\n1,2\n", p3="1,2\n")
    refused(folder, "p1.csv, line 1: has no column 'b'", "p3.csv, line 1: has no column 'a', 'b'")


def test_fault_120_parts_of_parquet_with_other_types_are_named(folder: Path) -> None:
    """Of other readers the first part decides: digits go, and text becomes another one."""
    parquet_part(folder, "p0", x=pa.array([1.5], pa.float32()), n=[1], t=["a"])
    parquet_part(folder, "p1", x=[0.1], n=[1], t=["a"])
    parquet_part(folder, "p2", x=pa.array([0.5], pa.float32()), n=["1"], t=[2])
    refused(
        folder,
        f"{folder}/p1.parquet: column x is of double, and of float in p0.parquet",
        f"{folder}/p2.parquet: column n is of string, and of int64 in p0.parquet",
        f"{folder}/p2.parquet: column t is of int64, and of string in p0.parquet",
        table={},
    )


@pytest.mark.parametrize("kind", ["csv", "table"])
def test_fault_121_a_part_without_rows_is_named(folder: Path, kind: str) -> None:
    for k in range(3):
        rows = [] if k == 1 else [1, 2]
        if kind == "csv":
            csv_parts(folder, **{f"p{k}": "".join(["a,b\n", *(f"{x},{x}\n" for x in rows)])})
        else:
            parquet_part(folder, f"p{k}", a=pa.array(rows, pa.int64()))
    end = "csv" if kind == "csv" else "parquet"
    refused(folder, f"{folder}/p1.{end}: has a header but no rows", **{kind: {}})


def test_fault_121_a_damaged_record_is_named_by_part_and_line(folder: Path) -> None:
    csv_parts(folder, p0="a,b\n1,2\n", p1="a,b\n1,2\n3\n5,6,7\n")
    refused(
        folder,
        f"{folder}/p1.csv, line 3: has 1 field, expected 2",
        f"{folder}/p1.csv, line 4: has 3 fields, expected 2",
    )


def test_records_that_are_set_aside_are_told_by_their_part(folder: Path) -> None:
    rows = [f"{k},{k}" for k in range(50)]
    csv_parts(
        folder, p0="\n".join(["a,b", *rows, ""]), p1="\n".join(["a,b", *rows[:7], "1", *rows, ""])
    )
    with pytest.warns(PipelineWarning, match=r"1 of 108 .*: line 9: of p1.csv: has 1 field"):
        table = ingested(folder, csv={"bad_records": {"set_aside": 0.05}})
    assert len(table) == 107
    [one] = read_rejected(Path("made"))
    assert (one.line, one.text) == (9, "1")
    assert one.reason.startswith("of p1.csv: has 1 field, expected 2")


def _none(folder: Path) -> str:
    return f"{folder}: has no parts; expected files NAME.csv"


def _mixed(folder: Path) -> str:
    csv_parts(folder, a="x,y\n1,2\n")
    parquet_part(folder, "b", x=[1], y=[2])
    return f"{folder}/b.parquet: is a Parquet file, and a.csv is a CSV file; expected parts of one"


def _other_kind(folder: Path) -> str:
    parquet_part(folder, "b", x=[1], y=[2])
    return f"{folder}: the parts are Parquet files, which csv says nothing of"


def _hidden(folder: Path) -> str:
    csv_parts(folder, a="x,y\n1,2\n", _b="x,y\n3,4\n")
    return f"{folder}/_b.csv: begins with _, so that others skip it"


def _no_end(folder: Path) -> str:
    csv_parts(folder, a="x,y\n1,2\n")
    (folder / "notes.txt").write_text("x,y\n")
    return f"{folder}/notes.txt: is no part: expected NAME.csv"


def _nested(folder: Path) -> str:
    csv_parts(folder, a="x,y\n1,2\n")
    (folder / "year=2024").mkdir()
    return f"{folder}/year=2024: is a folder; expected the parts beside each other"


def _file(folder: Path) -> str:
    folder.rmdir()
    folder.write_text("x,y\n1,2\n")
    return f"{folder}: is a file, expected a folder of parts"


def _missing(folder: Path) -> str:
    folder.rmdir()
    return f"{folder}: is missing; put the parts there"


@pytest.mark.parametrize(
    "make", [_none, _mixed, _other_kind, _hidden, _no_end, _nested, _file, _missing]
)
def test_fault_122_a_folder_that_is_not_parts_alone_is_refused(
    folder: Path, make: Callable[[Path], str]
) -> None:
    refused(folder, make(folder))


def test_what_programs_write_beside_parts_is_left_out_and_said(folder: Path) -> None:
    csv_parts(folder, a="x,y\n1,2\n")
    for name in ("_SUCCESS", ".a.csv.crc"):
        (folder / name).write_bytes(b"\0")
    with pytest.warns(PipelineWarning, match=r"churn: .a.csv.crc, _SUCCESS: no part, and left out"):
        assert len(ingested(folder, csv={})) == 1


def _grows(folder: Path) -> None:
    with (folder / "p1.csv").open("a") as file:
        file.write("5,6\n")


def _comes(folder: Path) -> None:
    csv_parts(folder, p2="a,b\n1,2\n")


def _goes(folder: Path) -> None:
    (folder / "p1.csv").rename("elsewhere.csv")


def _is_replaced(folder: Path) -> None:
    before = (folder / "p0.csv").stat()
    Path("new").write_text("a,b\n9,9\n")
    Path("new").replace(folder / "p0.csv")
    os.utime(folder / "p0.csv", ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [_grows, _comes, _goes, _is_replaced])
def test_fault_123_parts_that_change_meanwhile_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    csv_parts(folder, p0="a,b\n1,2\n", p1="a,b\n3,4\n")
    batches = CsvFile._batches

    def changing(file: CsvFile) -> Any:
        yield from batches(file)
        if file.path.name == "p1.csv":
            change(folder)

    monkeypatch.setattr(CsvFile, "_batches", changing)
    refused(folder, "while they were read" if change is _comes else "was changed while it was read")


def test_the_declaration_is_found_that_reads_all_parts(folder: Path) -> None:
    csv_parts(folder, p0="a;b\n1,5;x\n2,5;y\n", p1="a;b\n3,5;z\nNA;w\n")
    found = detect_file(folder)
    assert found.dialect == Dialect(delimiter=";", decimal=",", missing=["NA"])
    assert found.columns == {"a": True, "b": False}


def test_nan_in_any_part_of_parquet_is_declared(folder: Path) -> None:
    parquet_part(folder, "p0", a=[1.0])
    parquet_part(folder, "p1", a=[float("nan")])
    assert detect_file(folder).table == Table(missing=["nan"])


def test_fault_124_a_part_of_another_encoding_is_refused(folder: Path) -> None:
    csv_parts(folder, p1="a,b\n1,Köln\n", p2="a,b\n1,Rom\n")
    (folder / "p0.csv").write_bytes("a,b\n1,Köln\n".encode("cp1252"))
    with pytest.raises(PipelineError, match=r"p1.csv: is UTF-8, and p0.csv is latin-1"):
        detect_file(folder)
    (folder / "p0.csv").rename(folder / "p3.csv")
    with pytest.raises(PipelineError, match=r"p3.csv, line 2.*byte 4 \(0xf6\) is not UTF-8"):
        detect_file(folder)


@pytest.mark.parametrize("declared", [{}, {"csv": {}, "table": {}}])
def test_fault_122_the_kind_of_parts_is_declared(declared: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"is a folder of parts: declare either csv: \{\} or table"
    ):
        Ingest(source=FOLDER, **declared)
    with pytest.raises(ValueError, match="sheet go with a workbook alone"):
        Ingest(source=FOLDER, table={"sheet": "a"})


def test_memory_does_not_grow_with_parts(folder: Path) -> None:
    """One part is open at a time: what is given is gone before the next."""
    for k in range(8):
        parquet_part(folder, f"p{k}", a=np.arange(200_000) / 7)
    before = pa.total_allocated_bytes()
    seen = [pa.total_allocated_bytes() - before for _ in opened_rows(folder).groups()]
    assert len(seen) == 25
    assert max(seen) < 3 * max(seen[:6])
