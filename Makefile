# Everything is set up in .venv the first time it is needed; after that these lines cost a few milliseconds.
.DEFAULT_GOAL := help
.PHONY: help run test check golden swarm swarm-bugs kernel-check bench bench-browser replays access pictures clean

VENV := .venv
PY := $(VENV)/bin/python
SEED ?= 1
RUNS ?= 1000
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 1

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run catalogs ## start everything; http://127.0.0.1:8000/ (Ctrl-C stops it)
	@exec $(PY) manage.py up

test: $(VENV)/.dev browser catalogs ## run every test
	$(PY) -m pytest $(PYTEST)

check: $(VENV)/.dev ## format, lint, types, import layers, templates
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pyright
	$(VENV)/bin/lint-imports
	$(VENV)/bin/djlint templates --lint --quiet

golden: $(VENV)/.dev ## rewrite the transcripts that tests compare with
	$(PY) -m pytest tests/scripts --golden

swarm: $(VENV)/.dev ## random faults on etcd: make swarm SEED=1 RUNS=1000
	$(PY) -m tests.swarm --seed $(SEED) --runs $(RUNS)

swarm-bugs: $(VENV)/.dev ## break Raft in each classic way: the swarm must catch it
	$(PY) -m tests.swarm --bugs

kernel-check: $(VENV)/.dev ## our rules and walks against the real kernel, in network namespaces (as root)
	$(PY) -m tests.kernel

bench: $(VENV)/.dev ## the figures, as a table and JSON
	$(PY) -m bench

replays: $(VENV)/.dev ## a thousand replays of one used minute's export, compared to the byte
	$(PY) -m bench.past --pods 0 --minutes 1 --replays 1000

bench-browser: $(VENV)/.dev browser catalogs ## what a browser does with it: frames, paints, weight, memory
	$(PY) -m bench.browser

access: $(VENV)/.dev browser catalogs ## axe over every page, language and sheet
	$(PY) -m pytest $(PYTEST) tests/browser/matrix.py

pictures: $(VENV)/.dev browser catalogs ## the documents' pictures and the tour, taken anew
	$(PY) -m tests.browser.screenshots

clean: ## forget the environment (not the data in var/)
	rm -rf $(VENV)

.PHONY: browser catalogs
catalogs: $(VENV)/.catalogs

$(VENV)/.catalogs: $(VENV)/.run $(wildcard locale/*/LC_MESSAGES/*.po locale/*/rooms/*.po)
	@$(PY) -m explainer.fragments.catalogs
	@touch $@

browser: $(VENV)/.dev
	@$(PY) -m tests.browser_setup
	@command -v etcdctl >/dev/null 2>&1 || $(PY) -m tests.etcdctl_setup

# A stamp per requirements file: made again when the file changes. uv if it is there, else pip.
# PYTHON=/path/to/python chooses the interpreter (3.11 or newer).
$(VENV)/.run: requirements.txt
	@test -x $(PY) || { \
	  for python in "$(PYTHON)" python3.12 python3.11 python3.13 python3; do \
	    test -n "$$python" && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && break; python=; \
	  done; \
	  test -n "$$python" || { echo "Clearplane needs Python 3.11 or newer on PATH (or make PYTHON=...)."; exit 1; }; \
	  if command -v uv >/dev/null 2>&1; then uv venv -q --python "$$python" $(VENV); else "$$python" -m venv $(VENV); fi; }
	@$(call install,$<)
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt $(VENV)/.run
	@$(call install,$<)
	@touch $@

define install
if command -v uv >/dev/null 2>&1; then uv pip install -q --python $(PY) -r $(1); \
else $(PY) -m pip install -q --disable-pip-version-check -r $(1); fi
endef
