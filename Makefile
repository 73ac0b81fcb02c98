# Everything is set up in .venv the first time it is needed; after that these lines cost a few milliseconds.
.DEFAULT_GOAL := help
.PHONY: help run test check golden swarm bench clean

PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
UV := $(shell command -v uv 2>/dev/null)
SEED ?= 1
RUNS ?= 20
PYTEST ?= -n 2 --dist loadfile

help: ## these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run catalogs ## start everything; http://127.0.0.1:8000/ (Ctrl-C stops it)
	@exec $(PY) manage.py up

test: $(VENV)/.dev browser catalogs ## run every test
	$(PY) -m pytest $(PYTEST)

check: $(VENV)/.dev ## format, lint, types, import layers, templates
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pyright
	$(VENV)/bin/lint-imports
	$(VENV)/bin/djlint templates --check --lint --quiet

golden: $(VENV)/.dev ## rewrite the transcripts that tests compare with
	$(PY) -m pytest tests/scripts --golden

swarm: $(VENV)/.dev ## random faults: make swarm SEED=1 RUNS=20
	$(PY) -m tests.swarm --seed $(SEED) --runs $(RUNS)

bench: $(VENV)/.dev ## the figures, as a table and JSON
	$(PY) -m bench

clean: ## forget the environment (not the data in var/)
	rm -rf $(VENV)

.PHONY: browser catalogs
catalogs: $(VENV)/.run
	@$(PY) -m explainer.fragments.catalogs

browser: $(VENV)/.dev
	@$(PY) -m tests.browser_setup

# A stamp per requirements file: made again when the file changes.
$(VENV)/.run: requirements.txt
	@test -n "$(PYTHON)" || { echo "Clearplane needs Python 3.11 or newer on PATH."; exit 1; }
	@test -x $(PY) || { if [ -n "$(UV)" ]; then uv venv -q --python "$(PYTHON)" $(VENV); else $(PYTHON) -m venv $(VENV); fi; }
	@if [ -n "$(UV)" ]; then uv pip install -q --python $(PY) -r $<; else $(PY) -m pip install -q --disable-pip-version-check -r $<; fi
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt $(VENV)/.run
	@if [ -n "$(UV)" ]; then uv pip install -q --python $(PY) -r $<; else $(PY) -m pip install -q --disable-pip-version-check -r $<; fi
	@touch $@
