"""How a file is written, found out: what declaration reads it, or why none does."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.dialect import Dialect
from pipeline.core.errors import GAPS, PipelineError
from pipeline.ingest.detect import Unclear, detect
from pipeline.ingest.reader import CsvFile
from tests.csv_file import read_csv

TAB = "a\tb\tc\n1\t2\t3\n4\t5\t6\n"

FOUND: dict[str, tuple[str, dict[str, Any], dict[str, list[Any]] | None]] = {
    "plain": ("a,b\n1,x\n2,y\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "semicolons": ("a;b\n1;2\n", {"delimiter": ";"}, {"a": [1], "b": [2]}),
    "bars": ("a|b\n1|2\n", {"delimiter": "|"}, None),
    "colons": ("a:b\n1:2\n", {"delimiter": ":"}, {"a": [1], "b": [2]}),
    "blanks": ("a b\n1 2\n", {"delimiter": "whitespace"}, {"a": [1], "b": [2]}),
    "blanks without a header": (
        "2104 3 399900\n1600 3 329900\n",
        {"delimiter": "whitespace", "header": ["x1", "x2", "x3"]},
        {"x1": [2104, 1600], "x2": [3, 3], "x3": [399900, 329900]},
    ),
    "a double blank": (
        '18.0 8 130.0 "a b"\n14.0 8  220.0 "c d"\n',
        {"delimiter": "whitespace", "header": ["x1", "x2", "x3", "x4"]},
        None,
    ),
    "a double tab": (
        "a\tb\n1\t2\n3\t\t4\n",
        {"delimiter": "whitespace"},
        {"a": [1, 3], "b": [2, 4]},
    ),
    "Excel's first line": (
        "sep=;\nOne;Two\n1;2\n",
        {"delimiter": ";", "skip_lines": 1},
        {"One": [1], "Two": [2]},
    ),
    "row names": ("x,y\na,1,2\nb,3,4\n", {"row_names": True}, {"x": [1, 3], "y": [2, 4]}),
    "quoted row names": ('"x","y"\n"1",1,3\n', {"row_names": True}, {"x": [1], "y": [3]}),
    "an index": (",x\n0,5\n1,6\n", {"row_names": True}, {"x": [5, 6]}),
    "quotes at every end": ('"x";"y"\n"1";"2"\n', {"delimiter": ";"}, {"x": [1], "y": [2]}),
    "a delimiter in a quoted name": ('"a;b",c\n"1;2",3\n', {}, {"a;b": ["1;2"], "c": [3]}),
    "no header": ("1,1\n2,3\n", {"header": ["x1", "x2"]}, {"x1": [1, 2], "x2": [1, 3]}),
    "no header, and words": ("1,english\n2,german\n", {"header": ["x1", "x2"]}, None),
    "dates for names": (
        "place,lat,1/22/20,1/23/20\nx,1.5,0,1\ny,2.5,1,2\n",
        {},
        {"place": ["x", "y"], "lat": [1.5, 2.5], "1/22/20": [0, 1], "1/23/20": [1, 2]},
    ),
    "years": (
        "name,2019,2020\na,1,2\n",
        {"header": True},
        {"name": ["a"], "2019": [1], "2020": [2]},
    ),
    "a header behind a mark": (
        "# a,b\n1,2\n",
        {"comment": "#", "header": "commented"},
        {"a": [1], "b": [2]},
    ),
    "a percent sign in a name": ("%new,x\n1,2\n", {}, {"%new": [1], "x": [2]}),
    "a note": ("# note\na;b\n1;2\n", {"delimiter": ";", "comment": "#"}, {"a": [1], "b": [2]}),
    "two things at once": (
        '"x";1\n# note\n"y";2\n',
        {"delimiter": ";", "comment": "#", "header": ["x1", "x2"]},
        {"x1": ["x", "y"], "x2": [1, 2]},
    ),
    "titles": (
        ",,\nSales by region,,\nregion,units,price\n1,2,3\n",
        {"skip_lines": 2},
        {"region": [1], "units": [2], "price": [3]},
    ),
    "titles of one cell": (
        "Prices\nof 2020\n\na,b\n1,2\n",
        {"skip_lines": 3},
        {"a": [1], "b": [2]},
    ),
    "units": (
        "unit,kg\nm,kg\n1.2,3\n2.1,4\n",
        {"skip_after_header": 1},
        {"unit": [1.2, 2.1], "kg": [3, 4]},
    ),
    "Orange": (
        "y,x\nc,d\nclass,\n1,a\n2,b\n",
        {"skip_after_header": 2},
        {"y": [1, 2], "x": ["a", "b"]},
    ),
    "one column with a gap": ("x\n0.5\n\n0.25\n", {"missing": [""]}, {"x": [0.5, None, 0.25]}),
    "blank lines": ("a,b\n1,2\n\n3,4\n", {"skip_blank_lines": True}, {"a": [1, 3], "b": [2, 4]}),
    "a row of gaps": (
        "a,b\n1,2\n,\n3,4\n",
        {"missing": [""]},
        {"a": [1, None, 3], "b": [2, None, 4]},
    ),
    "markers": ("a,b\n1,?\nNA,2\n", {"missing": ["NA", "?"]}, {"a": [1, None], "b": [None, 2]}),
    "empty text": (
        'a,b\n,""\n1,x\n',
        {"missing": [""], "quoted_missing": False},
        {"a": [None, 1], "b": ["", "x"]},
    ),
    "decimal commas": (
        "a;b\n1,5;x\n2;y\n",
        {"delimiter": ";", "decimal": ","},
        {"a": [1.5, 2], "b": ["x", "y"]},
    ),
    "quoted decimal commas": (
        'temp,humid\n"13,6","48,9"\n"1,25","3"\n',
        {"decimal": ","},
        {"temp": [13.6, 1.25], "humid": [48.9, 3]},
    ),
    "thousands": (
        "a;price\n1;2,666\n2;3,108\n3;4,497\n4;498\n5;9,021\n6;11,110",
        {"delimiter": ";", "thousands": ","},
        {"a": [1, 2, 3, 4, 5, 6], "price": [2666, 3108, 4497, 498, 9021, 11110]},
    ),
    "thousands below 0": (
        "a;b\n\u22121,234;1\n2,345;2\n",
        {"delimiter": ";", "thousands": ",", "minus": "\u2212"},
        {"a": [-1234, 2345], "b": [1, 2]},
    ),
    "units behind numbers": (
        "a,b,c\n12 kg,1.5m\u00b2,12a\n7 kg,2m\u00b2,7a\n",
        {"units": {"a": "kg", "b": "m\u00b2"}},
        {"a": [12, 7], "b": [1.5, 2], "c": ["12a", "7a"]},
    ),
    "units with a power": (
        "a,b\n55 m2,1e3kg/m3\n1e2 m2,2kg/m3\n",
        {"units": {"a": "m2"}},
        {"a": [55, 100], "b": ["1e3kg/m3", "2kg/m3"]},
    ),
    "thousands below 0 with a unit": (
        "a;b\n-$1,234;1\n$12,300;2\n",
        {"delimiter": ";", "thousands": ",", "units": {"a": "$"}},
        {"a": [-1234, 12300], "b": [1, 2]},
    ),
    "thousands in quotes": (
        'p\n"1,000.5"\n"2,000.5"\n',
        {"thousands": ","},
        {"p": [1000.5, 2000.5]},
    ),
    "thousands without a header": (
        '"1,000.5"\n"2,000.5"\n',
        {"thousands": ",", "header": ["x1"]},
        None,
    ),
    "one comma": ("a;b\n1;1,234\n2;3\n", {"delimiter": ";"}, {"a": [1, 2], "b": ["1,234", "3"]}),
    "percent": ("a,b\n8.90%,1\n5%,2\n", {"units": {"a": "%"}}, {"a": [8.9, 5], "b": [1, 2]}),
    "money": (
        'p,q\n"$5,720",1\n"$6,100",2\n',
        {"thousands": ",", "units": {"p": "$"}},
        {"p": [5720, 6100], "q": [1, 2]},
    ),
    "another minus": ("a,b\n\u22121,2\n2,3\n", {"minus": "\u2212"}, {"a": [-1, 2], "b": [2, 3]}),
    "padding": ("a, b\n1, 2\n3, 4\n", {"strip_spaces": True}, {"a": [1, 3], "b": [2, 4]}),
    "single quotes": ("a,b\n'x,y',1\n'z',2\n", {"quote": "'"}, {"a": ["x,y", "z"], "b": [1, 2]}),
    "an apostrophe": ("a,b\ndon't,1\n'tis,2\n", {}, {"a": ["don't", "'tis"], "b": [1, 2]}),
    "escapes": ('a,b\n"say \\"x\\", y",1\n', {"escape": "\\"}, {"a": ['say "x", y'], "b": [1]}),
    "bare quotes": (
        'a\tb\nx "y"\t1\n',
        {"delimiter": "\t", "quote": None},
        {"a": ['x "y"'], "b": [1]},
    ),
    "times": (
        "time\n10:30\n11:45\n",
        {"header": ["time"], "skip_lines": 1},
        {"time": ["10:30", "11:45"]},
    ),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
@pytest.mark.parametrize("case", FOUND)
def test_the_declaration_is_found(file: Path, case: str) -> None:
    text, declared, expected = FOUND[case]
    file.write_text(text, encoding="utf-8")
    found = detect(file)
    assert found.dialect.model_dump(exclude_defaults=True) == {
        key: value for key, value in declared.items() if (key, value) != ("header", True)
    }
    assert ("header" in found.dialect.model_fields_set) == ("header" in declared)
    if expected:
        assert read_csv(file, found.dialect).to_pydict() == expected


UNCLEAR: dict[str, tuple[str, str]] = {
    "nothing": ("", "is empty"),
    "a header alone": ("a,b\n", "has a header but no rows"),
    "one column of text": (
        "name\nalice smith\nbob jones\n",
        "has one column, 'name', and it is text",
    ),
    "one column of words": ("t\nabc\nd\n", "has one column, 't', and it is text"),
    "a ragged tab file": (
        TAB + "1\t2\n" + TAB[6:],
        "line 4 (row 3): has 2 fields, expected 3 as above (the file looks tab",
    ),
    "quotes that are not doubled": (
        'a,"b"\n1,"x"y"\n2,"z"\n',
        "line 2 (row 1): text stands behind the closing quote",
    ),
    "a header again": ("x\n0.25\nx\n0.5\n", "line 3: repeats the header"),
    "another table": ("a,b\n1,2\n\nc\n3\n", "line 3: is blank, and another table begins behind it"),
    "delimiters at the ends": (
        "a,b\n1,2,\n3,4,\n",
        "a delimiter stands at the end of every record; remove it",
    ),
    "a name too few": ("a,b\n5,1,2\n9,3,4\n", "line 2: has 3 fields, expected 2 as in the header"),
    "names twice": ("a,a\nx,1\n", "line 1: column a stands there twice"),
    "a gap for a name": ("NA,a\n0,b\n", "'NA' is no name"),
    "a number beside names": ("x,y,5\n1,2,6\n3,4,7\n", "'5' is no name, beside names"),
    "a title of words above tabs": (
        "Made by hand\na\t0\t1\t2\nb\t1\t2\t3\n",
        "has one column",
    ),
    "a comment or a row": ("a,b\n1,2\n#3,4\n#,#,#\n", "may be a comment or a row"),
    "Markdown": ("a|b\n---|---\n1|2\n", "a table of Markdown"),
    "a split record": ("a,b\n1,2\n3\r,4\n5,6\n" * 3, "line 3 ends with a lone carriage return"),
    "psql": (
        " a | b \n---+---\n 1 | 2\n(1 row)\n",
        "a table drawn by psql: export it by \\copy, or psql --csv",
    ),
    "mysql": ("+---+---+\n| a | b |\n+---+---+\n| 1 | 2 |\n", "a table drawn by mysql"),
    "a total": ("a,b\n1,2\n3,4\nTotal: 2\n", "line 4 (row 3): has 1 field, expected 2"),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_why_none_is_certain(file: Path, case: str) -> None:
    text, reason = UNCLEAR[case]
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError) as unclear:
        detect(file)
    assert reason in str(unclear.value)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    for name, inside, what in (
        ("a", "a.csv", "a zip archive"),
        ("b", "xl/book.xml", "Excel workbook"),
    ):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(inside, "a,b\n1,2\n")
        path = tmp_path / f"{name}.csv"
        path.write_bytes(packed.getvalue())
        with pytest.raises(PipelineError, match=what) as refused:
            read_csv(path)
        assert "UTF-8" not in str(refused.value)
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(PipelineError, match=r"name it b\.csv\.gz"):
        detect(path)


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (b"a,b\nx \x96 y,1\n", "cp1252"),
        (b"a,b\n\xe9,1\n", "latin-1"),
        (b"a,b\n\x81,1\n", "latin-1"),
        ("a,b\né,1\n".encode("utf-16"), "utf-16"),
        ("a,b\né,1\n".encode(), "utf-8"),
        (b"a,b\n" + b"x,1\n" * 40_000 + b"\x96,1\n", "cp1252"),
    ],
)
def test_the_encoding_is_that_of_all_of_the_file(file: Path, raw: bytes, encoding: str) -> None:
    file.write_bytes(raw)
    assert detect(file).dialect.encoding == encoding


def test_what_comes_behind_the_head_is_looked_at(file: Path) -> None:
    file.write_text("a,b,c\n" + "1,2,x\n" * 15_000 + "NA,x,y\n")
    found = detect(file)
    assert found.dialect == Dialect(missing=["NA"])
    assert found.columns == {"a": True, "b": False, "c": False}
    assert found.notes == [
        "column b is text: 'x' is no finite number (where it means none, declare "
        f'missing: ["NA", "x"]; {GAPS})'
    ]
    file.write_text("a,b\n" + "1,2\n" * 18_000 + "\n1,2\n")
    assert detect(file).dialect.skip_blank_lines
    file.write_text("a,b\n" + "1,2\n" * 18_000 + "1\n")
    with pytest.raises(Unclear, match="line 18002: has 1 field, expected 2"):
        detect(file)


@pytest.mark.parametrize("cell", ["2e308", "Inf", "-inf", "007"])
def test_a_cell_that_makes_text_of_numbers_is_said_and_never_missing(file: Path, cell: str) -> None:
    file.write_text(f"a,b\nNA,1\n1,1\n2,2\n3,3\n{cell},4\n")
    found = detect(file)
    assert found.dialect.missing == ["NA"]  # though the column stays text
    assert found.notes == [f"column a is text: '{cell}' is no finite number"]


def test_what_is_declared_is_kept(file: Path) -> None:
    file.write_text("a;b\n1;-9\n2;x\n")
    found = detect(file, Dialect(delimiter=";", missing=["-9", "x"]))
    assert found.dialect == Dialect(delimiter=";", missing=["-9", "x"])
    found = detect(file, Dialect(delimiter="|", missing=["x"]))
    assert found.block == 'csv: {delimiter: ";", missing: ["x"]}'


REFUSED = {
    "a;b\n1;2\n": 'declare csv: {delimiter: ";"} (params.yaml',
    '"x","y"\n"1",1,3\n': "declare csv: {row_names: true} (",
    '"x";"y"\n"1";"2"\n': 'declare csv: {delimiter: ";"} (',
    "a b\n1 2\n": 'declare csv: {delimiter: "whitespace"} (',
    "1,1\n2,3\n": 'declare csv: {header: ["x1", "x2"]} (',
    "1,a\n2,b\n": 'declare csv: {header: ["x1", "x2"]} (',
    "x,y\nr1,1,3\nr2,2,4\n": "declare csv: {row_names: true} (",
    "x\n0.5\n\n0.25\n": 'declare csv: {missing: [""]} (',
    "# a,b\n1,2\n": 'declare csv: {header: "commented", comment: "#"} (',
    "# note\na;b\n1;2": 'declare csv: {delimiter: ";", comment: "#"} (',
    "a:b\n1:2": 'declare csv: {delimiter: ":"} (',
    "sep=;\nOne;Two\n1;2": 'declare csv: {delimiter: ";", skip_lines: 1} (',
    ",,\nSales by region,,\nregion,units,price\n1,2,3": "declare csv: {skip_lines: 2} (",
    "a,b\n1,2\n,\n3,4\n": 'declare csv: {missing: [""]} (',
    '"x";1\n# note\n"y";2\n': 'declare csv: {delimiter: ";", header: ["x1", "x2"], comment: "#"} (',
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_refusal_shows_the_whole_block_that_would_read_the_file(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(PipelineError) as refused:
        read_csv(file)
    assert REFUSED[text] in str(refused.value)


def test_a_refusal_advises_nothing_where_nothing_is_certain(file: Path) -> None:
    for text in ('a,"b"\n1,"x"y"\n2,"z"\n', "a,b\n1,2\n3\n", "a,b\n"):
        file.write_text(text)
        with pytest.raises(PipelineError) as refused:
            read_csv(file)
        assert "the file looks" not in str(refused.value)


def test_a_header_that_stands_again_is_no_missing_value(file: Path) -> None:
    file.write_text("title\na,b\n1,2\n3,4\na,b\n5,6\n")
    with pytest.raises(PipelineError, match="line 5: repeats the header") as refused:
        CsvFile(file, Dialect(skip_lines=1)).groups().__next__()
    assert "missing" not in str(refused.value)
    assert "expected" not in str(refused.value)


def test_a_gap_in_the_only_column_is_not_to_be_skipped(file: Path) -> None:
    file.write_text("x\n0.5\n\n0.25\n")
    with pytest.raises(PipelineError, match=r'or declare missing: \[""\]') as refused:
        read_csv(file)
    assert "skip_blank_lines" not in str(refused.value)
