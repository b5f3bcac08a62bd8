#!/usr/bin/env bash
# openpyxl, read-only, leaves out rows and columns of a workbook that another program has written.
#
# Versions: openpyxl 3.1.5, Python 3.11; 2026-11-28.
#
# Behaviour: a sheet may state its extent (<dimension ref="A1"/>), which is a hint that programs need
# not keep: some write A1 before they know more, others forget it when rows are added. With
# `read_only=True`, the way to read a large workbook, openpyxl takes it for a limit and ends there,
# without a word; without read_only it reads all. `reset_dimensions()` has to be called before the
# rows are read.
#
# Output:
#   read_only: [('a',)]
#   read_only, reset_dimensions(): [('a', 'b'), (1, 2), (3, 4)]
#   not read_only: [('a', 'b'), (1, 2), (3, 4)]
#
# Why it matters: a table that is a part of itself trains a model all the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
pip install -qq openpyxl==3.1.5

cat > sheet.py <<'CODE'
import zipfile

import openpyxl

book = openpyxl.Workbook()
for row in (["a", "b"], [1, 2], [3, 4]):
    book.active.append(row)
book.save("whole.xlsx")
with zipfile.ZipFile("whole.xlsx") as source, zipfile.ZipFile("stated.xlsx", "w") as target:
    for name in source.namelist():
        target.writestr(name, source.read(name).replace(b'ref="A1:B3"', b'ref="A1"'))


def rows(reset=False, **how):
    sheet = openpyxl.load_workbook("stated.xlsx", **how).active
    if reset:
        sheet.reset_dimensions()
    return [*sheet.iter_rows(values_only=True)]


cut, reset, whole = rows(read_only=True), rows(reset=True, read_only=True), rows()
print("read_only:", cut)
print("read_only, reset_dimensions():", reset)
print("not read_only:", whole)
assert reset == whole == [("a", "b"), (1, 2), (3, 4)]
assert cut == [("a",)]
CODE
python sheet.py
