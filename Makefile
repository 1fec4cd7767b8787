# Two commands are enough: `make demo` runs the main job, `make test` passes the tests.
.PHONY: demo test test-long check messages bench clean
PYTHON ?= python3
BIN := .venv/bin
# A file of tests a process at a time, on at most four processors; JOBS=0 runs them all in one process.
JOBS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

demo: .venv/ready
	$(BIN)/pencilled demo $(ARGS)

test: .venv/ready
	$(PYTEST) -m "not long" $(ARGS)

test-long: .venv/ready
	$(PYTEST) -m long --timeout=1800 $(ARGS)

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.messages check

# Brings the catalogues up to the code; LANGUAGE=fr begins a new one.
messages: .venv/ready
	$(BIN)/python -m tests.messages update $(LANGUAGE)

bench: .venv/ready
	$(BIN)/python -m tests.bench $(ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Pencilled needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling editables setuptools wheel
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	touch $@
