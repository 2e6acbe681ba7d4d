# make demo: the whole thing on the sample data.   make test: everything that must pass.   make lint: style and types.
# Needs: Python 3.11, make, a package index. A folder of local wheels is used where PIP_FIND_LINKS or UV_FIND_LINKS names one.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
UV := uv==0.13.9
BIN := $(VENV)/bin
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_COMPILE_BYTECODE = 1
export HF_HUB_OFFLINE = 1
ifeq ($(strip $(UV_FIND_LINKS)),)
export UV_TORCH_BACKEND ?= cpu
unexport UV_FIND_LINKS
endif

.PHONY: setup demo test unit lint format requirements clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "error: no virtual environment can be made here"; \
	  echo "hint: Debian keeps that apart: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	@test -x $(BIN)/uv || $(BIN)/pip install --quiet --disable-pip-version-check $(UV)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/leitmotif demo

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread a worker: torch in two processes, each with a thread for every core, waits for itself.
unit: setup
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -q -m "not e2e" -n logical --maxprocesses 8 --dist loadfile

test: lint unit
	$(BIN)/pytest -q -m e2e

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolve anew; only this target needs to know the overrides (docs/decisions/0001).
requirements:
	$(BIN)/uv pip compile pyproject.toml --extra embedded --extra dev --override overrides.txt --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements.txt

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
