# Each target sets up the environment it needs, in .venv or .venv-lowest, from the package registry
# alone.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest

.PHONY: demo docs test test-all test-adapters test-programs test-libraries test-browser test-docs \
  test-notebook test-ray test-wheel test-lowest lint clean

demo: $(VENV)/.ready
	$(BIN)/ditta-adapt demo

# The core. Two processes of one thread each finish sooner than one of two threads.
PYTEST := env OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2
ADAPTERS := tests/adapters
PROGRAMS := $(addprefix tests/,baselines batch benchmarks demo doctor domain evaluation examples keeping running teachers/test_time test_cli.py)
LIBRARIES := build/libraries
BROWSER := build/browser
DOCS := build/docs
NOTEBOOK := build/notebook
RAY := build/ray

test: $(VENV)/.ready
	$(PYTEST) $(addprefix --ignore ,$(ADAPTERS) $(PROGRAMS) $(addprefix tests/,browser docs libraries notebook ray))

# Adapters to other people's models, each against its library.
test-adapters: $(VENV)/.ready
	$(PYTEST) $(ADAPTERS)

# What runs the library, and is imported by no program of a user: the commands, other methods, training
# of propagators, benchmarks and examples.
test-programs: $(VENV)/.ready
	$(PYTEST) $(PROGRAMS)

# The core, and the other parts, each by its own name.
test-all: test test-adapters test-programs test-libraries test-browser test-docs test-notebook \
  test-ray test-wheel test-lowest

# Libraries that want torchvision, on the path of these tests alone.
test-libraries: $(VENV)/.ready $(LIBRARIES)/.ready
	PYTHONPATH=$(LIBRARIES) $(PYTEST) tests/libraries

# The report page in Chromium; the library that drives it is on the path of these tests alone.
test-browser: $(VENV)/.ready $(BROWSER)/.ready
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } \
	  || echo "Chromium is missing, so these tests skip. As root: apt-get install chromium" >&2
	PYTHONPATH=$(BROWSER) $(PYTEST) tests/browser

# The documentation: its snippets, its pictures, and the site.
test-docs: $(VENV)/.ready $(DOCS)/.ready
	PYTHONPATH=$(DOCS) $(PYTEST) tests/docs

# The documentation as a site, in build/site.
docs: $(VENV)/.ready $(DOCS)/.ready
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=$(DOCS) $(BIN)/python -m mkdocs build --strict --quiet

# The notebook of the examples, in a kernel; what runs it is on the path of these tests alone.
test-notebook: $(VENV)/.ready $(NOTEBOOK)/.ready
	PYTHONPATH=$(abspath $(NOTEBOOK)) $(PYTEST) tests/notebook tests/examples/test_to_supervision.py

# Many videos on a cluster of Ray with two workers, one process at a time: they take both cores.
test-ray: $(VENV)/.ready $(RAY)/.ready
	PYTHONPATH=$(abspath $(RAY)) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/ray

$(addsuffix /.ready,$(LIBRARIES) $(BROWSER) $(DOCS) $(NOTEBOOK) $(RAY)): build/%/.ready: tests/%/requirements.txt | $(VENV)/.ready
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --no-deps --target $(@D) --requirement $<
	touch $@

test-wheel: $(VENV)/.ready
	PYTHON=$(PYTHON) BIN=$(BIN) .ci/test_wheel

# The lowest versions that pyproject.toml allows. Folders that compute with hardly more than torch are
# left out: its lowest version is the one that `make test` runs. By name, so that a new folder is run.
test-lowest: $(LOWEST)/.ready
	$(LOWEST)/bin/python .ci/check_lowest.py
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest --numprocesses 2 \
	  $(addprefix --ignore tests/,baselines benchmarks browser docs doctor evaluation libraries notebook ray running safety streaming targets teachers testing training)
	OMP_NUM_THREADS=1 $(LOWEST)/bin/ditta-adapt demo --output build/demo-lowest

# Types are checked as a user gets the package, with the adapters in it.
lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/typed
	mkdir -p build/typed
	cp -r ditta_adapt build/typed/ditta_adapt
	cp -r adapters build/typed/ditta_adapt/adapters
	cd build/typed && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml --cache-dir $(CURDIR)/.mypy_cache

$(VENV)/.ready: constraints.txt
$(LOWEST)/.ready: constraints-lowest.txt
$(VENV)/.ready $(LOWEST)/.ready: pyproject.toml tests/no-deps.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --constraint $(filter constraints%,$^) --editable '.[dev]'
	SAM2_BUILD_CUDA=0 $(@D)/bin/python -m pip install --quiet --no-deps --no-build-isolation --requirement tests/no-deps.txt
	touch $@

clean:
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info demo-output
