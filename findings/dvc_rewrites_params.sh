#!/usr/bin/env bash
# `dvc exp run -S lr=0.01` keeps the comments of params.yaml but those below a list, and changes lines
# that it was not asked about.
#
# Versions: DVC 3.67.1, ruamel.yaml 0.19.1, Python 3.11; 2026-11-28.
#
# Behaviour: the file is read and written as a whole. Flow mappings and texts that go beyond column
# 80 are wrapped, with a blank left at the end of the first line; quotes that are not needed go, null
# becomes nothing, True becomes true, repeated blanks become one. Comments stay, even aligned ones,
# so that a look at the top of the file shows nothing of it; a comment below the last item of a list
# goes, with the blank line, though it speaks of the next key. `-S lr=0.1`, which changes no value,
# does it too.
#
# Output, of `git diff --numstat params.yaml`, its added lines and the comments that go:
#   7 8 params.yaml
#   +lr: 0.01 # of every trainer
#   +house: {dataset: house, trainer: manual_gd, batch_size: 32, optimizer: momentum, 
#   +    lr: 0.3, epochs: 100}
#   +metric: mse
#   +missing:
#   +shuffle: true
#   +features: {random: 20}
#   -# All rows.
#
# Why it matters: a model on one line of params.yaml stays on one line only up to column 80; what a
# block says of itself stands inside of it, not above it, where a list may end; a diff against the
# commit, or a test that looks for a line of the file, sees edits that nobody made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
PATH="$folder/venv/bin:$PATH"
export DVC_NO_ANALYTICS=1
pip install -qq dvc==3.67.1 ruamel.yaml==0.19.1

git init -q project && cd project && dvc init -q
git config user.name you && git config user.email you@example.com
cat > params.yaml <<'YAML'
# Learning rate.
lr: 0.1 # of every trainer
house: {dataset: house, trainer: manual_gd, batch_size: 32, optimizer: momentum, lr: 0.3, epochs: 100}
metric: 'mse'
missing: null
shuffle: True
features: {random:   20}
classes:
- sick
- healthy

# All rows.
epochs: 100
YAML
printf 'stages:\n  a:\n    cmd: echo done > out\n    params: [lr]\n    outs: [out]\n' > dvc.yaml
git add -A && git commit -q -m start
dvc exp run -q -S lr=0.01 > said 2>&1

git diff --numstat params.yaml | tr '\t' ' ' | tee found
git diff -U0 params.yaml | grep -e '^+[^+]' -e '^-#' | tee -a found
cat > expected <<'TEXT'
7 8 params.yaml
+lr: 0.01 # of every trainer
+house: {dataset: house, trainer: manual_gd, batch_size: 32, optimizer: momentum, 
+    lr: 0.3, epochs: 100}
+metric: mse
+missing:
+shuffle: true
+features: {random: 20}
-# All rows.
TEXT
diff expected found
