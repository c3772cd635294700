# What a person working on overflow needs. Needs Python 3.10 or later, git and make; the rest is
# installed into .venv. `make demo` and the end-to-end tests also need a Python 3.12 to build for:
# one on this machine is used (pyenv's too), else uv downloads it.

PYTHON ?= python3
BIN := .venv/bin
UV_VERSION := $(shell sed -n 's/^ *"uv==\(.*\)",$$/\1/p' pyproject.toml)

.PHONY: help demo test unit action lint format bench clean

help: ## list what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

.venv/ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or later is needed; name one: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv sync --quiet --frozen --inexact --compile-bytecode --python $(BIN)/python
	@touch $@

demo: .venv/ready ## build examples/flask (292 MB of packages) and start it as Lambda would
	$(BIN)/python -m examples.demo

test: .venv/ready lint ## everything: linters, types, all tests, coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

unit: .venv/ready ## the tests that spawn nothing: half a minute
	$(BIN)/pytest -q tests/unit

lint: .venv/ready ## ruff, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

action: .venv/ready ## the action end to end: act, a real container, real uploads
	$(BIN)/pytest -v tests/e2e/test_action*.py tests/e2e/test_image.py

bench: .venv/ready ## builds, a lock of 4,000 packages, the action, cold starts, predictions: half an hour
	$(BIN)/python -m benchmarks

clean: ## remove what the above made
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .coverage*
