PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo example test test-slow faults lint bench simulate doc-blocks docs clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/installed ## Set up, run the demo study on scikit-learn's digits, write its report
	$(BIN)/ablate run --preset demo
	$(BIN)/ablate run --preset demo --no-augment --no-residual
	$(BIN)/ablate sweep experiments/demo.py
	@echo 'To view all runs and curves in the browser: $(BIN)/ablate ui'

example: .venv/installed ## Run the demo study again and replace reports/example, its committed report
	rm -rf .example && mkdir -p .example/mlruns/journal
	cd .example && ../$(BIN)/ablate sweep ../experiments/demo.py --name example --offline
	rm -rf reports/example && mv .example/reports/example reports/ && mkdir reports/example/journal
	cp .example/mlruns/journal/*.jsonl .example/mlruns/studies/*.jsonl reports/example/journal/

test: .venv/installed ## Set up, check lint and types, run the tests
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m compileall -q -j 2 ablate  # the tests start many processes
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/installed ## Run the slow tests
	$(BIN)/python -m pytest -m slow

faults: .venv/installed ## Inject more than 200 faults (kills, full disks, locks, ...), and write their table
	$(BIN)/python -m tests.faults --output reports/faults.md

lint: .venv/installed ## Check lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/installed ## Measure speed relative to references
	$(BIN)/python -m benchmarks

simulate: .venv/installed ## Check the statistics on 20,000 simulated studies per cell and write the table
	$(BIN)/python -m tests.simulation --repetitions 20000 --output reports/simulation.md

doc-blocks: .venv/installed ## Update the generated parts of the documentation
	$(BIN)/python -m tests.doc_blocks

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: .venv/docs doc-blocks ## Update the generated parts, build the documentation as a site, check its links
	rm -rf build/site
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -d build/doctrees -c docs/site . build/site
	$(BIN)/python docs/site/check.py build/site
	@echo 'Open build/site/index.html in a browser.'

clean: ## Remove the environment and caches, but not runs and reports
	rm -rf .venv build/site build/doctrees .mypy_cache .pytest_cache .ruff_cache .hypothesis
