# Every target sets up what it needs, by .ci/bootstrap, and does so once.
.DEFAULT_GOAL := help
.PHONY: docs help demo stack test test-all soak check bench lock clean packages

PORT ?= 8080
PYTHON ?=
ROUNDS ?= 5
export PYTHON

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# make hands SIGTERM to the process it started: `exec`, so that this is bff and not a shell.
demo: .venv/.run ## Serve the shop on http://127.0.0.1:8080 (PORT=... for another port)
	@exec .venv/bin/bff demo --port $(PORT)

stack: ## Serve the shop as it is deployed on https://localhost:8443: what compose.yaml says, as processes
	@.ci/bootstrap stack
	@exec .venv/bin/python -m stack

test: .venv/.dev packages ## Run the tests
	.venv/bin/python -m pytest -n auto -m "not large"

test-all: .venv/.dev packages ## Run the tests, the large ones too
	@.ci/bootstrap npm
	@.ci/bootstrap keycloak
	.venv/bin/python -m pytest -n auto

soak: .venv/.dev ## Have services go wrong at random for minutes (SECONDS=120, SEED=...)
	SOAK_SECONDS=$(or $(SECONDS),120) SOAK_SEED=$(or $(SEED),0) \
		.venv/bin/python -m pytest -q -rP -m large tests/faults/test_soak.py

check: .venv/.dev ## Lint, format, types, layers, docs, known vulnerabilities
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q tests/project/test_docs.py tests/project/test_problems_page.py \
		tests/project/test_files.py tests/project/test_words.py
	.venv/bin/python .ci/audit.py

bench: ## Compare with hand-written pages under load (ROUNDS=5, JSON=1)
	@.ci/bootstrap bench
	@exec .venv/bin/python -m bench --rounds $(ROUNDS) $(if $(JSON),--json)

docs: .venv/.dev ## Write docs/commands.md and docs/problems.md anew
	.venv/bin/python tests/project/test_docs.py
	.venv/bin/python tests/project/test_problems_page.py

lock: ## Resolve the dependencies again (UPGRADE=1 takes the newest)
	@.ci/bootstrap venv
	UPGRADE=$(UPGRADE) .ci/lock

clean: ## Remove what the targets have made
	rm -rf .venv build dist .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@.ci/bootstrap packages

.venv/.run: lock/run.txt lock/build.txt pyproject.toml
	@.ci/bootstrap run

.venv/.dev: lock/dev.txt lock/build.txt pyproject.toml
	@.ci/bootstrap dev
