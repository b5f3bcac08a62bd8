#!/usr/bin/env bash
# numpy takes the ISO 8601 date 20240131 for the first of January of the year 20,240,131.
#
# Versions: numpy 2.4.6, Python 3.11; 2026-11-28.
#
# Behaviour: numpy reads text as a datetime64 by ISO 8601, so its basic form without hyphens looks
# safe. It is a year of eight digits there, without a warning; Python's datetime reads it as it is
# meant. The words now and today are the moment of the call, so that the same rows give other
# numbers on another day. A cast of NaT to float gives -9.223372036854775808e18, and not nan.
#
# Output:
#   numpy 20240131 -> 20240131-01-01
#   Python 20240131 -> 2024-01-31
#   days since 1970: 7391836519
#   now is a date: True
#   NaT as a float: -9.223372036854776e+18
#
# Why it matters: a model that takes raw rows by numpy answers to each of these with a number, far
# from any that it was trained on. Text has to be held against a pattern before numpy sees it, and
# the number of NaT be turned into nan.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq numpy==2.4.6
cat > dates.py <<'PY'
from datetime import date

import numpy as np

day = np.array(["20240131"], dtype="datetime64[D]")
print("numpy 20240131 ->", day[0])
print("Python 20240131 ->", date.fromisoformat("20240131"))
print("days since 1970:", int(day.astype("int64")[0]))
print("now is a date:", not np.isnat(np.array(["now"], dtype="datetime64[s]")[0]))
print("NaT as a float:", float(np.array(["NaT"], dtype="datetime64[s]").astype(float)[0]))
PY
python -W error dates.py > said
cat said
diff said - <<'END'
numpy 20240131 -> 20240131-01-01
Python 20240131 -> 2024-01-31
days since 1970: 7391836519
now is a date: True
NaT as a float: -9.223372036854776e+18
END
