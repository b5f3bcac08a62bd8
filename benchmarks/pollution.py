"""Damaged CSV files: read as meant, refused, or read wrongly; by this reader and its peers.

    python benchmarks/pollution.py [SEEDS]

The damages are of the kinds of the Pollock benchmark (G. Vitagliano et al., Pollock: A Data
Loading Benchmark, PVLDB 16, 2023), made here anew: two clean tables a seed (10 unless told), one of
numbers, one with words, dates and quotes; each file has one damage. A torn record is the header,
the first, a middle or the last row. A reader is told the clean file's dialect: commas, quotes, a
header line. Right is the clean table, or what stands there to the letter where that can be meant;
any other table is wrong: a name or value that is another, a row that is gone. duckdb takes part if
it is installed.
"""

import csv
import io
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from pipeline.core.errors import PipelineError
from pipeline.ingest.reader import CsvFile
from pipeline.ingest.table_file import read_rows

ROWS = 60
TORN = (0, 1, ROWS // 2, ROWS)
WORDS = ["oak", "elm, old", 'the "big" ash', "lime tree", "caf\xe9"]
LITERAL = ("delimiters , and blank", "quotes '")  # a table as it stands, too
Cells = list[list[str]]


class File(NamedTuple):
    """A damaged file, and the tables that it can mean: none where only a refusal is right."""

    kind: str
    text: str
    meant: list[Cells]
    encoding: str = "utf-8"


def tables(seed: int) -> list[Cells]:
    """Numbers alone; and words, dates and numbers."""
    rng = random.Random(seed)
    numbers = [
        [str(k), f"{rng.gauss(0, 1):.6f}", f"{rng.uniform(10, 99):.2f}", str(rng.randrange(2))]
        for k in range(ROWS)
    ]
    words = [
        [f"r{k}", WORDS[k % 5], f"2024-03-{k % 28 + 1:02d}", f"{rng.uniform(1, 30):.3f}"]
        for k in range(ROWS)
    ]
    return [[["a", "b", "c", "y"], *numbers], [["id", "name", "day", "height"], *words]]


def text(cells: Cells, **how: Any) -> str:
    """As RFC 4180 writes it, unless told."""
    out = io.StringIO()
    csv.writer(out, **{"lineterminator": "\n"} | how).writerows(cells)
    return out.getvalue()


def torn(cells: Cells) -> Iterator[File]:
    """One record is damaged."""
    lines = text(cells).splitlines()
    for at in TORN:
        line, last = lines[at], lines[at].rfind(",") + 1
        letter = [*cells[:at], ["\0" + cells[at][0], *cells[at][1:]], *cells[at + 1 :]]
        byte = [*cells[:at], [*cells[at][:-1], cells[at][-1] + "\udcff"], *cells[at + 1 :]]
        kinds: dict[str, tuple[str, list[Cells]]] = {
            "a field too many": (f"{line},7", []),
            "two fields too many": (f"{line},7,8", []),
            "a field too few": (line[: last - 1], []),
            "one field only": (line[: line.find(",")], []),
            "a delimiter at the end": (f"{line},", []),
            "a delimiter at the front": (f",{line}", []),
            "a delimiter doubled": (line.replace(",", ",,", 1), []),
            "a delimiter gone": (line.replace(",", "", 1), []),
            "a delimiter ;": (line.replace(",", ";", 1), []),
            "its delimiters ;": (line.replace(",", ";"), [cells]),
            "a quote at the front": (f'"{line}', [cells]),
            "a quote behind a cell": (line.replace(",", '",', 1), [cells]),
            "two quotes behind a cell": (line.replace(",", '"",', 1), [cells]),
            "a quote before the last cell": (f'{line[:last]}"{line[last:]}', [cells]),
            "a quote at the end": (f'{line}"', [cells]),
            "cut in two lines": (line.replace(",", ",\n", 1), [cells]),
            "written twice on a line": (f"{line},{line}", []),
            "a blank line above": (f"\n{line}", [cells]),
            "a comment above": (f"# note\n{line}", [cells]),
            "the header above": (f"{lines[0]}\n{line}", [cells]),
            "a NUL byte": (f"\0{line}", [cells, letter]),
            "a byte that is no UTF-8": (f"{line}\udcff", [byte]),
        }
        for kind, (damaged, meant) in kinds.items():
            yield File(kind, "\n".join([*lines[:at], damaged, *lines[at + 1 :], ""]), meant)


def written(cells: Cells) -> Iterator[File]:
    """All of the file is written otherwise, or something stands beside the table."""
    header, rows, clean = cells[0], cells[1:], text(cells)
    other = text([["k", "l"], ["1", "2"], ["3", "4"]])
    middle = clean.index("\n", len(clean) // 2)
    kinds = {
        "line ends CR LF": text(cells, lineterminator="\r\n"),
        "line ends CR": text(cells, lineterminator="\r"),
        "line ends LF CR": text(cells, lineterminator="\n\r"),
        "line ends 0x1e": text(cells, lineterminator="\x1e"),
        "line ends mixed": text(cells[:20], lineterminator="\r\n") + text(cells[20:]),
        "one line end CR": f"{clean[:middle]}\r{clean[middle + 1 :]}",
        "no line end at the end": clean.removesuffix("\n"),
        "delimiters ;": text(cells, delimiter=";"),
        "delimiters tab": text(cells, delimiter="\t"),
        "delimiters , and blank": clean.replace(",", ", "),
        "delimiters ,,": clean.replace(",", ",,"),
        "quotes '": text(cells, quotechar="'", quoting=csv.QUOTE_ALL),
        "all cells in quotes": text(cells, quoting=csv.QUOTE_ALL),
        "quotes escaped by \\": clean.replace('""', '\\"'),
        "quotes not doubled": clean.replace('""', '"'),
        "no header": text(rows),
        "the header thrice": text([header, header, *cells]),
        "a title above": f"Trees of the town\n{clean}",
        "a title and a blank line above": f"Trees of the town\n\n{clean}",
        "a note below": f"{clean}source: the town\n",
        "two tables": f"{clean}\n{other}",
        "two tables without a gap": clean + other,
        "the table twice": clean + clean,
    }
    for kind, body in kinds.items():
        letter = [line.split(",") for line in body.splitlines()] if kind in LITERAL else cells
        yield File(kind, body, [cells, letter])
    units = [header, ["kg", "m", "s", "m"], *rows]
    yield File("units below the header", text(units), [cells, units])
    yield from (File(f"in {code}", clean, [cells], code) for code in ("latin-1", "utf-16"))
    yield File("in utf-16 without a mark", clean, [cells], "utf-16-le")
    yield File("a byte order mark", f"\ufeff{clean}", [cells])
    yield File("two byte order marks", f"\ufeff\ufeff{clean}", [cells])
    for kind, names in {
        "a name too many": [*header, "z"],
        "a name too few": header[:-1],
        "a name twice": [header[0], *header[:-1]],
        "a name blank": [*header[:-1], ""],
    }.items():
        meant = [[names, *rows]] if len(names) == len(header) else []
        yield File(kind, text([names, *rows]), meant)
    yield File("the header alone", text([header]), [[header]])
    yield File("nothing", "", [])
    yield File("cut off within quotes", f'{clean}r,"oak', [])


def by_pandas(path: Path) -> Cells:
    frame = pd.read_csv(path)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    return [[*map(str, frame.columns)], *([*map(_cell, row)] for row in frame.to_numpy(object))]


def by_arrow(path: Path) -> Cells:
    return _cells(arrow_csv.read_csv(path))


def by_duckdb(path: Path) -> Cells:
    import duckdb  # type: ignore[import-not-found,unused-ignore]

    return _cells(
        duckdb.read_csv(str(path), header=True, sep=",", quotechar='"').fetch_arrow_table()
    )


def ours(path: Path) -> Cells:
    return _cells(read_rows(CsvFile(path)))


def _cells(table: pa.Table) -> Cells:
    columns = [column.to_pylist() for column in table.columns]
    return [table.column_names, *([*map(_cell, row)] for row in zip(*columns, strict=True))]


def _cell(value: object) -> str:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else str(value)


def same(found: Cells, meant: Cells) -> bool:
    """Whether names and values agree, numbers as numbers."""
    return (
        found[0] == meant[0]
        and len(found) == len(meant)
        and all(map(_equal, (c for r in found[1:] for c in r), (c for r in meant[1:] for c in r)))
    )


def _equal(found: str, meant: str) -> bool:
    try:
        return found == meant or float(found) == float(meant)
    except ValueError:
        return False


def outcome(reader: Callable[[Path], Cells], path: Path, file: File) -> str:
    """`right`, `refused` or `wrong`; our reader may refuse by its own errors alone."""
    try:
        found = reader(path)
    except PipelineError:
        return "refused"
    except Exception:
        if reader is ours:
            raise
        return "refused"
    return "right" if any(same(found, meant) for meant in file.meant) else "wrong"


def counts(seeds: int) -> dict[str, Counter[str]]:
    """By reader how many files came out how, and by kind in how many it was wrong."""
    readers = {"ours": ours, "pandas": by_pandas, "pyarrow": by_arrow}
    readers |= {"duckdb": by_duckdb} if find_spec("duckdb") else {}
    found = {name: Counter[str]() for name in readers}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "a.csv"
        for cells in (cells for seed in range(seeds) for cells in tables(seed)):
            for file in (*torn(cells), *written(cells)):
                errors = "surrogateescape" if file.encoding == "utf-8" else "strict"
                path.write_bytes(file.text.encode(file.encoding, errors))
                for name, reader in readers.items():
                    word = outcome(reader, path, file)
                    found[name][word] += 1
                    found[name][f"{word}: {file.kind}"] += 1
    return found


def main(seeds: int) -> None:
    """Print the table, and the kinds of which a reader took some file wrongly."""
    found = counts(seeds)
    print(f"{'':32}{'right':>8}{'refused':>9}{'wrong':>7}")
    for name, count in found.items():
        print(f"{name:32}{count['right']:8}{count['refused']:9}{count['wrong']:7}")
    print(f"\n{'wrong, by kind':32}" + "".join(f"{name:>9}" for name in found))
    kinds = {key.partition(": ")[2] for count in found.values() for key in count if ": " in key}
    for kind in sorted(kinds):
        wrong = [count[f"wrong: {kind}"] for count in found.values()]
        print(f"{kind:32}" + "".join(f"{n:9}" for n in wrong))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
