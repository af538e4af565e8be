# `make` lists the targets. Each target installs its requirements on first use.
# With conda instead of install.sh: conda activate rfablate, then e.g. make test BIN=$CONDA_PREFIX/bin INSTALL=true

BIN ?= .venv/bin
INSTALL ?= ./install.sh
CORES := $(shell getconf _NPROCESSORS_ONLN)
NP ?= $(if $(filter 1,$(CORES)),1,2)
MPIRUN ?= mpirun --oversubscribe
SUITES ?= trixie sid

# One core per rank. Open MPI needs both variables to start ranks as root.
export OMP_NUM_THREADS = 1
export OMPI_ALLOW_RUN_AS_ROOT = 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM = 1
# Waiting ranks yield their core: on a busy machine the tests on two ranks took 26 s instead of 99 s.
suite mpi mpi2 mpi3: export OMPI_MCA_mpi_yield_when_idle = 1

# A failing rank ends all ranks: -x stops its pytest, and mpi4py aborts the others. The timeout thread ends a rank that
# blocks in MPI (a signal would not interrupt it).
MPI_PYTEST = $(BIN)/python -m mpi4py -m pytest -x -q -p no:cacheprovider --timeout-method=thread

STAGES = lint types suite hpc mpi2 mpi3

.PHONY: help audit bench docs faults fuzz soak gallery glossary scaling install run test lint types suite quick hpc mpi mpi2 mpi3 doctor test-matrix clean

help: ## list of the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## create .venv with the rfablate command (one second if up to date)
	@$(INSTALL)

run: install ## run the case trigeminal into runs/trigeminal (NP=2 ranks)
	$(if $(filter 1,$(NP)),,$(MPIRUN) -n $(NP)) $(BIN)/rfablate run cases/trigeminal/case.toml --overwrite -o runs/trigeminal

test: install ## all stages of CI; continues after a failing stage (make quick: two minutes)
	@failed=; for stage in $(STAGES); do $(MAKE) --no-print-directory $$stage || failed="$$failed $$stage"; done; \
	if [ -n "$$failed" ]; then echo "make test: FAILED in:$$failed"; exit 1; fi; \
	echo "make test: all stages passed ($(STAGES)); make quick runs the two-minute part"

lint: install ## ruff: lint rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy, strict on the pure half
	$(BIN)/mypy

suite: install ## the test suite on one rank, one worker per core (ARGS="-k lesion" for a part)
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile --no-loadscope-reorder --ignore tests/hpc -m "not faults" $(ARGS)

quick: install ## the fast tests: no solver, no MPI
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile tests/pure -m "not slow"

hpc: install ## the tests on real Slurm daemons (skipped without Slurm)
	$(BIN)/python -m pytest tests/hpc

faults: install ## the long fault tests: killed runs, full disks, hostile files (the short ones are in make test)
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile -m faults $(ARGS)

fuzz: install ## 100,000 random inputs of every kind (make test has 2,000; FUZZ=10000 for fewer)
	RFABLATE_FUZZ=$(or $(FUZZ),100000) $(BIN)/python -m pytest -n $(CORES) --timeout=86400 tests/fuzz $(ARGS)

soak: install ## a long run on 2 ranks with checkpoints: memory, energy balance, log (MINUTES=60 NODES=200000)
	$(BIN)/python -m hpc.soak --minutes $(or $(MINUTES),60) --nodes $(or $(NODES),200000) --ranks $(NP)

audit: install ## known vulnerabilities of the tested set of packages, requirements.lock
	$(BIN)/python -m pip install -q pip-audit
	$(BIN)/python -m pip_audit -r requirements.lock --no-deps

mpi: mpi2 mpi3 ## the tests on 2 and on 3 ranks

mpi2: install
	$(MPIRUN) -n 2 $(MPI_PYTEST) -m mpi

mpi3: install
	$(MPIRUN) -n 3 $(MPI_PYTEST) -m mpi3

bench: install ## benchmark B1, compared with a FEniCSx baseline (ARGS="small medium --ranks 1")
	$(BIN)/python -m hpc.bench $(ARGS)

docs: install ## build the site of docs/ into site/ (warnings are errors, links checked; opens offline)
	@$(BIN)/python -c 'import material, mkdocstrings' 2>/dev/null || $(BIN)/python -m pip install -q -e '.[docs]'
	PYTHONPATH=. NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q --strict
	$(BIN)/python -m docs.site_check site

glossary: install ## regenerate docs/glossary.md and the other pages made of the code
	$(BIN)/python -m docs.glossary
	$(BIN)/python -m docs.reference_pages

gallery: install ## run all cases and regenerate docs/gallery.md (about 15 min; ARGS="trigeminal", ARGS=--kept)
	$(BIN)/python -m docs.gallery $(ARGS)

scaling: install ## time, memory and messages of a step; model to 1,024 ranks (half an hour, quiet machine)
	$(BIN)/python -m hpc.scaling growth
	$(BIN)/python -m hpc.scaling count
	$(BIN)/python -m hpc.scaling measure
	$(BIN)/python -m hpc.scaling model runs/scaling/measured.json
	$(if $(filter 0,$(shell id -u)),$(BIN)/python -m hpc.scaling latency)

doctor: install ## check whether this machine can run rfablate
	@$(BIN)/rfablate doctor

test-matrix: ## install and test on Debian 13 and unstable in temporary root trees (root, 10 GB, long)
	for suite in $(SUITES); do hpc/matrix/run.sh $$suite || exit 1; done

clean: ## delete .venv, caches and runs (keeps the compiled DOLFINx: ./install.sh --clean-cache)
	rm -rf .venv runs site .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
