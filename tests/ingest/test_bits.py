"""Places as bits, against Python's own integers, which have as many bits as asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest import bits as module
from pipeline.ingest.bits import Bits, before, behind, bits, count, parity, places

TEXTS = st.text("ab", max_size=300).map(str.encode)


def of(text: bytes) -> Bits:
    return bits(np.frombuffer(text, np.uint8), ord("a"))


def as_integer(found: Bits) -> int:
    return sum(int(word) << 64 * k for k, word in enumerate(found))


@given(text=TEXTS, tile=st.sampled_from([8, 64, 1024]))
def test_bits_stand_for_places(text: bytes, tile: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TILE", tile)
        found = of(text)
    expected = [k for k, one in enumerate(text) if one == ord("a")]
    assert as_integer(found) == sum(1 << k for k in expected)
    assert places(found).tolist() == expected
    assert count(found) == len(expected)


@given(text=TEXTS, first=st.sampled_from([0, 1]))
def test_bits_move_from_word_to_word(text: bytes, first: int) -> None:
    found, size = of(text), 64 * len(of(text))
    assert as_integer(before(found)) == as_integer(found) >> 1
    if text:
        expected = (as_integer(found) << 1 | first) % (1 << size)
        assert as_integer(behind(found, first)) == expected


@given(text=TEXTS)
def test_parity_counts_the_bits_up_to_each(text: bytes) -> None:
    marks = [text[: k + 1].count(b"a") % 2 for k in range(64 * len(of(text)))]
    assert as_integer(parity(of(text))) == sum(odd << k for k, odd in enumerate(marks))
