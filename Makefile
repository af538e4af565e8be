# `make` lists what there is. Everything installs what it needs on first use.
# With conda instead of install.sh: conda activate rfablate, then e.g. make test BIN=$CONDA_PREFIX/bin INSTALL=true

BIN ?= .venv/bin
INSTALL ?= ./install.sh
CORES := $(shell getconf _NPROCESSORS_ONLN)
NP ?= $(if $(filter 1,$(CORES)),1,2)
MPIRUN ?= mpirun --oversubscribe
SUITES ?= trixie sid

# One core a rank; Open MPI wants to be told twice that root may start ranks.
export OMP_NUM_THREADS = 1
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
# Ranks that wait give their core away: on a busy machine the tests of two ranks took 26 s instead of 99.
suite mpi mpi2 mpi3: export OMPI_MCA_mpi_yield_when_idle = 1

# A failing rank ends all: -x stops its pytest, mpi4py then aborts the others; a rank that waits in MPI for ever is
# ended by the timeout's thread (a signal would not be seen there).
MPI_PYTEST = $(BIN)/python -m mpi4py -m pytest -x -q -p no:cacheprovider --timeout-method=thread

STAGES = lint types suite hpc mpi2 mpi3

.PHONY: help bench docs gallery glossary scaling install run test lint types suite quick hpc mpi mpi2 mpi3 doctor test-matrix clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## .venv with the rfablate command (a second when it is up to date)
	@$(INSTALL)

run: install ## the first case, trigeminal rhizotomy, into runs/trigeminal (NP=2 ranks)
	$(if $(filter 1,$(NP)),,$(MPIRUN) -n $(NP)) $(BIN)/rfablate run cases/trigeminal/case.toml --overwrite -o runs/trigeminal

test: install ## everything CI checks; a failing stage does not stop the others (make quick: two minutes)
	@failed=; for stage in $(STAGES); do $(MAKE) --no-print-directory $$stage || failed="$$failed $$stage"; done; \
	if [ -n "$$failed" ]; then echo "make test: FAILED in:$$failed"; exit 1; fi; \
	echo "make test: all stages passed ($(STAGES)); make quick runs the two-minute part"

lint: install ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy, strict on the pure half
	$(BIN)/mypy

suite: install ## the test suite on one rank, a worker a core (ARGS="-k lesion" for a part)
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile --ignore tests/hpc $(ARGS)

quick: install ## the fast tests: no solver, no MPI
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile tests/pure -m "not slow"

hpc: install ## the tests on real Slurm daemons (skipped where Slurm is not installed)
	$(BIN)/python -m pytest tests/hpc

mpi: mpi2 mpi3 ## the tests of several ranks, on 2 and on 3

mpi2: install
	$(MPIRUN) -n 2 $(MPI_PYTEST) -m mpi

mpi3: install
	$(MPIRUN) -n 3 $(MPI_PYTEST) -m mpi3

bench: install ## benchmark B1 against FEniCSx as its tutorials teach it (ARGS="small medium --ranks 1")
	$(BIN)/python -m hpc.bench $(ARGS)

docs: install ## the site of docs/ into site/: warnings are errors, every link checked (opens offline: site/index.html)
	@$(BIN)/python -c 'import material, mkdocstrings' 2>/dev/null || $(BIN)/python -m pip install -q -e '.[docs]'
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q --strict
	$(BIN)/python -m docs.site_check site

glossary: install ## make docs/glossary.md again from the table of quantities
	$(BIN)/python -m docs.glossary
	$(BIN)/python -m docs.reference_pages

gallery: install ## run every case and make docs/gallery.md again (some 15 min; ARGS="trigeminal", ARGS=--kept)
	$(BIN)/python -m docs.gallery $(ARGS)

scaling: install ## time, memory and messages of a step here, and the model to 1,024 ranks (half an hour, quiet machine)
	$(BIN)/python -m hpc.scaling growth
	$(BIN)/python -m hpc.scaling count
	$(BIN)/python -m hpc.scaling measure
	$(BIN)/python -m hpc.scaling model runs/scaling/measured.json
	$(if $(filter 0,$(shell id -u)),$(BIN)/python -m hpc.scaling latency)

doctor: install ## can this machine run rfablate, and what to do where not
	@$(BIN)/rfablate doctor

test-matrix: ## install and test on Debian 13 and unstable, each in a fresh root tree (root, 10 GB, long)
	for suite in $(SUITES); do hpc/matrix/run.sh $$suite || exit 1; done

clean: ## delete .venv, caches and runs (the compiled DOLFINx stays: ./install.sh --clean-cache)
	rm -rf .venv runs site .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
