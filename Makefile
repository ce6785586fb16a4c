# Each target sets up the environment it needs, in .venv, from the package registry alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all test-wheel lint clean

demo: $(VENV)/.ready
	$(BIN)/ditta-adapt demo

# The core. Two processes of one thread each finish sooner than one of two threads.
test: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2

# The core, and what needs an environment of its own: each part by its own name.
test-all: test test-wheel

test-wheel: $(VENV)/.ready
	PYTHON=$(PYTHON) BIN=$(BIN) .ci/test_wheel

# Types are checked as a user gets the package, with the adapters in it.
lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/typed
	mkdir -p build/typed
	cp -r ditta_adapt build/typed/ditta_adapt
	cp -r adapters build/typed/ditta_adapt/adapters
	cd build/typed && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache

$(VENV)/.ready: pyproject.toml constraints.txt tests/no-deps.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	SAM2_BUILD_CUDA=0 $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --requirement tests/no-deps.txt
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info demo-output
