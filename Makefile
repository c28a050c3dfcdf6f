PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test lint style types suite bench lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make .venv/ with what the product needs
	@$(PYTHON) setup_environment.py requirements.txt

setup-dev:
	@$(PYTHON) setup_environment.py requirements-dev.txt

demo: setup  ## take a sample from reads to a report on this machine
	@$(BIN)/strandline demo --out build/demo

test: setup-dev style  ## run every check and every test
	@$(MAKE) --no-print-directory -j 2 types suite

lint: setup-dev style types  ## format, lint, imports, types

style: setup-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports

types: setup-dev
	@$(BIN)/mypy

suite: setup-dev  # it waits for others often enough to let the types be checked beside it
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: setup-dev  ## speed and accuracy, each beside its peer
	@$(BIN)/python -m benchmarks

lock: setup-dev  ## pin requirements*.txt and the function and image requirements anew (needs uv)
	uv pip compile --universal --python-version 3.11 --no-header -q requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --no-header -q requirements-dev.in -o requirements-dev.txt

clean:  ## stop the local stage and remove what was built
	@if [ -x $(BIN)/strandline ]; then $(BIN)/strandline stage down; fi
	rm -rf build cdk.out .strandline .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
