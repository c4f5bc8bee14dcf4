# Everything runs in .venv; two commands are enough to begin: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
DEVICE ?= cuda:0

.PHONY: help demo test check format lint types imports test-gpu bench-overhead bench-gpu lock serve clean

help:  ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv does not work here; on Debian: apt-get install python3-venv"; exit 2; }

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(RUNTIME)  ## Install, then run the legacy autoencoder against its replacement and judge
	$(BIN)/lockstep run

serve: $(RUNTIME)  ## Serve the API and the pages on 127.0.0.1:8000
	$(BIN)/lockstep serve

test: $(DEVELOPMENT)  ## Install what the tests need and run all that need no GPU
	$(BIN)/python -m pytest -n auto --dist loadfile

test-gpu:  ## Run the tests that need a GPU, with the python that has CuPy (PYTHON=...)
	$(PYTHON) -m pytest -m gpu tests/gpu tests/contracts

check: format lint types imports test  ## All that CI runs

format: $(DEVELOPMENT)
	$(BIN)/ruff format --check .

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .

types: $(DEVELOPMENT)
	$(BIN)/mypy

imports: $(DEVELOPMENT)
	$(BIN)/lint-imports

bench-overhead: $(RUNTIME)  ## What the synchronized phase costs beside the two trainings
	$(BIN)/python benchmarks/overhead.py

# In the order of what they take on an H100: a few minutes each, legacy_figures a quarter of an hour, timing half an hour.
GPU_BENCHMARKS = overhead differ harness_cost legacy_figures timing timing_trials
overhead differ harness_cost legacy_figures: OPTIONS = --device $(DEVICE)
timing: OPTIONS = --devices $(DEVICE)

.PHONY: $(GPU_BENCHMARKS)
$(GPU_BENCHMARKS):
	PYTHONPATH=. $(PYTHON) benchmarks/$@.py $(OPTIONS)

bench-gpu:  ## Run every benchmark of a GPU, with the python that has CuPy (PYTHON=..., DEVICE=cuda:0)
	@$(MAKE) -j1 --keep-going --no-print-directory $(GPU_BENCHMARKS)

lock: $(DEVELOPMENT)  ## Compile the locks anew (needs uv on PATH)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group build pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## Remove what was installed and built
	rm -rf $(VENV) build *.egg-info
