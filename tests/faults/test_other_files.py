"""Rows 108 to 110 and 116 of docs/reliability.md: files that are misnamed, damaged or hostile.

They are looked at as `add` does: by `detect_file`.
"""

import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from pipeline.core.errors import PipelineError
from pipeline.ingest.detect_table import detect_file

TABLE = "a,b\n" + "".join(f"{k},{k % 3}\n" for k in range(20))
ARFF = "@relation r\n@attribute a numeric\n@attribute b {x,'y z',\"it's\"}\n@data\n1,x\n"
FRAME = pd.DataFrame({"a": [0.5, 1.5, 2.5], "b": ["x", "y", "x"]})
SHEET, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"
# A workbook names no entity. Expat follows none to another file, and ends where they grow.
ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + k)} "{10 * f"&{chr(97 + k)};"}">' for k in range(8))
    + "]>"
)


def packed(path: Path, files: Mapping[str, str | bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def workbook(path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["a", "b"], *([k, f"word {k % 3}"] for k in range(20))):
        book.active.append(row)
    book.save(path)


def rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of a workbook."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    packed(path, files | {part: change(files[part])})


def refused(path: Path) -> str:
    with pytest.raises(PipelineError) as error:
        detect_file(path)
    return str(error.value).replace(f"{path}", path.name)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": TABLE, "b.csv": TABLE}, "has 2 files in it ('a.csv', 'b.csv'), expected one"),
        ({"a.csv": TABLE, "README.txt": ""}, "has 2 files in it ('a.csv', 'README.txt')"),
        ({}, "has 0 files in it (none), expected one CSV file: pack it alone"),
        ({"a.csv.gz": b"x"}, "has 'a.csv.gz' in it, expected a CSV file: unpack it"),
        ({"a.zip": b"PK"}, "has 'a.zip' in it, expected a CSV file: unpack it"),
        ({"a.xlsx": b"PK"}, "has 'a.xlsx' in it, expected a CSV file: unpack it"),
        ({"a.parquet": b"PAR1"}, "has 'a.parquet' in it, expected a CSV file: unpack it"),
        ({"a.txt": ARFF}, "is an ARFF file: unpack it, and name it NAME.arff, and its source too"),
        ({"a.csv": ""}, "is empty; expected a header line and rows"),
    ],
)
def test_fault_109_an_archive_of_something_else(
    tmp_path: Path, files: dict[str, str | bytes], message: str
) -> None:
    packed(tmp_path / "a.zip", files)
    assert refused(tmp_path / "a.zip").startswith(f"a.zip: {message}")


def test_fault_109_an_archive_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    packed(path, {"a.csv": TABLE})
    good = path.read_bytes()
    path.write_bytes(good[:-30])
    assert refused(path) == "a.zip: is no zip archive, or damaged; fetch it again"
    compressed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)
    compressed.writestr("a.csv", TABLE)
    compressed.close()
    good = path.read_bytes()
    path.write_bytes(good[:36] + bytes([good[36] ^ 255]) + good[37:])
    assert refused(path) == "a.zip: is damaged, or no .zip archive; fetch it again"
    (tmp_path / "a.csv.gz").write_text(TABLE)
    assert refused(tmp_path / "a.csv.gz").endswith("is damaged, or no .gz archive; fetch it again")


BYTES = {
    "text": TABLE.encode(),
    "html": b"<html><table><tr><td>1</td></tr></table></html>\n",
    "json": b'[{"a": 1, "b": 2},\n{"a": 3, "b": 4}]\n',
    "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "sas": bytes(12) + b"\xc2\xea\x81\x60" + bytes(600),
    "feather": b"ARROW1\0\0" + bytes(600),
    "sqlite": b"SQLite format 3\0" + bytes(600),
    "arff": ARFF.encode(),
    "ods": b"PK\x03\x04" + bytes(26)
    + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
}  # fmt: skip


@pytest.mark.parametrize(
    ("holds", "name", "message"),
    [
        ("text", "a.xlsx", "is not an Excel workbook, as its name says; it looks like text: name"),
        ("text", "a.sav", "is not a file of SPSS, as its name says; it looks like text: name it"),
        ("ole", "a.xlsx", "is an old Excel workbook, or one with a password: save it as .xlsx"),
        ("ole", "a.xls", "is an old Excel workbook, or one with a password: save it as .xlsx"),
        ("ods", "a.ods", "is an OpenDocument spreadsheet: save it as .xlsx"),
        ("html", "a.xls", "is a page of HTML or XML: open it in Excel, and save it as .xlsx"),
        ("json", "a.json", "is JSON: write it as CSV or Parquet"),
        ("sas", "a.sas7bdat", "is a data set of SAS: export it as .xpt, or CSV"),
        ("feather", "a.feather", "is a Feather file: write it as Parquet"),
        ("sqlite", "a.db", "is a database of SQLite: ask it by `add --query`"),
        ("arff", "a.csv", "is an ARFF file: name it NAME.arff, and its source too"),
    ],
)
def test_fault_108_another_kind_of_file_is_named(
    tmp_path: Path, holds: str, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(BYTES[holds])
    assert refused(tmp_path / name).startswith(f"{name}: {message}")


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.parquet": lambda path: pq.write_table(pa.Table.from_pandas(FRAME), path),
    "a.xlsx": workbook,
    "a.sav": lambda path: pyreadstat.write_sav(FRAME, path),
    "a.dta": lambda path: pyreadstat.write_dta(FRAME, path),
    "a.xpt": lambda path: pyreadstat.write_xport(FRAME, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_fault_108_and_115_a_file_by_another_name(tmp_path: Path, name: str) -> None:
    """As CSV it is named, without an end it is read, cut off it is refused."""
    path = tmp_path / name
    WRITERS[name](path)
    found = detect_file(path)
    path.rename(tmp_path / "a.csv")
    assert f": name it NAME{path.suffix}, and its source too" in refused(tmp_path / "a.csv")
    (tmp_path / "a.csv").rename(tmp_path / "noend")
    if name != "a.dta" or b"<stata_dta>" in (tmp_path / "noend").read_bytes()[:20]:
        assert detect_file(tmp_path / "noend") == found
    path.write_bytes((tmp_path / "noend").read_bytes()[:-100])
    assert path.name in refused(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITERS, "a.arff", "a.zip"])
def test_fault_108_a_damaged_file_is_read_or_refused(tmp_path: Path, name: str) -> None:
    path, draw = tmp_path / name, random.Random(name)
    if name in WRITERS:
        WRITERS[name](path)
    elif name == "a.zip":
        packed(path, {"a.csv": TABLE})
    else:
        path.write_text(ARFF)
    good, messages = path.read_bytes(), list[str]()
    for _ in range(100):
        at, length = draw.randrange(len(good)), draw.choice([0, 1, 8, 100])
        path.write_bytes(good[:at] + draw.randbytes(draw.choice([0, 1, 8])) + good[at + length :])
        try:
            detect_file(path)
        except PipelineError as error:
            messages.append(str(error))
    assert len(messages) > 20
    assert all(path.name in message for message in messages)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        (SHEET, lambda xml: xml[: len(xml) // 2], "ParseError"),
        (SHEET, lambda xml: xml.replace(b'<row r="9"', b'<row r="99999999"'), "rows behind 10485"),
        (SHEET, lambda xml: xml.replace(b'r="A3"', b'r="ZZZZZ3"'), "not a valid column name"),
        (SHEET, lambda xml: xml.replace(b"<v>7</v>", b"<v>1e999</v>"), "Sheet!A9: inf, expected a"),
        (SHEET, lambda xml: xml.replace(b"<v>7</v>", b"<v>x</v>"), "invalid literal"),
        (SHEET, lambda xml: xml.replace(b't="n"><v>7<', b't="s"><v>7<'), "IndexError"),
        (BOOK, lambda xml: b"", "Error"),
        (
            SHEET,
            lambda xml: ENTITIES.encode() + xml.replace(b"<v>7<", b"<v>&i;<"),
            "limit",
        ),
        (
            SHEET,
            lambda xml: (
                b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
                + xml.replace(b"word 1", b"&a;")
            ),
            "undefined entity",
        ),
    ],
)
def test_fault_110_a_workbook_that_is_damaged_or_hostile(
    tmp_path: Path, part: str, change: Callable[[bytes], bytes], message: str
) -> None:
    workbook(tmp_path / "a.xlsx")
    rewritten(tmp_path / "a.xlsx", part, change)
    assert message in refused(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ARFF + "1,w\n", "line 6, column b: 'w', expected one of its values, as declared"),
        (ARFF + "x,x\n", "line 6, column a: 'x', expected a finite number, as declared"),
        (ARFF + "1e999,x\n", "line 6, column a: '1e999', expected a finite number, as declared"),
        (ARFF.replace("b {", "a {"), "above line 4: column a stands there twice"),
        (ARFF.removesuffix("1,x\n"), "is empty behind line 4; expected rows"),
    ],
)
def test_fault_116_a_file_that_breaks_its_declarations(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "a.arff").write_text(text)
    assert message in refused(tmp_path / "a.arff")


def test_a_byte_that_is_not_utf_8_is_named_where_names_are_declared(tmp_path: Path) -> None:
    (tmp_path / "a.arff").write_bytes(ARFF.encode() + b"2,'\xf6'\n")
    assert refused(tmp_path / "a.arff").startswith("a.arff, line 6, column b: byte 4 (0xf6) is not")


def test_an_attribute_file_of_windows_is_read(tmp_path: Path) -> None:
    rows = "2,'y z'\n3, \"it's\"\n".replace('"', "'").replace("it's", "it\\'s")
    (tmp_path / "a.arff").write_text("\ufeff" + ARFF + rows, newline="\r\n")
    assert detect_file(tmp_path / "a.arff").columns == {"a": True, "b": False}
