"""YAML that a person wrote: numbers, text, lists and mappings, and nothing else."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.events import AliasEvent


class _Composer(Composer):
    """Refuses aliases: ten lines of them are a billion values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "an alias (*) is not taken; write the value", mark)
        return super().compose_node(parent, index)


def load_yaml(text: str) -> Any:
    """Read YAML 1.2, as DVC does: PyYAML would take 1e-05, which `dvc exp run -S` writes, for text.

    Raises
    ------
    YAMLError, ValueError, RecursionError
        For text that is no YAML, a key that stands twice, a tag such as !!python/name, an alias.
    """
    reader = YAML(typ="safe", pure=True)
    reader.Composer = _Composer
    return reader.load(text)
