"""What happens to CSV files on their way: kinds of damage, and of harmless change."""

import gzip
from collections.abc import Callable
from random import Random

Lines = list[list[str]]
Change = Callable[[Random, Lines], str | bytes]


def text(lines: Lines, delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(line) + end for line in lines)


def place(random: Random, lines: Lines) -> tuple[int, int]:
    """A record, not the header, and one of its cells."""
    return random.randrange(1, len(lines)), random.randrange(len(lines[0]))


def with_cell(*cells: str) -> Change:
    """One cell becomes one of `cells`, in which {} stands for what it was."""

    def change(random: Random, lines: Lines) -> str:
        row, column = place(random, lines)
        lines[row][column] = random.choice(cells).format(lines[row][column])
        return text(lines)

    return change


def with_line(*inserted: str) -> Change:
    """One of `inserted` becomes a line behind the header."""

    def change(random: Random, lines: Lines) -> str:
        row, _ = place(random, lines)
        return text(lines[:row]) + random.choice(inserted) + "\n" + text(lines[row:])

    return change


def with_name(rename: Callable[[str, Lines], str]) -> Change:
    def change(random: Random, lines: Lines) -> str:
        column = random.randrange(len(lines[0]))
        lines[0][column] = rename(lines[0][column], lines)
        return text(lines)

    return change


def a_field_missing(random: Random, lines: Lines) -> str:
    row, column = place(random, lines)
    del lines[row][column]
    return text(lines)


def a_field_too_many(random: Random, lines: Lines) -> str:
    row, column = place(random, lines)
    lines[row].insert(column, random.choice(["", "1", "x"]))
    return text(lines)


def cut_off(random: Random, lines: Lines) -> str:
    del lines[-1][random.randrange(1, len(lines[0])) :]
    return text(lines).rstrip("\n")


def two_lines_joined(random: Random, lines: Lines) -> str:
    row = random.randrange(1, len(lines) - 1)
    lines[row] += lines.pop(row + 1)
    return text(lines)


def a_line_broken(random: Random, lines: Lines) -> str:
    row, _ = place(random, lines)
    column = random.randrange(1, len(lines[0]))
    lines[row : row + 1] = [lines[row][:column], lines[row][column:]]
    return text(lines)


def a_record_with_another_delimiter(random: Random, lines: Lines) -> str:
    row, _ = place(random, lines)
    lines[row] = [random.choice(";\t|").join(lines[row])]
    return text(lines)


def another_delimiter(random: Random, lines: Lines) -> str:
    return text(lines, random.choice(";\t|"))


def trailing_delimiters(random: Random, lines: Lines) -> str:
    return text(lines[:1]) + text([[*line, ""] for line in lines[1:]])


def utf_16(random: Random, lines: Lines) -> bytes:
    return text(lines).encode(random.choice(["utf-16", "utf-16-le", "utf-16-be"]))


def not_utf_8(random: Random, lines: Lines) -> bytes:
    raw = bytearray(text(lines).encode())
    raw.insert(random.randrange(len(text(lines[:1])), len(raw)), random.randrange(0x80, 0x100))
    return bytes(raw)


def zipped(random: Random, lines: Lines) -> bytes:
    packed = gzip.compress(text(lines).encode(), mtime=0)
    return packed[: random.randrange(len(packed) // 2, len(packed) + 1)]


def no_header(random: Random, lines: Lines) -> str:
    return text(lines[1:])


def cells_shifted(random: Random, lines: Lines) -> str:
    row, column = place(random, lines)
    lines[row] = [*lines[row][:column], "", *lines[row][column:-1]]
    return text(lines)


def a_column_lost(random: Random, lines: Lines) -> str:
    column = random.randrange(len(lines[0]))
    return text([line[:column] + line[column + 1 :] for line in lines])


def a_column_twice(random: Random, lines: Lines) -> str:
    column = random.randrange(len(lines[0]))
    return text([[*line, line[column]] for line in lines])


def decimal_commas(random: Random, lines: Lines) -> str:
    return text([[cell.replace(".", ",") for cell in line] for line in lines], ";")


def two_tables(random: Random, lines: Lines) -> str:
    return text(lines) + text(lines)


DAMAGE: dict[str, Change] = {
    "field missing": a_field_missing,
    "field too many": a_field_too_many,
    "cut off": cut_off,
    "lines joined": two_lines_joined,
    "line broken": a_line_broken,
    "delimiter of a record": a_record_with_another_delimiter,
    "delimiter": another_delimiter,
    "trailing delimiters": trailing_delimiters,
    "UTF-16": utf_16,
    "not UTF-8": not_utf_8,
    "zipped": zipped,
    "no header": no_header,
    "cells shifted": cells_shifted,
    "column lost": a_column_lost,
    "column twice": a_column_twice,
    "decimal commas": decimal_commas,
    "two tables": two_tables,
    "quote never closed": with_cell('"{}'),
    "stray quote": with_cell('{}"', '{}"x', '"{}"x', '{0}"{0}'),
    "NUL": with_cell("\0", "{}\0"),
    "word": with_cell("cheap", "O", "l5", "one"),
    "missing": with_cell("", "?", "NA", "null", "-", "#N/A", "."),
    "not finite": with_cell("nan", "NaN", "inf", "-Infinity", "1e400"),
    "grouped digits": with_cell("1_000", "1 000", '"1,000"', "1'000", "0x10", "007", "١٢"),
    "unit": with_cell("{}%", "${}", "{} m2", "{}kg", "~{}"),
    "padded": with_cell(" {}", "{} ", "\t{}", "\u00a0{}"),
    "out of range": with_cell("-1e9", "1e12", "-5"),
    "two numbers": with_cell("{0}-{0}", "{0}/{0}", "{0}e", "{}..1", "--{}"),
    "date": with_cell("2020-01-01", "12:30", "1.1.2020"),
    "formula": with_cell("=1+1", "@SUM(A1)", "=cmd|' /C calc'!A0"),
    "blank line": with_line("", "  "),
    "comment": with_line("# checked", "// no", "total"),
    "name blank": with_name(lambda name, lines: ""),
    "name of another case": with_name(lambda name, lines: name.upper()),
    "name padded": with_name(lambda name, lines: f" {name}"),
    "name twice": with_name(lambda name, lines: next(other for other in lines[0] if other != name)),
}


def quoted(random: Random, lines: Lines) -> str:
    return text([[f'"{cell}"' for cell in line] for line in lines])


def some_quoted(random: Random, lines: Lines) -> str:
    return text(
        [[f'"{cell}"' if random.random() < 0.1 else cell for cell in line] for line in lines]
    )


def other_ends(random: Random, lines: Lines) -> str:
    return text(lines, end=random.choice(["\r\n", "\r"]))


def mixed_ends(random: Random, lines: Lines) -> str:
    return "".join(text([line], end=random.choice(["\n", "\r\n", "\r"])) for line in lines)


def marked(random: Random, lines: Lines) -> bytes:
    return b"\xef\xbb\xbf" + text(lines).encode()


def no_last_end(random: Random, lines: Lines) -> str:
    return text(lines).rstrip("\n")


def other_digits(random: Random, lines: Lines) -> str:
    """Numbers written in another way: the same values."""
    for line in lines[1:]:
        for column, cell in enumerate(line):
            if "." in cell and "e" not in cell and random.random() < 0.2:
                line[column] = random.choice([f"{cell}0", f"{cell}e0", f"{cell}E+00", f"+{cell}"])
    return text(lines)


HARMLESS: dict[str, Change] = {
    "quoted": quoted,
    "some quoted": some_quoted,
    "line ends": other_ends,
    "mixed line ends": mixed_ends,
    "byte order mark": marked,
    "no last line end": no_last_end,
    "other digits": other_digits,
}
