"""What files may be declared to be, beyond commas and one header line: each by a small file."""

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.dialect import Dialect
from pipeline.core.errors import PipelineError, PipelineWarning
from pipeline.ingest.reader import CsvFile
from tests.csv_file import read_csv

BLANKS = {"delimiter": "whitespace"}
NUMBERS: dict[str, Any] = {"delimiter": ";", "thousands": "."}
READ: dict[str, tuple[str, dict[str, Any], dict[str, list[Any]]]] = {
    "runs of blanks, padded": (" a   b \n 1\t 2\n3  4  \n", BLANKS, {"a": [1, 3], "b": [2, 4]}),
    "blanks and quotes": (
        ' "a b"  c\n "x  y" ""\n z 1\n',
        BLANKS,
        {"a b": ["x  y", "z"], "c": ["", "1"]},
    ),
    "escaped quotes": (
        'a,b\n"x \\"y\\", z",1\n"c:\\d\\\\",2\n',
        {"escape": "\\"},
        {"a": ['x "y", z', "c:\\d\\"], "b": [1, 2]},
    ),
    "an escaped quote at a line's end": (
        'a,b\n"x\\"\ny",1\n',
        {"escape": "\\"},
        {"a": ['x"\ny'], "b": [1]},
    ),
    "both quotes escaped": (
        "a,b\n'say \\\"x\\\", it\\'s',1\n",
        {"quote": "'", "escape": "\\"},
        {"a": ['say "x", it\'s'], "b": [1]},
    ),
    "row names without a name": (",a\nr1,1\nr2,2\n", {"row_names": True}, {"a": [1, 2]}),
    "row names that the header lacks": ('"a"\n"r1",1\n', {"row_names": True}, {"a": [1]}),
    "row names and declared names": ("r1,1\n", {"row_names": True, "header": ["a"]}, {"a": [1]}),
    "lines below the header": (
        "a,b\nm,kg\nx,\n1,2\n",
        {"skip_after_header": 2},
        {"a": [1], "b": [2]},
    ),
    "a header behind a mark": (
        "# made by hand\n#  a b\n1 2\n# done\n",
        BLANKS | {"comment": "#", "header": "commented"},
        {"a": [1], "b": [2]},
    ),
    "empty cells beside empty text": (
        'a,b\n,""\n1,x\n"NA",\n',
        {"missing": ["", "NA"], "quoted_missing": False},
        {"a": [None, "1", "NA"], "b": ["", "x", None]},
    ),
    "a blank line in a file of one column": (
        "a\n0.5\n\n0.25\n",
        {"missing": [""]},
        {"a": [0.5, None, 0.25]},
    ),
    "another minus": (
        "a,b\n\u22121,1e\u22122\n-2,1\n",
        {"minus": "\u2212"},
        {"a": [-1, -2], "b": [0.01, 1]},
    ),
    "thousands": (
        'a,b\n"1,234",1\n"-1,234,567.5",12\n"12",1\n',
        {"thousands": ","},
        {"a": [1234, -1234567.5, 12], "b": [1, 12, 1]},
    ),
    "points in groups": (
        "a;b\n1.234,5;1.5\n2,5;2\n",
        NUMBERS | {"decimal": ","},
        {"a": [1234.5, 2.5], "b": ["1.5", "2"]},
    ),
    "groups that are none": (
        "a;b\n1,23;0,123\n1,234;1\n",
        NUMBERS | {"thousands": ","},
        {"a": ["1,23", "1,234"], "b": ["0,123", "1"]},
    ),
    "units": (
        'p,q,r\n"$5,720",8.90%,5\n-$1,1 %,5%\n',
        {"thousands": ",", "units": {"p": "$", "q": "%", "r": "%"}},
        {"p": [5720, -1], "q": [8.9, 1.0], "r": ["5", "5%"]},
    ),
    "quoted decimal commas": (
        'a,b\n"13,6","48,9"\n"1,5",2\n',
        {"decimal": ","},
        {"a": [13.6, 1.5], "b": [48.9, 2.0]},
    ),
    "years as names": ("name,2019\na,1\n", {"header": True}, {"name": ["a"], "2019": [1]}),
    "one column of text": (
        "a b\nc,d\n",
        {"header": ["t"], "delimiter": ";"},
        {"t": ["a b", "c,d"]},
    ),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.csv"


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
@pytest.mark.parametrize("case", READ)
def test_what_is_declared_is_read(file: Path, case: str) -> None:
    text, declared, expected = READ[case]
    file.write_text(text, encoding="utf-8")
    assert read_csv(file, Dialect(**declared)).to_pydict() == expected


def test_what_is_left_out_is_said(file: Path) -> None:
    file.write_text(",a\nkind,m\n1,2\n")
    with pytest.warns(PipelineWarning) as said:
        read_csv(file, Dialect(row_names=True, skip_after_header=1))
    assert [str(warning.message).split(": ")[1] for warning in said] == [
        "1 lines below the header skipped, as declared",
        "1 column of row names skipped, as declared",
    ]


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a double blank": ('1.0 8 "a b"\n2.0 8  "c d"\n', {"delimiter": " ", "header": ["a", "b", "c"]},
                       "line 2: has 4 fields, expected 3"),
    "too few between blanks": ("a b\n1\n", BLANKS, "line 2: has 1 field, expected 2"),
    "both escapes": ('a,b\n"x""y",1\n', {"escape": "\\"}, "text stands behind the closing quote"),
    "a mark without a header": ("1 2\n", BLANKS | {"comment": "#", "header": "commented"},
                                "expected the header behind #"),
    "row names of another number": (",a\nr1,1,2\n", {"row_names": True}, "line 2: has 3 fields"),
    "a header again, of row names": ("a\nr1,1\na\n", {"row_names": True}, "line 3: repeats the"),
    "a bad cell behind a row name": (",a\nr1,\x00\n", {"row_names": True}, "column a: holds a NUL"),
    "a row of delimiters": ("a,b\n1,2\n,\n3,4\n", {}, "line 3: is blank but for its delimiters"),
    "a second mark": ("\ufeff\ufeffa,b\n1,2\n", {}, "begins with a second byte order mark"),
    "data for a header": ("1,a\n2,b\n", {}, "line 1: '1' is a number, expected a header"),
    "data that repeats, for a header": ("1,1\n2,3\n", {}, "line 1: '1' is a number"),
    "one column of text": ("a b\n1 2\n3 4\n", {}, "has one column, 'a b'"),
    "one quoted column of text": ('"a;b"\n"1;2"\n', {}, "has one column, 'a;b'"),
    "blank lines of one column": ("a\n0.5\n\n", {}, "line 3: is blank"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::pipeline.core.errors.PipelineWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(file: Path, case: str) -> None:
    text, declared, problem = REFUSED[case]
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError) as refused:
        read_csv(file, Dialect(**declared))
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"delimiter": "blanks"}, "expected one character"),
        ({"escape": '"'}, "escape: expected quotes"),
        ({"escape": "\\", "quote": None}, "escape: expected quotes"),
        ({"escape": ","}, "is the quote, the escape"),
        ({"decimal": ",", "quote": None}, "a sign of numbers, too"),
        ({"thousands": "."}, "is the decimal sign, too"),
        ({"units": {"a": "5%"}}, "without digits"),
        ({"units": {"a": "e2"}}, "without digits"),
        ({"header": "commented"}, "needs comment"),
        ({"header": ["a"], "skip_after_header": 1}, "declare skip_lines"),
    ],
)
def test_declarations_that_contradict_themselves(declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Dialect(**declared)


def test_a_byte_is_blamed_on_its_own_column(file: Path) -> None:
    file.write_bytes(b'a,b\n"x,y",\x96\n')
    with pytest.raises(PipelineError, match="line 2, column b: byte 7"):
        read_csv(file)


def test_a_quote_that_never_closes_is_named_where_it_opens(file: Path) -> None:
    file.write_text('a,b,c\n1,"x\ny","z\n2,3,4\n')
    with pytest.raises(PipelineError, match="line 3, column 3: opens a quote that never closes"):
        read_csv(file)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('2,"",3\n', "line 2, column 2: opens a quote that never closes"),
        ('"x\n","\n', "line 2, column b: text stands behind the closing quote"),
    ],
)
def test_open_quotes_cost_no_more_than_their_lines(file: Path, line: str, said: str) -> None:
    times = []
    for count in (4_000, 32_000):
        file.write_text('a,b,c\n1,"x,y\n' + line * count)
        start = time.process_time()
        with pytest.raises(PipelineError, match=said):
            [*CsvFile(file, advise=False).groups()]
        times.append(time.process_time() - start)
    assert times[1] < 40 * times[0]  # of quadratic work 64


def test_a_file_to_predict_may_have_the_names_that_are_declared(file: Path) -> None:
    file.write_text("a\n20\n30\n")
    records = CsvFile(file, Dialect(header=["a"]), "expected a file").records()
    assert [record.cells for record in records] == [["20"], ["30"]]
