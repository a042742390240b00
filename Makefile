# make demo: set up and run the main job.   make test: set up and run every check.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
METADATA := pyproject.toml setup.cfg constraints.txt
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt

# Of what is installed only what is imported is compiled to bytecode, once, and kept.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint collected bench gpu clean

demo: $(VENV)/installed-demo $(VENV)/compiled
	$(BIN)/python examples/demo.py

# The loops are compiled while what tests need is installed, linters and types run, and tests are read for the workers.
test:
	$(MAKE) --no-print-directory -j 2 $(VENV)/compiled lint collected
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Every worker reads all tests; it takes a third of the time once their bytecode is there.
collected: $(VENV)/installed-test
	$(BIN)/python -m pytest -q --collect-only > $(VENV)/collected || (cat $(VENV)/collected; exit 1)

# The last four want MNIST and static MNIST in the folder that DEEPGEN_DATA names.
bench: $(VENV)/installed-bench $(VENV)/compiled
	for each in exact structure temporal svi loopy gibbs training diffusion boltzmann vae hierarchy sbn; do $(BIN)/python -m benchmarks.$$each || exit; done

# Set PYTHON to an interpreter with a CUDA build of PyTorch; nothing is installed into it.
gpu:
	$(PYTHON) -m pytest -q -m gpu $$(grep -rl 'mark\.gpu' tests --include='test_*.py')
	$(PYTHON) -m benchmarks.training --device cuda
	$(PYTHON) -m benchmarks.training --device cuda --precision bf16
	$(PYTHON) -m benchmarks.boltzmann --only sweeps --device cuda
	$(PYTHON) -m benchmarks.diffusion --only speed,mnist --device cuda
	$(PYTHON) -m benchmarks.modes --only stacked --seeds 1 --device cuda

clean:
	rm -rf $(VENV) build demo-output *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/created:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/installed: $(VENV)/created $(METADATA)
	$(INSTALL) -e .
	touch $@

$(VENV)/compiled: $(VENV)/installed
	$(BIN)/python -m pgm.compiled
	touch $@

$(VENV)/installed-demo: $(VENV)/installed
	$(INSTALL) -e '.[deepgen]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(INSTALL) -e '.[test]'
	touch $@

# PGMax asks for far more than it uses, and for a JAX of its time.
$(VENV)/installed-bench: $(VENV)/installed
	$(INSTALL) -e '.[bench]'
	$(INSTALL) --no-deps pgmax==0.6.1 jax==0.4.34 jaxlib==0.4.34 ml_dtypes==0.6.0
	touch $@
