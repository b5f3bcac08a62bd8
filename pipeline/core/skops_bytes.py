"""An estimator as bytes in skops' format: the same bytes for the same estimator, and its own types.

skops names arrays by their place in memory and notes the time; here they are counted in order, and
have one time. What is loaded holds no type beside those that scikit_learn.TYPES has of it.
"""

import io
import json
from typing import Any
from zipfile import ZipFile, ZipInfo

from pipeline.core.errors import PipelineError
from pipeline.core.scikit_learn import trusted

SCHEMA = "schema.json"


def dumped(name: str, estimator: Any) -> bytes:
    """The bytes of a fitted estimator.

    Raises
    ------
    PipelineError
        When skops cannot hold it, or it holds other types.
    """
    import skops.io

    try:
        content = _in_order(skops.io.dumps(estimator))
        strange = {*skops.io.get_untrusted_types(data=content)} - {*trusted(name)}
    except PipelineError:
        raise
    except Exception as error:  # what skops raises of a type that it does not know
        said = " ".join(str(error).split())[:300]
        raise PipelineError(f"{name}: skops cannot hold it: {said}; take another") from None
    if strange:
        raise PipelineError(
            f"{name}: with these params it holds {', '.join(sorted(strange))}, which is not among "
            "the types that a file of it may hold (pipeline/core/scikit_learn.py: TYPES); take "
            "other params, or another"
        )
    return content


def loaded(name: str, content: bytes) -> Any:
    """The estimator of these bytes.

    Raises
    ------
    ValueError
        When they are damaged, or hold other types.
    """
    import skops.io

    try:
        return skops.io.load(io.BytesIO(content), trusted=trusted(name))
    except PipelineError:
        raise
    except Exception as error:  # what a damaged file raises is not foreseeable
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


def _in_order(content: bytes) -> bytes:
    """The same file with its objects counted in order, and of no time."""
    files, numbers, written = dict[str, str](), dict[int, int](), io.BytesIO()
    with ZipFile(io.BytesIO(content)) as found, ZipFile(written, "w") as result:
        schema = json.loads(found.read(SCHEMA))
        _number(schema, numbers, files)
        for before, after in files.items():
            result.writestr(ZipInfo(after), found.read(before))
        result.writestr(ZipInfo(SCHEMA), json.dumps(schema))
    return written.getvalue()


def _number(node: Any, numbers: dict[int, int], files: dict[str, str]) -> None:
    """Number objects and files as they come; numbers and texts, which may be shared, each time."""
    if isinstance(node, list):
        for one in node:
            _number(one, numbers, files)
    if not isinstance(node, dict):
        return
    if isinstance(place := node.get("__id__"), int):
        place = -len(numbers) if node.get("__loader__") == "JsonNode" else place
        node["__id__"] = numbers.setdefault(place, len(numbers) + 1)
    if isinstance(file := node.get("file"), str):
        suffix = file.rpartition(".")[2]
        node["file"] = files.setdefault(file, f"{len(files)}.{suffix}")
    for one in node.values():
        if isinstance(one, dict | list):
            _number(one, numbers, files)
