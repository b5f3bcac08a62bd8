"""Places in a text as bits, 64 to a word: what a mask of bytes tells, in an eighth of the passes.

Bit k of word j stands for byte 64 j + k; bits behind the end of the text are 0.
"""

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
TILE = 2**17  # bytes that stay in the processor's cache
ALL = ~np.uint64(0)


def bits(codes: NDArray[np.uint8], wanted: int) -> Bits:
    """The places of a byte."""
    found: Bits = np.zeros(-(-len(codes) // 64), np.uint64)
    packed = found.view(np.uint8)
    for k in range(0, len(codes), TILE):
        tile = np.packbits(codes[k : k + TILE] == wanted, bitorder="little")
        packed[k // 8 : k // 8 + len(tile)] = tile
    return found


def places(of: Bits) -> NDArray[np.intp]:
    """The places whose bits are set."""
    return np.flatnonzero(np.unpackbits(of.view(np.uint8), bitorder="little").view(np.bool_))


def count(of: Bits) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(of).sum(dtype=np.intp))


def behind(of: Bits, first: int = 0) -> Bits:
    """The places right behind those; `first` is the bit of the first place."""
    found = of << np.uint64(1)
    found[1:] |= of[:-1] >> np.uint64(63)
    found[:1] |= np.uint64(first)
    return found


def before(of: Bits) -> Bits:
    """The places right before those."""
    found = of >> np.uint64(1)
    found[:-1] |= of[1:] << np.uint64(63)
    return found


def parity(of: Bits) -> Bits:
    """The places up to which, with themselves, an odd number of bits are set: inside of quotes.

    By exclusive or of all bits below: within a word by doubling shifts, then from word to word.
    """
    found = of.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        found ^= found << shift
    odd = np.bitwise_xor.accumulate(found >> 63)
    found[1:] ^= odd[:-1] * ALL
    return found
