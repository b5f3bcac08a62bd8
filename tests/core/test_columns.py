"""Columns become features as scikit-learn's transformers make them, learned from training rows."""

import warnings
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from pipeline.core.columns import (
    CategoryColumn,
    Column,
    as_text,
    category,
    date,
    encode,
    feature_names,
    kinds,
    learn,
    number,
    read_raw,
)
from pipeline.core.errors import PipelineError
from pipeline.core.settings.split import DatePart
from pipeline.tracking.sklearn_model import encoder_of

WORDS = st.sampled_from(["a", "b", "c", "nan", "", "(missing)", "é"])
ORDER = ["low", "mid", "high"]
PARTS: list[DatePart] = ["month", "weekday", "hour"]
FORMS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ",
         "%Y-%m-%dT%H:%M:%S+0530", "%Y-%m-%d %H:%M-12:00"]  # fmt: skip


@st.composite
def iso_dates(draw: st.DrawFn) -> str:
    """From 1 to 9999, each in a form of its own, most near each other."""
    near = st.datetimes(datetime(1969, 12, 30), datetime(1970, 3, 2))
    moment = draw(near | st.datetimes())
    year, form = f"{moment.year:04}", draw(st.sampled_from(FORMS))  # %Y of 1 may be 1
    return moment.strftime(form.replace("%Y", year))


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, dict[str, Column]]:
    n = draw(st.integers(2, 30))

    def of(values: st.SearchStrategy[object]) -> list[object]:
        gaps = st.none() | values if draw(st.booleans()) else values
        return draw(st.lists(gaps, min_size=n, max_size=n))

    numbers = st.floats(-1e6, 1e6) | st.integers(-5, 5).map(float)
    least = draw(st.integers(1, 4))
    columns = {
        "x": (of(numbers), number(), pa.float64()),
        "word": (of(WORDS), category(least), pa.string()),
        "zip": (
            of(st.sampled_from([1.0, 2.5, -3.0, 9.0, 10.0])),
            category(least, numbers=True),
            pa.float64(),
        ),
        "size": (of(st.sampled_from(ORDER)), number(ORDER), pa.string()),
        "at": (of(iso_dates()), date(PARTS, least), pa.string()),
    }
    table = pa.table({name: pa.array(v, kind) for name, (v, _, kind) in columns.items()})
    return table, {name: one for name, (_, one, _) in columns.items()}


@settings(max_examples=40)
@given(made=tables(), data=st.data())
def test_features_are_those_of_scikit_learns_transformers(
    made: tuple[pa.Table, dict[str, Column]], data: st.DataObject
) -> None:
    table, columns = made
    raw = read_raw(table, columns, "here")
    train = np.array(data.draw(st.sets(st.integers(0, len(raw) - 1), min_size=1).map(sorted)))
    learned = learn(raw[train])
    X = encode(raw, learned)
    assert X.shape == (len(raw), len(feature_names(learned)))
    rows = {name: pd.Series(table[name].to_pylist(), dtype=object) for name in columns}
    numeric = {name: rows[name].astype(float) for name in ("x", "zip")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of categories that no training row has
        theirs = encoder_of(learned).transform(pd.DataFrame(rows | numeric))
    gaps = [name for name, one in learned.items() if not one.filled]
    assert not [n for n in gaps if table[n].null_count]
    np.testing.assert_array_equal(X, np.asarray(theirs, dtype=float))


@given(
    words=st.lists(st.sampled_from([*"abcd", None]), min_size=1, max_size=40),
    least=st.integers(1, 6),
)
def test_what_is_rare_is_what_scikit_learn_calls_infrequent(
    words: list[str | None], least: int
) -> None:
    table = pa.table({"w": pa.array(words, pa.string())})
    learned = learn(read_raw(table, {"w": category(least)}, "here"))["w"]
    assert isinstance(learned, CategoryColumn)
    theirs = OneHotEncoder(min_frequency=least, handle_unknown="infrequent_if_exist")
    theirs.fit(np.array([word or "gap" for word in words], dtype=object)[:, None])
    if learned.base is None:  # only gaps: no row says what they are to be told from
        assert not learned.features("w") or learned.gaps
        return
    infrequent = {*([] if (found := theirs.infrequent_categories_[0]) is None else found)}
    gap = {"gap"} if learned.rare_gaps else set()
    assert {*learned.rare} | gap == infrequent - {learned.base}
    assert sorted([*learned.own, *learned.rare, learned.base]) == sorted({*words} - {None})
    assert learned.gaps + learned.rare_gaps == (None in words)


@given(made=tables(), data=st.data())
def test_rows_that_do_not_train_teach_nothing(
    made: tuple[pa.Table, dict[str, Column]], data: st.DataObject
) -> None:
    table, columns = made
    kept = data.draw(st.integers(1, table.num_rows - 1))
    train = np.arange(kept)
    shuffled = table.slice(kept).take(data.draw(st.permutations(range(table.num_rows - kept))))
    other = pa.concat_tables([table.slice(0, kept), shuffled])
    one, two = (learn(read_raw(of, columns, "here")[train]) for of in (table, other))
    assert one == two
    assert kinds(one) == kinds(columns)


def test_a_category_that_no_training_row_has_is_as_the_rare_ones_or_the_most_frequent() -> None:
    def encoded(train: str, new: str) -> list[float]:
        table = pa.table({"w": [*train, new]})
        raw = read_raw(table, {"w": category(2)}, "here")
        X: list[list[float]] = encode(raw, learn(raw[np.arange(len(train))])).tolist()
        return X[-1]

    assert encoded("aaabbc", "z") == encoded("aaabbc", "c") == [0, 1]
    assert encoded("aaabb", "z") == encoded("aaabb", "a") == [0]


def test_categories_that_are_numbers_stand_in_the_order_of_numbers() -> None:
    """As OneHotEncoder has them; else 10 would take the weight of 9 in MLflow's model."""
    raw = read_raw(pa.table({"zip": [100, 100, 10, 9]}), {"zip": category(1, numbers=True)}, "here")
    learned = learn(raw)
    assert feature_names(learned) == ["zip=9", "zip=10"]
    theirs = encoder_of(learned).transform(pd.DataFrame({"zip": [9.0, 10.0]}))
    np.testing.assert_array_equal(theirs, [[1, 0], [0, 1]])


@given(
    st.lists(
        st.none()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-1e10, 1e10).map(lambda x: round(x, 3))
        | st.floats(-7, 18).map(lambda x: 10.0**x)
        | st.integers(-(2**53), 2**53).map(float)
    )
)
def test_numbers_are_written_as_python_writes_them_but_for_a_needless_point(
    values: list[float | None],
) -> None:
    texts = as_text(pa.chunked_array([values], pa.float64())).to_pylist()
    assert texts == [v if v is None else str(int(v)) if v == int(v) else repr(v) for v in values]
    whole = [v if v is None else int(v) for v in values if v is None or abs(v) < 2**63]
    assert as_text(pa.chunked_array([whole], pa.int64())).to_pylist() == [
        v if v is None else str(v) for v in whole
    ]


def test_two_features_of_one_kind_have_different_names() -> None:
    table = pa.table({"a": ["b=c", "x"] * 3, "a=b": ["c", "d"] * 3})
    raw = read_raw(table, {"a": category(1), "a=b": category(1)}, "here")
    assert feature_names(learn(raw)) == ["a=x", "a=b=d"]


def test_text_that_is_no_category_is_named() -> None:
    table = pa.table({"a": ["x", "y"]})
    with pytest.raises(PipelineError, match=r"here: column a is text: say what it is in split.col"):
        read_raw(table, {"a": number()}, "here")
    with pytest.raises(
        PipelineError, match=r"column a: 'y' is none of split.columns.a.order: x, z"
    ):
        read_raw(table, {"a": number(["x", "z"])}, "here")
