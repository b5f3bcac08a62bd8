"""Any params.yaml is read, or refused with one message that names it."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.core.errors import PipelineError
from pipeline.core.params import Params, parse_params
from tests.conftest import ROOT

COMMITTED = (ROOT / "params.yaml").read_text()
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["$(touch X)", "`id`", "../x", "!!python/name:os.system", "1_000", "no"])
    | st.lists(st.integers() | st.text(max_size=3), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2)
)


def keys(block: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    own = [(*above, name) for name in block]
    inner = [keys(v, (*above, name)) for name, v in block.items() if isinstance(v, dict)]
    return [*own, *(key for some in inner for key in some)]


KEYS = keys(YAML(typ="safe").load(COMMITTED))


def outcome(text: str) -> Params | str:
    try:
        return parse_params(text, "params.yaml")
    except PipelineError as error:
        assert error.exit_code == 2  # noqa: PT017
        return str(error)


@given(key=st.sampled_from(KEYS), value=ODD, rename=st.none() | st.text(max_size=5))
def test_a_changed_setting_is_taken_or_named(
    key: tuple[str, ...], value: object, rename: str | None
) -> None:
    yaml, block = YAML(typ="safe"), YAML(typ="safe").load(COMMITTED)
    inside = block
    for name in key[:-1]:
        inside = inside[name]
    if rename is None:
        inside[key[-1]] = value
    else:
        inside[rename] = inside.pop(key[-1])
    file = io.StringIO()
    yaml.dump(block, file)
    said = outcome(file.getvalue())
    assert isinstance(said, Params) or all(
        line.startswith(("params.yaml", "...")) for line in said.splitlines()
    ), said


@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_no_settings(text: str) -> None:
    assert isinstance(outcome(text), str)


@given(start=st.integers(0, len(COMMITTED)), length=st.integers(0, 40), new=st.text(max_size=5))
def test_a_damaged_file_is_taken_or_named(start: int, length: int, new: str) -> None:
    said = outcome(COMMITTED[:start] + new + COMMITTED[start + length :])
    assert isinstance(said, Params) or said.startswith("params.yaml"), said
