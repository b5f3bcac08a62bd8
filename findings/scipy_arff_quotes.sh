#!/usr/bin/env bash
# scipy.io.arff keeps quotes and escapes of ARFF as parts of the values.
#
# Versions: scipy 1.17.1, Python 3.11; 2026-11-28.
#
# Behaviour: Weka writes a value with a quote in it as 'it\'s', and takes "it's" as well. scipy gives
# back it\s' and, where the declaration has quotes of both kinds, "it's" with its
# quotes: other values than the file has, without a word. A column in which only later rows are in
# quotes, as Weka writes values with blanks, ends in a ValueError. An integer beyond 2^53 is another
# one. What it does not read (strings, relational attributes, sparse rows) it refuses.
#
# Output:
#   'it\'s' -> b"it\\s'"
#   "it's" -> b'"it\'s"'
#   9007199254740993 -> 9007199254740992
#   x, then 'y z' -> 'y z' value not in ('x', 'y z')
#
# Why it matters: classes and categories are compared with what people write, and with CSV of the
# same table. OpenML and the UCI repository have thousands of files in ARFF.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq scipy==1.17.1

cat > arff.py <<'CODE'
import io

from scipy.io.arff import loadarff


def values(attribute, *rows):
    lines = ["@relation r", f"@attribute a {attribute}", "@attribute n numeric", "@data", *rows, ""]
    return [row[0] for row in loadarff(io.StringIO("\n".join(lines)))[0].tolist()]


escaped = values(r"{'it\'s',b}", r"'it\'s',1")[0]
double = values("{'a b',\"it's\"}", "'a b',1", '"it\'s",1')[1]
large = int(values("integer", "9007199254740993,1")[0])
try:
    said = str(values("{x,'y z'}", "x,1", "'y z',1"))
except ValueError as error:
    said = str(error)
print(r"'it\'s' ->", escaped)
print('"it\'s" ->', double)
print("9007199254740993 ->", large)
print("x, then 'y z' ->", said)
assert escaped == b"it\\s'" and double == b'"it\'s"' and large == 2**53
assert said == "'y z' value not in ('x', 'y z')"
CODE
python arff.py
