# One command each: `make demo` sets up and does the main job; `make check` is everything that is checked.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)

.PHONY: demo setup engines check format lint types layers sizes test fuzz docs corpus reference lock index clean

demo: setup
	$(BIN)/python examples/demo.py

# Compiled ahead: where PYTHONDONTWRITEBYTECODE is set, every command would compile all of it again (0.2 s of a search).
setup: $(STAMP)
	@$(BIN)/python -m compileall -q src
	@sh tools/system_packages.sh bubblewrap
	@sh tools/system_packages.sh strace

$(STAMP): requirements.lock pyproject.toml
	@sh tools/make_venv.sh $(PYTHON) $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.ready-* && touch $@

check: setup engines format lint types layers sizes reference test

# What the tests of containers run with; where it cannot be had, they say so.
engines:
	@sh tools/system_packages.sh podman
	@sh tools/system_packages.sh runc
	@sh tools/system_packages.sh busybox-static

format:
	$(BIN)/ruff format --check src tests tools examples benchmarks

lint:
	$(BIN)/ruff check src tests tools examples benchmarks

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports --no-cache

sizes:
	$(BIN)/python tools/check_sizes.py

reference:
	$(BIN)/python tools/build_reference.py --check
	$(BIN)/python tools/compile_data.py --check

test:
	$(BIN)/pytest -p no:cacheprovider -m "not corpus" -n 3 --dist loadfile --no-loadscope-reorder

# Many more examples than `make check` tries of what clients and servers may send; EXAMPLES says how many for each test.
fuzz: setup
	VSM_MCP_FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/pytest -p no:cacheprovider --timeout=7200 tests/fuzz

# The whole corpus of real servers, with a table; SERVERS names a file of one JSON record a line.
corpus: setup
	@sh tools/system_packages.sh chromium
	$(BIN)/python tests/scenarios/run_corpus.py $(SERVERS)

# After a change of pyproject.toml: exact versions and hashes again (no address is written).
lock: $(VENV)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache
