# The doors of the project. Each does all its own set-up: Python, make and a package index suffice.
# Without make: python -m nox -s demo, test, lint, bench (noxfile.py).

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast fuzz lint coverage bench requirements clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

setup: $(READY)  ## make .venv with the console script .venv/bin/samovar

$(READY): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "samovar needs Python 3.10 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 3; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv \
	  || { echo "No virtual environment could be made (on Debian: apt install python3-venv)." >&2; exit 3; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements/dev.txt \
	  || $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@# Byte code of what a command imports: where Python may not write it, each start would compile.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import samovar.cli.application, samovar.registry.sending, \
	  samovar.image.assemble, samovar.bundle.pack, rich.console, rich.status"
	@$(BIN)/python -m compileall -q src/samovar
	@touch $@

demo: setup  ## the main job on examples/web, told as a story
	@$(BIN)/python examples/demo.py

test: setup  ## every test; those whose engine is missing say how to get it (in CI they fail)
	@$(PYTEST) -n 2 --dist loadfile $(ARGS)
	@# The processes above are not measured; core has to be covered by what needs no engine.
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -q tests/unit tests/property
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --include='*/samovar/core/*' --fail-under=100

test-fast: setup  ## unit and property tests only
	@$(PYTEST) -q $(wildcard tests/unit tests/property) $(ARGS)

fuzz: setup  ## look for bytes that break a reader, SECONDS=60 for each
	@SAMOVAR_FUZZ_SECONDS=$(or $(SECONDS),60) $(PYTEST) -q tests/integration/test_fuzz.py $(ARGS)

coverage: setup  ## what the unit and property tests of the last `make test` covered, file by file
	@$(BIN)/coverage report

lint: setup  ## ruff, mypy --strict, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup  ## every benchmark; bench-NAME runs benchmarks/NAME alone
	@$(BIN)/python -m benchmarks

bench-%: setup
	@$(BIN)/python -m benchmarks $*

requirements: setup  ## resolve requirements/*.txt again from pyproject.toml
	@$(BIN)/python requirements/compile.py

clean:  ## remove what the doors made
	@rm -rf .venv .tools .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis .nox
