import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import PipelineError
from pipeline.core.target import target_values


def column(*values: object) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        (("No", "Yes", "No"), ["No", "Yes"], [0, 1, 0]),
        (("No", "Yes", "No"), ["Yes", "No"], [1, 0, 1]),
        ((-1, 1, 1), ["-1", "1"], [0, 1, 1]),
        ((2.0, 4.0), ["4", "2"], [1, 0]),
        ((0, 1, 1), ["malignant", "benign"], [0, 1, 1]),
        ((0.5, 1.5), None, [0.5, 1.5]),
        ((0.5, None), None, [0.5, np.nan]),
        (("No", None, "Yes"), ["No", "Yes"], [0, np.nan, 1]),
        ((-1, None, 1), ["-1", "1"], [0, np.nan, 1]),
    ],
)
def test_labels_are_matched_by_name_or_are_places(
    values: tuple[object, ...], classes: list[str] | None, expected: list[float]
) -> None:
    np.testing.assert_array_equal(target_values(column(*values), classes, "target"), expected)


@pytest.mark.parametrize(
    ("values", "classes", "said"),
    [
        (("No", "yes"), ["No", "Yes"], r"'yes' in some rows, expected .*: No, Yes \(did you mean"),
        (("a", "b"), None, "is text; a regression needs numbers"),
    ],
)
def test_a_target_that_cannot_be_taken_is_refused(
    values: tuple[object, ...], classes: list[str] | None, said: str
) -> None:
    with pytest.raises(PipelineError, match=said):
        target_values(column(*values), classes, "target")
