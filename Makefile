# make repro   set up .venv and run the whole pipeline
# make test    set up .venv and run the whole test suite
# make test-all  that, and the long simulations
# make check   the fast part of it, for people at work
# make kills   kill dvc, its stages and their processes 200 times (KILLS=200); dvc repro has to mend all (an hour)
# make fuzz    damage the real files and write random ones, 30 times as many as in the suite
# make clean   remove data, models and MLflow's store; keeps .venv, DVC's cache and experiments
.PHONY: repro lint test test-all check kills fuzz clean setup packages
# The first of these that fits makes .venv, unless it is there.
PYTHON ?= python3 python3.11 python3.12 python3.13 python3.14
FITS := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
# A process that died is not begun anew: it would run into the same test again, eight times.
TWO := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
RUN := PATH="$(CURDIR)/.venv/bin:$$PATH"

repro: setup
	$(RUN) dvc repro
	@$(RUN) python -m pipeline results
	@echo
	@echo "Next:  source .venv/bin/activate"
	@echo "  mlflow ui                     compare the runs, at http://127.0.0.1:5000"
	@echo "  dvc exp run -S lr=0.01        try another learning rate; any key of params.yaml works"
	@echo "  dvc exp show --no-pager --only-changed --drop '.*/.*'   the experiments in one table"

lint: setup
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy

test: lint packages
	$(RUN) pytest $(TWO)

test-all: lint packages
	$(RUN) pytest $(TWO) -m ""

check: lint
	$(RUN) pytest $(TWO) -m "not slow and not nightly"

fuzz: setup
	FUZZ=30 $(RUN) pytest -n 2 tests/fuzz

KILLS ?= 200
kills: setup
	$(RUN) python -m tests.kills $(KILLS)

# Installed anew only when the lock file differs from the one that .venv was made with.
setup:
	@cmp -s requirements.lock .venv/requirements.lock || { \
	  for python in .venv/bin/python $(PYTHON); do $$python -c '$(FITS)' 2>/dev/null && break; python=; done; \
	  [ "$$python" ] || { echo "Python 3.11, 3.12, 3.13 or 3.14, with its module venv, is needed:" \
	    "make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }; \
	  echo "setting up .venv with $$($$python --version) (some minutes, once)"; \
	  { [ $$python = .venv/bin/python ] || $$python -m venv --clear .venv; } \
	  && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock \
	  && cp requirements.lock .venv/requirements.lock; }
	@.venv/bin/python -m compileall -q pipeline  # once, where each stage would, if it may write no bytecode

# The tests look at pages in chromium, and publish to a server on PostgreSQL: what is missing comes from
# Debian's packages. Without PostgreSQL its tests are skipped; without chromium there is no testing.
packages:
	@missing=$$(command -v chromium >/dev/null || echo chromium; \
	  ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null \
	  || echo postgresql); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing" $$missing "(once)"; \
	  apt-get -qq update \
	  && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install $$missing >/dev/null || exit 2; fi; \
	command -v chromium >/dev/null || { echo "The tests need chromium on the PATH: install it, on Debian with" \
	  "'sudo apt-get install chromium'; 'make check' does without." >&2; exit 2; }

clean:
	rm -rf data/[1-5]_* data/tracked.json data/unpublished/[!.]* data/sweeps metrics/plots metrics/report* mlflow.db* mlartifacts dvc_plots \
	  .hypothesis .mypy_cache .pytest_cache .ruff_cache
