PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test test-slow faults lint bench simulate docs clean

help: ## Show what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/installed ## Set up, run the demo study on the digits that scikit-learn ships, write its report
	$(BIN)/ablate run --preset demo --threads 1
	$(BIN)/ablate run --preset demo --threads 1 --no-augment --no-residual
	$(BIN)/ablate sweep experiments/demo.py
	@echo 'Every run, with its curves, in the browser: $(BIN)/ablate ui'

test: .venv/installed ## Set up, check style and types, run the tests
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/installed ## Run the long tests too: minutes to an hour
	$(BIN)/python -m pytest -m slow

faults: .venv/installed ## Kill, fill up, lock and take away what runs need, 200 times and more, and write the table
	$(BIN)/python -m tests.faults --output reports/faults.md

lint: .venv/installed ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed ## Measure speed against the references, side by side
	$(BIN)/python -m benchmarks

simulate: .venv/installed ## Check the statistics on 20,000 simulated studies per cell and write the table
	$(BIN)/python -m tests.simulation --repetitions 20000 --output reports/simulation.md

docs: .venv/installed ## Refresh what the pages take from reports and from the tree
	$(BIN)/python -m tests.doc_blocks

clean: ## Remove the environment and caches; runs and reports stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
