"""A dataset put into the text of params.yaml, and taken out of it: every other character stays.

ruamel's own writer would rewrite indents and blanks that it finds unusual. Here the text is cut at
the marks of its parser; the result is read again, and must say what was meant, before anyone sees
it. What `inserted` puts there `removed` takes away to the byte.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.commands.yaml_text import lines_of
from pipeline.core import layout
from pipeline.core.errors import PipelineError
from pipeline.core.params import parse_params
from pipeline.core.settings.dataset import Dataset
from pipeline.core.text import load_yaml

Place = tuple[str, ...]  # keys, from the top of params.yaml
DATASETS = ("datasets",)
STEP = 2  # columns of an indent
WIDTH = 80 - 2 * STEP  # of a model's line


class Entry(NamedTuple):
    """A dataset's block, or a model's line.

    Attributes
    ----------
    mapping : tuple of str
        Where it goes: ("datasets",), ("models", "direct") or ("models", "gradient").
    key : str
        NAME, or DATASET-NAME.
    lines : list of str
        What stands there, without the indent; the first begins with the key.
    """

    mapping: Place
    key: str
    lines: Sequence[str]


class Splice(NamedTuple):
    """Where, until where, and what comes there instead."""

    start: int
    end: int
    new: str


def dataset_entry(name: str, block: Mapping[str, Any], comment: str) -> Entry:
    """A dataset's block with a comment, below a blank line.

    `dvc exp run -S` drops a comment below a list, such as the end of the block above.
    """
    start, *lines = lines_of({name: block})
    return Entry(DATASETS, name, ["", start, f"  # {comment}", *lines])


def model_entry(group: str, name: str, line: Mapping[str, Any]) -> Entry:
    """A model, in one line; in several where `dvc exp run -S` would cut it into lines."""
    text = f"{name}: {{{', '.join(lines_of(line))}}}"
    lines = [text] if len(text) <= WIDTH else lines_of({name: line})
    return Entry(("models", group), name, [*lines])


def inserted(text: str, entries: Iterable[Entry]) -> str:
    """A params.yaml with entries behind the last ones of their mappings.

    Parameters
    ----------
    text : str
        The file as it is, line ends included.
    entries : iterable of Entry

    Raises
    ------
    PipelineError
        For a file that is not valid, and where that cannot be done safely, as it is written.
    """
    expected = parse_params(text, str(layout.PARAMS)).model_dump()
    by_mapping = groupby(sorted(entries), key=lambda entry: entry.mapping)
    splices = list[Splice]()
    with safely("add the dataset"):
        file = _File(text)
        for mapping, some in by_mapping:
            new = [*some]
            splices += file.insertions(mapping, new)
            for entry in new:
                [value] = load_yaml("\n".join(entry.lines)).values()
                if mapping == DATASETS:
                    value = Dataset.model_validate(value).model_dump()
                _at(expected, mapping)[entry.key] = value
        return spliced(text, splices, expected)


def removed(text: str, dataset: str) -> str:
    """A params.yaml without a dataset and its models, and the comments right above them.

    Raises
    ------
    PipelineError
        As `inserted`.
    """
    params = parse_params(text, str(layout.PARAMS))
    expected, gone = params.model_dump(), dict[Place, list[str]]({DATASETS: [dataset]})
    for group, lines in params.models:
        gone["models", group] = [key for key, line in lines.items() if line.dataset == dataset]
    splices = list[Splice]()
    with safely("remove the dataset"):
        file = _File(text)
        for mapping, keys in gone.items():
            splices += file.removals(mapping, keys)
            for key in keys:
                del _at(expected, mapping)[key]
        return spliced(text, splices, expected)


@contextlib.contextmanager
def safely(what: str) -> Iterator[None]:
    """Tell of what cannot be edited what to do by hand."""
    try:
        yield
    except (LookupError, TypeError, ValueError):  # of a merge key, a tag, a mapping in one line
        raise PipelineError(
            f"{layout.PARAMS}: cannot be edited safely as it is written; {what} by hand"
        ) from None


def _at(content: Any, mapping: Place) -> Any:
    for key in mapping:
        content = content[key]
    return content


def spliced(text: str, splices: Sequence[Splice], expected: Any) -> str:
    """The text with its splices, which must say what is expected then.

    Raises
    ------
    ValueError
        Where it does not.
    """
    result, before = text, len(text)
    for start, end, new in sorted(splices, reverse=True):
        result = result[:start] + new + result[min(end, before) :]
        before = start
    if _typed(parse_params(result, str(layout.PARAMS)).model_dump()) != _typed(expected):
        raise ValueError("it says something else")
    return result


def _typed(content: Any) -> Any:
    """The content with the type of each value beside it: 1, 1.0 and true are equal otherwise."""
    if isinstance(content, dict):
        return {key: _typed(value) for key, value in content.items()}
    return [*map(_typed, content)] if isinstance(content, list) else (type(content), content)


class _File:
    """A params.yaml by its marks.

    Parameters
    ----------
    text : str
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = "\r\n" if "\r\n" in text else "\n"
        self._root: Any = YAML(typ="safe", pure=True).compose(text)

    def insertions(self, mapping: Place, entries: Sequence[Entry]) -> list[Splice]:
        """New entries behind the last of a mapping; an empty one becomes a block."""
        name, block = self._found(mapping)
        if block.value:
            column, splices, place = block.start_mark.column, [], self._end(block)
        else:
            column = name.start_mark.column + STEP
            colon, place = self._colon(name), self._line_end(block.end_mark.index)
            splices = [Splice(colon, block.end_mark.index, "")]
        lines = [" " * column * bool(line) + line for entry in entries for line in entry.lines]
        if place and self._text[place - 1] != "\n":  # the file ends there, without a line break
            return [*splices, Splice(place, place, "".join(self._ends + line for line in lines))]
        return [*splices, Splice(place, place, "".join(line + self._ends for line in lines))]

    def removals(self, mapping: Place, keys: Sequence[str]) -> list[Splice]:
        """Entries taken out; where none is left, the mapping is written as {}."""
        if not keys:
            return []
        name, block = self._found(mapping)
        first, of_keys = block.value[0][0], [pair for pair in block.value if pair[0].value in keys]
        splices = [self._removal(key, value, key is first) for key, value in of_keys]
        if len(of_keys) == len(block.value):
            colon = self._colon(name)
            splices.append(Splice(colon, colon, " {}"))
        return splices

    def _removal(self, key: Any, value: Any, first: bool) -> Splice:
        """With the comments right above it, and a blank line above these, or below the first."""
        column, start = key.start_mark.column, self._line_start(key.start_mark.index)
        end = self._entry_end(value, column)
        while (above := self._line_above(start)) is not None:
            line = self._text[above:start]
            if not (line.startswith(" " * column + "#")):
                break
            start = above
        above = self._line_above(start)
        below = self._line_end(end)
        if above is not None and not self._text[above:start].strip():
            start = above
        elif first and end < below and not self._text[end:below].strip():
            end = below
        if end == len(self._text) and self._text[end - 1] != "\n":
            start -= len(self._ends)
        return Splice(start, end, "")

    def _found(self, mapping: Place) -> tuple[Any, Any]:
        """The nodes of a mapping's name, and of the mapping: a block, or nothing.

        Raises
        ------
        ValueError
            For one in braces.
        """
        name, block = None, self._root
        for key in mapping:
            name, block = next(pair for pair in block.value if pair[0].value == key)
        if block.value and block.flow_style:
            raise ValueError("in braces")
        return name, block

    def _end(self, block: Any) -> int:
        """Where the last entry of a block mapping ends, with comments that are indented deeper."""
        return self._entry_end(block.value[-1][1], block.start_mark.column)

    def _entry_end(self, value: Any, column: int) -> int:
        end: int = _last(value).end_mark.index
        if self._text[end - 1] != "\n":  # a text of several lines ends behind its line break
            end = self._line_end(end)
        line = end
        while line < len(self._text):
            start, line = line, self._line_end(line)
            text = self._text[start:line]
            bare = text.lstrip(" ")
            if bare.startswith("#") and len(text) - len(bare) > column:
                end = line
            elif bare.strip():
                break
        return end

    def _colon(self, name: Any) -> int:
        """Behind the colon of a key."""
        return self._text.index(":", name.end_mark.index) + 1

    def _line_start(self, index: int) -> int:
        return self._text.rfind("\n", 0, index) + 1

    def _line_above(self, start: int) -> int | None:
        return self._line_start(start - 1) if start else None

    def _line_end(self, index: int) -> int:
        """Behind the line break."""
        found = self._text.find("\n", index)
        return len(self._text) if found < 0 else found + 1


def _last(node: Any) -> Any:
    """The last node in a node that has no end of its own on its last line: a block."""
    if isinstance(node.value, list) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last(last[1] if isinstance(last, tuple) else last)
    return node
