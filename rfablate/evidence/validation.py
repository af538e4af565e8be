"""Validation: the model against the experiments of the package and of the user. Collective."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.errors import CaseError, Fault
from rfablate.evidence.experiment_file import FOLDER, Experiment, experiment_names, load_experiment
from rfablate.evidence.experiment_runs import RunCase, check_cases, run_experiment
from rfablate.evidence.library_versions import library_versions
from rfablate.evidence.validation_page import validation_page
from rfablate.evidence.validation_results import ExperimentResult, Scope, Validation
from rfablate.evidence.validation_table import validation_markdown
from rfablate.files import write_text

if TYPE_CHECKING:
    from mpi4py import MPI

QUICK, ALL = "quick", "all"
"""The quick subset of the package with the user's experiments; all experiments."""


@dataclass(frozen=True)
class Runner:
    """How the cases of a validation are run."""

    comm: MPI.Comm
    """The ranks to run on."""
    run: RunCase
    """Runs a case in a directory, replacing an older run there. Collective."""
    report: Callable[[ExperimentResult], None] | None = None
    """Called with each result on rank 0."""


def experiments_of(chosen: str | Sequence[str], folders: Sequence[Path] = ()) -> list[Experiment]:
    """Return the experiments to run, after a check of all their cases.

    Args:
        chosen: "quick" for the quick subset of the package and the user's experiments, "all", or names.
        folders: the user's folders.

    Raises:
        CaseError: a file or the case of a run has faults, or a name is unknown.
    """
    own = [load_experiment(name) for name in experiment_names(FOLDER)]
    theirs = [load_experiment(name, folder) for folder in folders for name in experiment_names(folder)]
    found = [*own, *theirs]
    every = [each.name for each in found]
    if doubled := sorted({name for name in every if every.count(name) > 1}):
        faults = [Fault(name, "two experiments have this name", "unique file names") for name in doubled]
        raise CaseError(faults, "validate")
    if chosen == QUICK:
        found = [*(each for each in own if each.table.quick), *theirs]
    elif chosen != ALL:
        names = [chosen] if isinstance(chosen, str) else list(chosen)
        expected = ", ".join(every)
        if unknown := [name for name in names if name not in every]:
            raise CaseError([Fault(name, "no such experiment", f"one of {expected}") for name in unknown], "validate")
        found = [each for each in found if each.name in names]
    check_cases(found)
    return found


def validate_model(experiments: Sequence[Experiment], directory: Path, runner: Runner, scope: Scope) -> Validation:
    """Run all experiments and write validation.json, validation.md and validation.html. Collective.

    Args:
        experiments: the experiments.
        directory: directory of the results and of the runs.
        runner: runs the cases.
        scope: what is run, for the results.

    Raises:
        CaseError: the directory cannot be written.
        Interrupted: a signal stopped a run.
    """
    from rfablate.mesh.root_tasks import from_root, on_root

    comm = runner.comm
    begun, started = time.perf_counter(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    on_root(comm, lambda: _make_directory(directory))
    cpu = _cpu_seconds()
    results = []
    for each in experiments:
        results.append(run_experiment(each, directory / "runs" / each.name, comm, runner.run))
        if runner.report is not None and comm.rank == 0:
            runner.report(results[-1])
    used = comm.allreduce(_cpu_seconds() - cpu)
    found = Validation(
        experiments=tuple(results),
        scope=scope,
        ranks=comm.size,
        seconds=comm.bcast(time.perf_counter() - begun),
        cpu_s=used,
        versions=from_root(comm, library_versions),
        date=comm.bcast(started),
    )
    on_root(comm, lambda: _write(found, directory))
    return found


def _cpu_seconds() -> float:
    """Return the processor time of this process and its children [s]."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CaseError(
            [Fault(str(directory), error.strerror or str(error), "a writable folder")], "validate"
        ) from None


def _write(found: Validation, directory: Path) -> None:
    write_text(directory / "validation.json", json.dumps(found.to_dict(), indent=1) + "\n")
    write_text(directory / "validation.md", validation_markdown(found))
    write_text(directory / "validation.html", validation_page(found))
