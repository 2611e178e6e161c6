# Everything is installed in .venv, and nothing needs root.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# Marks that the requirements of `make run`, and those of development, are installed.
INSTALLED := .venv/.installed
DEVELOPED := .venv/.developed
AUDIT_LOG := .venv/pip-audit.log
# A module's tests stay in one process, which has a PostgreSQL and a broker of its own.
IN_PARALLEL := -n logical --dist loadfile --no-loadscope-reorder
WITH_COVERAGE := -p tests.branch_floor --cov --cov-report=

# Where it is set, every process that the tests start compiles our modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run install test coverage check static audit advisories lock conformance format bench chaos upgrade endurance fresh migration
.PHONY: release distributions clean

help: ## print these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

run: install ## run the whole service here, with the sample course, until Ctrl-C; port=8001 for another port
	@$(BIN)/quiz-reports up --sample $(if $(port),--port '$(port)')

install: $(INSTALLED) ## set up .venv with the command .venv/bin/quiz-reports

test: $(DEVELOPED) ## run the tests in parallel against a real PostgreSQL and a real broker
	@$(BIN)/python -m pytest $(IN_PARALLEL)

coverage: $(DEVELOPED) ## run the tests and count the branches that they take
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(WITH_COVERAGE)

check: static ## format, lint, types, import contract, quick unit tests: half a minute
	@$(BIN)/python -m pytest --quiet -m "unit and not cost" --ignore tests/scenarios $(IN_PARALLEL)

static: $(DEVELOPED) ## format, lint, types, import contract
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted: run make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

conformance: $(DEVELOPED) ## print which tests cover which rule of the contract
	@$(BIN)/python -m tests.conformance

audit: $(DEVELOPED) ## check for insecure code, licences, migrations that lock tables, and known vulnerabilities of the libraries
	@$(BIN)/bandit --quiet -ll --configfile pyproject.toml --recursive api models ops workers
	@$(BIN)/pip-licenses > .venv/licences.log
	@$(BIN)/alembic upgrade head --sql > .venv/migrations.sql 2> .venv/alembic.log || { cat .venv/alembic.log; exit 1; }
	@$(BIN)/squawk .venv/migrations.sql > .venv/squawk.log || { cat .venv/squawk.log; exit 1; }
	@$(MAKE) --no-print-directory advisories

# A known vulnerability fails. If the advisories cannot be reached, that is printed instead of a result.
advisories:
	@if $(BIN)/pip-audit --disable-pip --no-deps --requirement constraints.txt --progress-spinner off --timeout 10 > $(AUDIT_LOG) 2>&1; \
	then echo "advisories: $$(grep -c 'could not be audited' $(AUDIT_LOG)) of $$(grep -c == constraints.txt) packages could not be looked up"; \
	elif grep -q '^Found [0-9]* known' $(AUDIT_LOG); then cat $(AUDIT_LOG) >&2; exit 1; \
	else echo "advisories could not be asked: $$(tail -n 1 $(AUDIT_LOG))"; fi

lock: $(DEVELOPED) ## write the image's requirements, with hashes, from constraints.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--python-version 3.13 --python-platform linux --constraint constraints.txt --output-file ops/docker/requirements.lock pyproject.toml

format: $(DEVELOPED) ## format the code
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format .

bench: $(DEVELOPED) ## measure each figure against a reference; the table goes to build/bench
	@$(BIN)/python -m ops.benchmarks

chaos: $(DEVELOPED) ## break servers and processes on purpose, and check that the promises hold
	@$(BIN)/python -m pytest tests/scenarios/chaos $(IN_PARALLEL)

upgrade: $(DEVELOPED) ## upgrade from 0.1.0 under load, and go back; make chaos does it as well
	@$(BIN)/python -m pytest tests/scenarios/chaos/test_upgrade.py

endurance: $(DEVELOPED) ## run the tests that take minutes because they wait
	@$(BIN)/python -m pytest -m endurance -n 3

fresh: $(INSTALLED) ## try the commands of README in fresh clones; ways="root-home umask" tries only these
	@$(BIN)/python -P tests/fresh.py $(ways)

migration: $(DEVELOPED) ## write a migration for changes of the tables: make migration m="add a column"
	@test -n "$(m)" || { echo 'describe the change: make migration m="add a column"' >&2; exit 2; }
	@$(BIN)/python -m ops.admin.new_migration "$(m)"

release: $(DEVELOPED) ## build the wheel and the sdist in dist/, and list there what the image installs (SBOM)
	@$(MAKE) --no-print-directory distributions

# uv builds the wheel from the sdist. The environment is what the image has: the lock and the wheel; it is made only for
# the list.
distributions:
	@rm -rf dist build/image
	@$(BIN)/uv build --quiet --out-dir dist
	@$(BIN)/uv venv --quiet --python $(BIN)/python build/image
	@$(BIN)/uv pip install --quiet --python build/image --no-deps --require-hashes --requirement ops/docker/requirements.lock
	@$(BIN)/uv pip install --quiet --python build/image --no-deps dist/*.whl
	@$(BIN)/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --output-file dist/sbom.cdx.json build/image
	@rm -rf build/image
	@ls dist

clean: ## remove .venv and the caches, but not the data in .quiz-reports
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or run make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up .venv with $$("$(PYTHON)" --version): it takes about a minute, most of it for pip to fetch packages"
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || "$(PYTHON)" -m venv --clear .venv || { rm -rf .venv; \
		echo "Python cannot make .venv: install its venv module (Debian and Ubuntu: apt install python3-venv)," \
			"or run make PYTHON=/path/to/another/python3" >&2; exit 1; }
	$(call pip_install,embedded)
	@touch $(INSTALLED)

$(DEVELOPED): $(INSTALLED)
	@echo "adding the tools of development to .venv: another minute"
	$(call pip_install,embedded$(comma)dev)
	@touch $(DEVELOPED)

comma := ,
define pip_install
@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$(1)]' || { \
	echo "pip cannot install the packages: look at its message above. Without a network, name a proxy (https_proxy)" \
		"or a package index (PIP_INDEX_URL), then run make again: it goes on from here" >&2; exit 1; }
endef
