#!/usr/bin/env bash
# Arrow's strptime makes 2 March of 31 February, without an error.
#
# Versions: pyarrow 25.0.1, Python 3.11, glibc 2.36; 2026-11-28.
#
# Behaviour: pyarrow.compute.strptime takes a day that its month does not have and counts on into the
# next month: 31.02.2020 is 2 March, 30.02.2021 is 2 March, 31.04.2021 is 1 May. error_is_null=True
# does not help, since there is no error. Day 32 is one. Blanks in front of a cell are passed
# over, and %Y takes 20 for the year 20. Python's own strptime refuses all of these.
#
# Output:
#   31.02.2020 -> 2020-03-02
#   30.02.2021 -> 2021-03-02
#   31.04.2021 -> 2021-05-01
#   32.01.2021 -> None
#    01.02.2021 -> 2021-02-01
#   01.02.20 -> 0020-02-01
#   Python refuses 6 of 6
#
# Why it matters: a mistyped date becomes another day, and nothing tells. The shape of each cell has
# to be looked at besides, and the day that was read compared with the one that stands there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq pyarrow==25.0.1
cat > dates.py <<'PY'
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

cells = ["31.02.2020", "30.02.2021", "31.04.2021", "32.01.2021", " 01.02.2021", "01.02.20"]
read = pc.strptime(pa.array(cells), "%d.%m.%Y", "s", error_is_null=True).cast(pa.date32())
for cell, day in zip(cells, read.cast(pa.string()).to_pylist()):
    print(cell, "->", day)


def refused(cell):
    try:
        datetime.strptime(cell, "%d.%m.%Y")
    except ValueError:
        return True
    return False


print("Python refuses", sum(map(refused, cells)), "of", len(cells))
PY
python dates.py > said
cat said
diff said - <<'END'
31.02.2020 -> 2020-03-02
30.02.2021 -> 2021-03-02
31.04.2021 -> 2021-05-01
32.01.2021 -> None
 01.02.2021 -> 2021-02-01
01.02.20 -> 0020-02-01
Python refuses 6 of 6
END
