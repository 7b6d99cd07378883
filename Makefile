# Two commands: `make demo` and `make test`. Each makes its own environment in .venv; Python 3.11 or newer and make
# are all that must be there. `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Processes share the cores: with threads of their own as well, each waits for the others.
PYTEST := OMP_NUM_THREADS=1 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint format benchmark screenshots cmake-lists clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Score a synthetic patient and write the report to demo-output/
	@echo "demo: scoring a synthetic patient into demo-output/"
	@rm -rf demo-output
	@$(BIN)/aspects demo -o demo-output

test: lint ## Check style and layers, then run the tests
	@echo "test: running the tests"
	@$(PYTEST)

coverage: $(INSTALLED_DEV) ## Run the tests and see what they do not reach; a sixth slower than test
	@$(PYTEST) --cov --cov-report=term

lint: $(INSTALLED_DEV) ## Check style, format and the layers of imports
	@echo "lint: style, format, layers"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@PYTHONPATH=ASPECTS $(BIN)/lint-imports

format: $(INSTALLED_DEV) ## Rewrite the code in the project's format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

benchmark: $(INSTALLED_DEV) ## Measure accuracy and run time (Testing/benchmarks)
	@set -e; for script in Testing/benchmarks/benchmark_*.py; do \
	  test -e "$$script" || { echo "benchmark: none in Testing/benchmarks yet"; exit 0; }; \
	  echo "benchmark: $$script"; PYTHONPATH=Testing:ASPECTS $(BIN)/python "$$script"; \
	done

screenshots: $(INSTALLED_DEV) ## Draw panel and views of the synthetic patient (Resources/Screenshots)
	@PYTHONPATH=Testing:ASPECTS $(BIN)/python Testing/screenshots.py

cmake-lists: ## Name every Python file in the CMake lists
	@$(PYTHON) Testing/cmake_lists.py

clean: ## Remove the environment, caches and outputs
	@rm -rf .venv demo-output build *.egg-info .pytest_cache .ruff_cache .import_linter_cache .coverage htmlcov
	@find ASPECTS ASPECTSLib Testing -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean: removed .venv, caches and outputs"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "setup: Python 3.11 or newer is needed, '$(PYTHON)' is not; try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "setup: '$(PYTHON)' cannot make virtual environments (ensurepip is missing);" \
	       "on Debian or Ubuntu install the package python3-venv"; exit 1; }
	@echo "setup: making .venv and installing (half a minute, once)"
	@$(PYTHON) -m venv --clear .venv
	@$(PIP_INSTALL) -e .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "setup: installing what the tests need, Slicer's libraries and Qt among it (two minutes, once)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@
