# Everything a person types. Only Python 3.11 or 3.12 and make are assumed.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
FLASK := $(PYTHON) -m flask --app wsgi
STAMP := $(VENV)/installed
# Two workers suit two cores; WORKERS=0 runs in one process, which a debugger needs.
WORKERS ?= 2
# Without byte code every process compiles thousands of modules before it starts.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test bench lint format clean

help: ## List these commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

run: $(STAMP) ## Start the portal here, with demo data, at port 8000 (or PORT)
	@exec $(FLASK) serve

test: $(STAMP) ## Run the whole suite on its own throw-away PostgreSQL and Redis
	$(PYTHON) -m pytest -n $(WORKERS)

bench: $(STAMP) ## Print our figures beside the limits they are measured against
	$(PYTHON) -m pytest tests/benchmarks -s -q -o python_files='bench_*.py'
	@for file in $$(grep -l __main__ tests/benchmarks/bench_*.py); do \
	  echo "$$file"; $(PYTHON) -m "$$(echo "$${file%.py}" | tr / .)"; done

lint: $(STAMP) ## Check style, format and types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

format: $(STAMP) ## Rewrite the code in the one format
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

clean: ## Remove the environment and caches; the data in var/ stays
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name on the PATH proves little (version switchers leave dead ones), so each is tried. A
# half-made environment has no stamp, and is made anew.
$(STAMP): requirements.txt
	@set -eu; found=; \
	for name in $(PYTHON_COMMAND) python3.12 python3.11 python3 python; do \
	  if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	      >/dev/null 2>&1; then found=$$name; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Python 3.11 or 3.12 with venv is needed (or name it: make PYTHON_COMMAND=...)." >&2; exit 1; \
	fi; \
	if ! [ -f $(STAMP) ] || ! $(PYTHON) -c '' >/dev/null 2>&1; then \
	  "$$found" -m venv --clear $(VENV); \
	fi; \
	echo "Installing the locked packages ..."; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt; \
	touch $(STAMP)
