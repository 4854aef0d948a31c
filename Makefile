# `make help` lists the targets. All they need is Python 3.11 to 3.13 with venv and pip; settings
# of pip in the environment (PIP_INDEX_URL, PIP_FIND_LINKS, ...) hold here too.

SHELL := /bin/sh
# Without compiled files every test worker, and every process that a test starts, compiles the
# package anew: a third of the fast tests' time.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
PARTS := .parts
# The Dockerfile installs with this same line; a test compares the two.
INSTALL := python -m pip install -c constraints.txt -e
PYTEST := python -m pytest -n 2 --dist worksteal
# The default strategy, and random labels from the first to the last, which compare adds by itself.
COMPARE := compare 'acquisition=[random_sampling,uncertainty_herding]' seeds=12

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo demo-readme test doctest label-studio ray lint types docs soak wheelhouse docker clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "Another Python: make install PYTHON=/path/to/python3.12"

install: $(VENV)/.installed-dev  ## Install everything for work on the project into .venv

demo: $(VENV)/.installed-demo  ## Solar cells, and steel: STEEL=<X-SDD's folder>: table, verdict, report
	$(BIN)/alvision $(COMPARE) experiment=elpv out=runs/demo
	$(if $(STEEL),$(BIN)/alvision $(COMPARE) experiment=xsdd out=runs/demo-steel \
	  budget.rounds=8 'data.root=$(STEEL)')

demo-readme: demo  ## The demo, its tables and pictures written into README.md and docs/
	$(BIN)/python scripts/readme_demo.py runs/demo $(if $(STEEL),runs/demo-steel)

test: $(VENV)/.installed-dev  ## Run all tests: the fast ones, the docstrings' examples, the slow ones
	$(BIN)/$(PYTEST)
	$(MAKE) --no-print-directory doctest
	$(BIN)/$(PYTEST) -m 'slow and not soak and not gpu'

doctest: $(VENV)/.installed-dev  ## Run the examples in docstrings
	$(BIN)/python -m pytest --doctest-modules alvision

label-studio: $(PARTS)/label-studio/.installed  ## Install the server that some tests talk to, in .parts

ray: $(PARTS)/ray/.installed  ## Install Ray and its launcher, which some tests sweep with, in .parts

lint: $(VENV)/.installed-dev  ## Check style, formatting, the import law and the Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

types: $(VENV)/.installed-dev  ## Check the types
	$(BIN)/mypy

docs: $(VENV)/.installed-dev  ## Build the documentation site into site/; a warning is a failure
	$(BIN)/python scripts/build_docs.py

soak: $(VENV)/.installed-dev  ## Run the kill tests at full count, their table goes to docs/reliability.md
	$(BIN)/python scripts/soak.py

wheelhouse: $(VENV)/.installed-demo  ## For a PC without internet: platform=win_amd64 [bundle=B] [weights=W] [python=3.11]
	$(BIN)/python scripts/wheelhouse.py $(foreach key,platform python bundle weights to,\
	  $(if $($(key)),'$(key)=$($(key))'))

docker:  ## Build the image alvision; PIP_INDEX_URL and PIP_EXTRA_INDEX_URL are passed on
	docker build --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL -t alvision .

clean:  ## Remove .venv and what the tools leave behind; runs/ stays
	rm -rf $(VENV) $(PARTS) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis \
		.import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# dev holds all of demo, so it spares a later `make demo` the install.
$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/$(INSTALL) ".[dev]"
	@touch $(VENV)/.installed-demo $@

# In a venv of its own: it pins what alvision needs newer.
$(PARTS)/label-studio/.installed: | $(BIN)/python
	$(BIN)/python -m venv $(PARTS)/label-studio
	$(PARTS)/label-studio/bin/python -m pip install -q label-studio==1.23.0
	@touch $@

# Its launcher wants older cloudpickle and joblib than .venv has. Only what differs lies here; all
# else is found in .venv, which Python searches last.
PACKAGES := import sysconfig; print(sysconfig.get_path('purelib'))
$(PARTS)/ray/.installed: | $(VENV)/.installed-dev
	$(BIN)/python -m venv $(PARTS)/ray
	echo "import site; site.addsitedir('$$($(BIN)/python -c "$(PACKAGES)")')" \
	  > "$$($(PARTS)/ray/bin/python -c "$(PACKAGES)")/venv.pth"
	$(PARTS)/ray/bin/python -m pip install -q ray==2.60.0 hydra-ray-launcher==1.2.2 joblib==1.5.3
	@touch $@

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/$(INSTALL) ".[demo]"
	@touch $@

$(BIN)/python:
	@found=; for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
	  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	    2>/dev/null && found=$$python && break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "error: $(or $(PYTHON),python3) is not Python 3.11 to 3.13; install one of them," \
	    "or name it: make PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "error: $$found has no venv; install its package (Debian, Ubuntu: python3-venv)" >&2; \
	  exit 1; \
	fi; \
	echo "$$found -m venv $(VENV)"; \
	$$found -m venv $(VENV)
