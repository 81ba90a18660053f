# Every target sets itself up: a virtual environment with exactly what the lock names, made once.
#   make demo   disputes on a real Airflow, to click through; AUTO=1 answers the reviews by itself
#   make test   all tests, with branch coverage     make lint   ruff, mypy, import-linter
#   make engine workers killed, runs that meet and planted secrets, on a real Airflow: a quarter of an hour
#   make e2e    a person's clicks in Chromium, from the connection's form to the bank: pictures in tests/e2e/artifacts
#   make chaos  thousands of seeded episodes of faults; chaos-teeth: each safeguard knocked out in turn
#   make races  50 writers for one claim, 400 times on disk and 200 on an S3 stand-in; 20,000 simulated schedules
#   make scale  5,000 disputes through Celery workers that are killed; needs PostgreSQL and Redis
#   make bench  staging beside raw aiohttp, the official client and HttpHook; rates, memory: ten minutes
#   make third-api  a third API added to a copy of this checkout: the diff, and its tests
#   make drift  our contracts beside reference copies of the APIs' own: SPECS=folder
#   make compat the wheel with old and new releases of Airflow and of everything else; ROW=oldest for one row
#   make lock   renew requirements.lock             make PYTHON=python3.13 …   with another Python
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTS ?= tests

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: bench chaos chaos-teeth compat demo drift e2e engine format lint lock races scale test third-api

$(READY): requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv .venv
	@# uv installs the lock ten times as fast as pip; pip installs uv, by the lock's own line and hashes.
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock >.venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY)
	@$(BIN)/python -m demo $(if $(AUTO),--auto)

# Thousands of seeded episodes of faults, crashes and other people; then each safeguard knocked out in turn.
chaos: $(READY)
	$(BIN)/python -m tests.chaos --episodes $(or $(EPISODES),10000)

chaos-teeth: $(READY)
	$(BIN)/python -m tests.chaos.mutants

# The long form of what `make test` runs of the ledger's races and schedules: a quarter of an hour.
races: $(READY)
	LEDGER_RACES=full $(BIN)/pytest -n 2 --dist worksteal tests/ledger/test_ledger_races.py tests/ledger/test_ledger_schedules.py

# Rows: oldest 3.3.1 3.3.2 lowest newest; each has its logs in .compat.
compat: $(READY)
	@$(BIN)/python -m tests.compat $(ROW)

# Everything side by side in one run; BASE_URL=… for another server.
bench: $(READY)
	$(BIN)/python -m bench $(if $(BASE_URL),--base-url $(BASE_URL))

test: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-fail-under=90 $(TESTS)

third-api: $(READY)
	$(BIN)/python -m tests.third_api

drift: $(READY)
	DISPUTE_SPECS="$(SPECS)" $(BIN)/pytest tests/drift

# The demo's Airflow reaps its processes without Popen, which then believes that they run still.
engine: $(READY)
	$(BIN)/pytest -s -W ignore::ResourceWarning tests/engine

# Needs Debian's chromium, or another one that is called so.
e2e: $(READY)
	$(BIN)/pytest -s -W ignore::ResourceWarning --timeout 600 tests/e2e

# PostgreSQL and Redis as Debian packages them; SCALE=500 is a small run.
scale: $(READY)
	@$(BIN)/python -m tests.scale --disputes $(or $(SCALE),5000)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.wire_names

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# One lock for every Python that is supported, with hashes. UPGRADE=--upgrade takes what is newest.
# And the lowest releases that setup.cfg accepts, for `make compat`: always anew, for uv would keep higher ones.
lock: $(READY)
	$(BIN)/uv pip compile setup.cfg requirements-dev.in --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command 'make lock' $(UPGRADE) \
		--quiet --output-file requirements.lock
	$(BIN)/uv pip compile setup.cfg tests/compat/tools.in --universal --python-version 3.11 --resolution lowest-direct \
		--no-annotate --custom-compile-command 'make lock' --upgrade \
		--quiet --output-file tests/compat/constraints/lowest.txt
