# make demo: from nothing to a segmented photograph.   make test: the test suite.   make lint: ruff and pyright.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
# The first Python that restr supports; PYTHON=... chooses another one.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
    $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
# Named exactly, and installed first: a range would take the newest build with several GB of GPU libraries
# even where a CPU build is at hand. TORCH=... chooses another one.
TORCH ?= torch==2.13.0

DEMO_IMAGE ?= examples/astronaut.jpg
DEMO_TEXT ?= the woman in the orange suit

# Seconds that a cell of a notebook may take; fine-tuning is one cell.
CELL_S ?= 1800

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input -qq

.PHONY: help demo test test-slow lint format architecture showcase docs docs-serve notebooks dist dist-pythons clean

help:
	@echo 'make demo          install into $(VENV) and segment an example photograph'
	@echo 'make test          run the tests (under 10 minutes on two cores)'
	@echo 'make test-slow     run the long tests too'
	@echo 'make lint          ruff and pyright'
	@echo 'make format        let ruff format the code'
	@echo 'make architecture  write floors and glossary of docs/architecture.md and line numbers of docs/equations.md anew'
	@echo 'make docs          build the documentation site into site/ and check its links (make docs-serve: and show it)'
	@echo 'make notebooks     execute examples/*.ipynb, a few minutes on two cores'
	@echo 'make dist          build wheel and sdist into dist/ and try them where no repository is (make dist-pythons: on every Python)'
	@echo 'make showcase      draw docs/images/results.jpg with the bundled model'

demo: $(VENV)/.restr
	@$(BIN)/restr predict '$(DEMO_IMAGE)' '$(DEMO_TEXT)' --out out/demo
	@echo 'That is the picture and its mask. Try your own:  $(BIN)/restr predict photo.jpg "the dog on the left"'

# A process for each core, with a thread each: two processes of two threads would wait for each other.
test: $(VENV)/.restr-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test-slow: $(VENV)/.restr-dev
	$(BIN)/python -m pytest -m 'slow or not slow'

lint: $(VENV)/.restr-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.restr-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

architecture: $(VENV)/.restr-dev
	$(BIN)/python tests/support/architecture_page.py
	$(BIN)/python tests/support/equations_page.py

docs: $(VENV)/.restr-docs
	$(BIN)/python tools/docs/build.py

docs-serve: $(VENV)/.restr-docs
	$(BIN)/python tools/docs/build.py --serve

notebooks: $(VENV)/.restr-notebooks
	@mkdir -p out/notebooks
	@for book in examples/*.ipynb; do \
	    time PATH='$(abspath $(BIN))':"$$PATH" $(BIN)/jupyter-execute --KernelManager.transport=ipc --timeout=$(CELL_S) \
	        --output='$(CURDIR)'/out/notebooks/$$(basename $$book) $$book || exit 1; done
	@echo 'The notebooks with their outputs are in out/notebooks'

showcase: $(VENV)/.restr-dev
	$(BIN)/python recipes/restr_small/showcase.py

# Of the last commit, not of what lies in the folder.
dist: $(VENV)/.restr-release
	$(BIN)/python tools/release/make.py --torch '$(TORCH)'

# Gigabytes and many minutes: the wheel of 'make dist' on each Python of PYTHONS, and whether all extras resolve there.
PYTHONS ?= python3.11 python3.12 python3.13
dist-pythons: $(VENV)/.restr-release
	for p in $(PYTHONS); do $(BIN)/python tools/release/outside.py dist/*.whl --python $$p --torch '$(TORCH)'; done
	$(BIN)/python tools/release/resolve.py dist/*.whl

$(VENV)/.torch:
	@test -n '$(PYTHON)' || { echo 'restr needs Python 3.11, 3.12 or 3.13; install one, or name it: make PYTHON=/path/to/python demo' >&2; exit 1; }
	@echo 'creating $(VENV) with $(PYTHON) and installing PyTorch, about a minute ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --no-compile '$(TORCH)' || { echo 'no $(TORCH) here; taking the newest that restr supports' >&2; $(PIP) 'torch>=2.11,<2.14'; }
	@touch $@

$(VENV)/.restr: $(VENV)/.torch pyproject.toml
	@echo 'installing restr ...'
	@$(PIP) -e .
	@touch $@

$(VENV)/.restr-dev: $(VENV)/.torch pyproject.toml
	@echo 'installing restr and the tools of its developers ...'
	@$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.restr

$(VENV)/.restr-docs: $(VENV)/.restr-dev
	@echo 'installing the tools of the documentation site ...'
	@$(PIP) -e '.[docs]'
	@touch $@

$(VENV)/.restr-notebooks: $(VENV)/.torch pyproject.toml
	@echo 'installing restr and what notebooks need ...'
	@$(PIP) -e '.[notebooks]'
	@touch $@ $(VENV)/.restr

$(VENV)/.restr-release: $(VENV)/.torch pyproject.toml
	@echo 'installing restr and the tools of a release ...'
	@$(PIP) -e '.[release]'
	@touch $@ $(VENV)/.restr

clean:
	rm -rf $(VENV) out dist build site .pytest_cache .ruff_cache .hypothesis
