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
from rfablate.evidence.validation_results import ExperimentResult, Validation
from rfablate.evidence.validation_table import validation_markdown
from rfablate.files import write_text

if TYPE_CHECKING:
    from mpi4py import MPI


@dataclass(frozen=True)
class ChosenExperiments:
    """The experiments of a validation."""

    experiments: tuple[Experiment, ...]
    everything: bool
    """Whether all experiments of the package were asked for, rather than its quick subset."""


def experiments_of(folders: Sequence[Path], *, everything: bool, names: Sequence[str] = ()) -> ChosenExperiments:
    """Return the experiments to run: those of the package, and all of the user's folders.

    Args:
        folders: the user's folders.
        everything: all experiments of the package; otherwise its quick subset.
        names: if not empty, only the experiments with these names.

    Raises:
        CaseError: a file or the case of a run has faults, or a name is unknown.
    """
    own = [load_experiment(name) for name in experiment_names(FOLDER)]
    theirs = [load_experiment(name, folder) for folder in folders for name in experiment_names(folder)]
    found = [*own, *theirs]
    every = [each.name for each in found]
    if doubled := sorted({name for name in every if every.count(name) > 1}):
        raise CaseError(
            [Fault(name, "two experiments have this name", "unique file names") for name in doubled], "validate"
        )
    unknown = [name for name in names if name not in every]
    if unknown:
        expected = ", ".join(every)
        raise CaseError([Fault(name, "no such experiment", f"one of {expected}") for name in unknown], "validate")
    usual = [*(each for each in own if everything or each.table.quick), *theirs]
    chosen = [each for each in found if each.name in names] if names else usual
    check_cases(chosen)
    return ChosenExperiments(tuple(chosen), everything)


def validate_model(
    chosen: ChosenExperiments,
    directory: Path,
    comm: MPI.Comm,
    run: RunCase,
    report: Callable[[ExperimentResult], None] | None = None,
) -> Validation:
    """Run all experiments and write validation.json, validation.md and validation.html. Collective.

    Args:
        chosen: the experiments.
        directory: directory of the results and of the runs.
        comm: the ranks to run on.
        run: runs a case in a directory. Collective.
        report: called with each result on rank 0.

    Raises:
        CaseError: the directory cannot be written.
        Interrupted: a signal stopped a run.
    """
    from rfablate.mesh.root_tasks import from_root, on_root

    begun, started = time.perf_counter(), datetime.now(timezone.utc).isoformat(timespec="seconds")
    on_root(comm, lambda: _make_directory(directory))
    cpu = _cpu_seconds()
    results = []
    for each in chosen.experiments:
        results.append(run_experiment(each, directory / "runs" / each.name, comm, run))
        if report is not None and comm.rank == 0:
            report(results[-1])
    used = comm.allreduce(_cpu_seconds() - cpu)
    found = Validation(
        experiments=tuple(results),
        everything=chosen.everything,
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
