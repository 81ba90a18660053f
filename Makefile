# Each target first creates the virtual environment from the lock file, if it does not exist.
#   make demo   contest disputes on a real Airflow in your browser; AUTO=1 answers the reviews automatically
#   make test   run all tests, with branch coverage     make lint   run ruff, mypy and import-linter
#   make engine kill workers, let runs meet, search for planted secrets on a real Airflow (half an hour)
#   make e2e    click through the UI in Chromium; saves pictures in tests/e2e/artifacts, tests/ui/browser/artifacts
#   make chaos  play thousands of seeded episodes of faults; make chaos-teeth: knock out each safeguard in turn
#   make races  race 50 writers for one claim, 400 times on disk and 200 on an S3 stand-in; simulate 20,000 schedules
#   make scale  contest 5,000 disputes with Celery workers that are killed; needs PostgreSQL and Redis
#   make bench  compare staging with raw aiohttp, the official client and HttpHook; measure rates and memory
#   make third-api  add a third API to a copy of this checkout; show the diff and run its tests
#   make drift  compare our contracts with the APIs' reference contracts: SPECS=folder
#   make compat test the wheel with old and new releases of its requirements; ROW=oldest for one row
#   make corpus draw 250 public PDFs beside pdftoppm     make exhibits  join documents of every type at the APIs' limits
#   make lock   update requirements.lock                make PYTHON=python3.13 …   use another Python
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTS ?= tests

# Python compiles each module once, not in every process that a target starts.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: bench chaos chaos-teeth compat corpus demo drift e2e engine exhibits format lint lock races scale test third-api

$(READY): requirements.lock setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv .venv
	@# pip installs uv with the lock's hashes; uv installs the rest ten times as fast as pip.
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock >.venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY)
	@$(BIN)/python -m demo $(if $(AUTO),--auto)

# Seeded episodes of faults, crashes and colleagues; then each safeguard knocked out in turn.
chaos: $(READY)
	$(BIN)/python -m tests.chaos --episodes $(or $(EPISODES),10000)

chaos-teeth: $(READY)
	$(BIN)/python -m tests.chaos.mutants

# The ledger's races and schedules in full; `make test` runs a part of them.
races: $(READY)
	LEDGER_RACES=full $(BIN)/pytest -n 2 --dist worksteal tests/ledger/test_ledger_races.py tests/ledger/test_ledger_schedules.py

# Rows: oldest 3.3.1 3.3.2 lowest newest. Logs are in .compat.
compat: $(READY)
	@$(BIN)/python -m tests.compat $(ROW)

# BASE_URL=… measures at another server.
bench: $(READY)
	$(BIN)/python -m bench $(if $(BASE_URL),--base-url $(BASE_URL))

# Needs Debian's package poppler-utils, and GitHub or CLONES=folder, with clones as owner/name. FOLDER=… compares
# other documents. PICTURES=folder keeps both drawings of each page that differs.
corpus: $(READY)
	@$(BIN)/python -m tests.corpus $(FOLDER) $(if $(CLONES),--clones $(CLONES)) $(if $(PICTURES),--pictures $(PICTURES))

# Needs Debian's packages tesseract-ocr and fonts-dejavu-core.
exhibits: $(READY)
	EXHIBITS=full $(BIN)/pytest -s tests/workflow/test_exhibit_limits.py tests/exhibits

test: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-fail-under=95 $(TESTS)

third-api: $(READY)
	$(BIN)/python -m tests.third_api

drift: $(READY)
	DISPUTE_SPECS="$(SPECS)" $(BIN)/pytest tests/drift

# Needs Debian's package postgresql. Airflow's processes are reaped without Popen, which then warns that they still run.
engine: $(READY)
	$(BIN)/pytest -s -W ignore::ResourceWarning tests/engine

# Needs a program named chromium, as in Debian's package.
e2e: $(READY)
	$(BIN)/pytest tests/ui/browser
	$(BIN)/pytest -s -W ignore::ResourceWarning --timeout 600 tests/e2e

# Needs Debian's packages postgresql and redis-server. SCALE=500 makes a small run.
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

# One lock for all supported Python versions, with hashes. UPGRADE=--upgrade takes the newest releases.
# The second file has the lowest releases that setup.cfg accepts, for `make compat`. It needs --upgrade: without
# it, uv would keep higher releases of an existing file.
lock: $(READY)
	$(BIN)/uv pip compile setup.cfg requirements-dev.in --universal --python-version 3.11 \
		--generate-hashes --no-annotate --custom-compile-command 'make lock' $(UPGRADE) \
		--quiet --output-file requirements.lock
	$(BIN)/uv pip compile setup.cfg tests/compat/tools.in --extra packet --extra sql --universal \
		--python-version 3.11 --resolution lowest-direct --no-annotate --custom-compile-command 'make lock' --upgrade \
		--quiet --output-file tests/compat/constraints/lowest.txt
