# make run · make test · make lab · make lint · make lock · make bench
VENV := .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := $(VENV)/Scripts
else
PYTHON ?= python3
BIN := $(VENV)/bin
endif
READY := $(VENV)/ready
export NO_ALBUMENTATIONS_UPDATE := 1

.PHONY: run test lab lint lock bench setup
run: setup
	$(BIN)/course run --data-source embedded --jobs 2

test: setup
	$(BIN)/python -m pytest -n 2

lab: setup
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

setup: $(READY)

# uv sits in the lock like everything else; this first copy of it only installs the rest.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else 'The course needs Python 3.11, 3.12 or 3.13, and this is %d.%d. Name one: make PYTHON=python3.12' % v)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9"
	$(BIN)/python -m uv pip sync --quiet --compile-bytecode --require-hashes --python $(VENV) requirements.lock
	$(BIN)/python -m uv pip install --quiet --python $(VENV) --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "open('$(READY)', 'w').close()"

# After a change in pyproject.toml: exact versions with hashes for every system and Python the course supports.
lock:
	$(BIN)/python -m uv pip compile --quiet --universal --upgrade --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --extra dev --extra demo --extra shards --output-file requirements.lock pyproject.toml

# Twenty minutes to an hour on two cores with nothing beside it; the frameworks to compare with come on top of the lock.
bench: setup
	$(BIN)/python -m uv pip install --quiet --python $(VENV) --editable ".[bench]"
	$(BIN)/python benchmarks/everything.py
