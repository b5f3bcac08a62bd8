#!/usr/bin/env bash
# Two skops files of one fitted model differ, in one process and without any randomness.
#
# Versions: skops 0.16.0, scikit-learn 1.9.1, numpy 2.4.6, Python 3.11; 2026-11-27.
#
# Behaviour: a skops file is a zip file of schema.json and one .npy a array. The names of these
# files, and every `__id__` in schema.json, are addresses in memory, and each member of the zip
# carries the time of its writing. The weights are the same to the last bit.
#
# Output:
#   bytes equal: False
#   weights equal: True
#   schema equal without addresses: True
#
# Why it matters: a pipeline whose outputs are hashed (DVC, a registry, a signature) cannot keep a
# skops file among them: every run would be new. Either the ids are renumbered and the times set, or
# what is hashed is another file and the skops file is only published.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq skops==0.16.0 scikit-learn==1.9.1 numpy==2.4.6

cat > dump.py <<'PY'
import io
import re
import zipfile

import numpy as np
from sklearn.linear_model import LinearRegression
from skops.io import dumps, loads

x = np.arange(6.0)[:, None]
model = LinearRegression().fit(x, 2 * x[:, 0] + 1)
first, second = dumps(model), dumps(model)
print("bytes equal:", first == second)
print("weights equal:", np.array_equal(loads(first).coef_, loads(second).coef_))


def schema(content: bytes) -> str:
    text = zipfile.ZipFile(io.BytesIO(content)).read("schema.json").decode()
    return re.sub(r'("__id__": |")\d{9,}', r"\1X", text)


print("schema equal without addresses:", schema(first) == schema(second))
PY
python dump.py | tee found
diff - found <<'TEXT'
bytes equal: False
weights equal: True
schema equal without addresses: True
TEXT
