#!/usr/bin/env bash
# pyarrow makes other floats of decimals than the nearest: a fifth of all prices move by a digit.
#
# Versions: pyarrow 25.0.1, Python 3.11; 2026-11-28.
#
# Behaviour: `cast(pa.float64())` of a decimal128 multiplies the integer behind it by a power of ten,
# 0.01, which no float is, in place of dividing by 100. Of 10,000 numbers with two places 1,350 or so
# become a float beside the nearest; with four places every third. The cast to text, and from text
# to float64, is right for all. No option or warning tells the two apart; `safe=True` is the default.
#
# Output:
#   3600425.53 -> 3600425.5300000003
#   1355 of 10000 are not the nearest float; by way of text 0
#
# Why it matters: a column of money in Parquet or out of a database, read as float64, is not the
# column that the same table has as CSV: equal rows are no longer equal, checksums and scores differ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq pyarrow==25.0.1

cat > cast.py <<'CODE'
import random
from decimal import Decimal

import pyarrow as pa

one = Decimal("3600425.53")
print(one, "->", pa.array([one]).cast(pa.float64())[0])
draw = random.Random(0)
values = [Decimal(draw.randrange(10**9)).scaleb(-2) for _ in range(10_000)]
prices = pa.array(values, pa.decimal128(20, 2))


def wrong(found):
    pairs = zip(values, found.to_pylist(), strict=True)
    return sum(float(str(value)) != number for value, number in pairs)


of_text = wrong(prices.cast(pa.string()).cast(pa.float64()))
direct = wrong(prices.cast(pa.float64()))
print(direct, "of 10000 are not the nearest float; by way of text", of_text)
assert direct > 100 and of_text == 0
CODE
python cast.py
