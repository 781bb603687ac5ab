# `make demo` and `make test` set up what they need. PYTHON picks the interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: setup demo test nightly check format docs results pages lock clean

setup: $(STAMP)  ## make the environment, .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version); set PYTHON=..." >&2; exit 2; }
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(STAMP)

demo: setup  ## sandbox ERP -> lake -> features -> model -> registry -> served predictions
	@$(BIN)/duecast demo

# A file's tests stay with one worker, since they share what is dear: trained models, real systems. The variable keeps
# LightGBM's threads from spinning while they wait. Property tests draw the same examples each time, so that a change is
# blamed for what it did; `make nightly` draws new ones.
test: check  ## everything that must be true
	@OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 --dist loadfile --hypothesis-seed=0

nightly: setup  ## what takes too long for every change: 200 kills in the midst of work, properties on new examples
	@$(BIN)/python -m pytest tests/behaviour/test_kills.py tests/property --kills 100

check: setup  ## format, lint, types, import contracts, generated docs
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pipelines.catalogues --check

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: setup  ## regenerate the catalogues in the package READMEs
	@$(BIN)/python -m pipelines.catalogues

results: setup  ## run the benchmarks and write the README's results (half an hour)
	@$(BIN)/python tests/bench/results.py

pages: setup  ## run the long benchmarks and write their tables into the package READMEs (hours)
	@$(BIN)/python tests/bench/pages.py

lock:  ## resolve the pinned versions anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-emit-index-url --no-header \
		--output-file requirements.lock

# Named one by one: the default lake and its state, .duecast/lake and .duecast/state.db, are somebody's facts.
clean:  ## remove the environment, caches, demo, results and reports; the lake, its state and the models stay
	rm -rf $(VENV) $(addprefix .duecast/,demo results evaluation report)
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
