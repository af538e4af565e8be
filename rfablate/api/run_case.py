"""Functions that load and run a case, resume a run and open a finished run. Collective where stated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.api.run_result import RunResult
from rfablate.case.checks.all_checks import case_warnings, check_parts
from rfablate.case.read import case_file
from rfablate.case.read.case_name import case_name
from rfablate.case.read.overrides import setting
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.log import setup_log
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.results.directory_lock import RunLock
from rfablate.results.run_directory import end_reason, require_other_than_start, require_unused
from rfablate.simulation.run_options import RunOptions
from rfablate.version import __version__

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.simulation.outcome import Outcome


def load_case(path: str | Path, changes: Mapping[str, Any] | Sequence[str] = ()) -> Case:
    """Return the case in a TOML file, or in case.toml of a folder.

    Args:
        path: case file, or folder with a case.toml.
        changes: keys of the case with new values, `{"generator.target_degC": 80}`, or `key=value` texts as for
            `--set`; list items by index or name: `applicators.0.tip_mm`, `structures.nerve.diameter_mm`.

    Raises:
        CaseError: the file cannot be read, or the case has faults; the error holds all of them.
    """
    texts = [setting(key, value) for key, value in changes.items()] if isinstance(changes, Mapping) else list(changes)
    return case_file.load_case(path, texts)


def run(
    case: Case | str | Path,
    directory: str | Path | None = None,
    *,
    comm: MPI.Comm | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    extensions: Extensions | None = None,
) -> RunResult:
    """Simulate a case, write its run directory and return the result. Collective.

    Args:
        case: a case, or the path of a case file.
        directory: run directory; by default `runs/<name>` with the name of the case file's folder, or the title.
        comm: MPI communicator of the run; by default all ranks.
        overwrite: replace an older run in the directory.
        quiet: print only warnings.
        extensions: user-defined generator, tissues, damage kinetics or shapes of structures.

    Raises:
        CaseError: the case has faults, or the directory already holds a run.
        MeshError, SolveError, StepError: on every rank; after the last two the directory holds the last valid state.
        Interrupted: a signal stopped the run; `resume` continues it.
    """
    name = "run"
    if not isinstance(case, Case):
        name, case = case_name(Path(case)), load_case(case)
    elif directory is None:
        name = "".join(c if c.isalnum() else "-" for c in case.title.lower()).strip("-")[:60] or "run"
    run_directory = Path(directory) if directory is not None else Path("runs") / name
    comm = comm or all_ranks()
    options = RunOptions(overwrite=overwrite, extensions=extensions or NO_EXTENSIONS)
    run_in(case, run_directory, comm, options, LogOptions(quiet=quiet))
    comm.barrier()  # rank 0 has written the last file
    return RunResult(run_directory)


def resume(
    directory: str | Path,
    *,
    comm: MPI.Comm | None = None,
    quiet: bool = False,
    extensions: Extensions | None = None,
) -> RunResult:
    """Resume an interrupted run from its newest valid checkpoint, on any number of ranks. Collective.

    A run that has already ended is returned unchanged. A run with `extensions` must be resumed with equal ones.

    Raises:
        CaseError: there is no run in the directory, or its checkpoint belongs to another case or version.
        MeshError, SolveError, StepError, Interrupted: as for `run`.
    """
    comm = comm or all_ranks()
    resume_in(Path(directory), comm, RunOptions(extensions=extensions or NO_EXTENSIONS), quiet=quiet)
    comm.barrier()
    return RunResult(directory)


def open_run(directory: str | Path) -> RunResult:
    """Return the result of a finished run.

    Raises:
        CaseError: there is no finished run in the directory.
    """
    return RunResult(directory)


@dataclass(frozen=True)
class LogOptions:
    """What the log of a run contains."""

    quiet: bool = False
    """Whether only warnings are printed."""
    source: str = "case"
    """Origin of the case."""
    notes: tuple[str, ...] = ()
    """Additional lines."""


def run_in(case: Case, directory: Path, comm: MPI.Comm, options: RunOptions, log_options: LogOptions) -> Outcome:
    """Run a case in a directory that is empty or may be overwritten. Collective."""
    from rfablate.simulation.machine_limits import refuse_before_meshing
    from rfablate.simulation.run import run as run_in_directory

    case = options.extensions.applied_to(case)
    refuse_before_meshing(case, directory, comm)
    with _locked(comm, lambda: _prepare(case, directory, overwrite=options.overwrite)):
        log = setup_log(comm.rank, directory / "run.log", quiet=log_options.quiet)
        log.info("rfablate %s: %s", __version__, case.title)
        log.info("%s -> %s, %d rank%s", log_options.source, directory, comm.size, "s" if comm.size > 1 else "")
        for note in log_options.notes:
            log.info("%s", note)
        for warning in case_warnings(case) if comm.rank == 0 else ():
            log.warning(warning)
        # overwrite=True: `_prepare` has checked the directory, which now contains the log file.
        return run_in_directory(case, directory, comm, replace(options, overwrite=True))


def resume_in(directory: Path, comm: MPI.Comm, options: RunOptions, *, quiet: bool) -> Outcome | None:
    """Resume a run; return None where it has already ended. Collective."""
    from rfablate.mesh.root_tasks import from_root
    from rfablate.simulation.run import resume as resume_in_directory

    if from_root(comm, lambda: end_reason(directory)):
        return None
    with _locked(comm, lambda: RunLock(directory)):
        if from_root(comm, lambda: end_reason(directory)):  # while the lock was waited for
            return None
        case = from_root(comm, lambda: case_file.load_case(directory))
        log = setup_log(comm.rank, directory / "run.log", quiet=quiet, append=True)
        log.info("rfablate %s resumes %s: %s", __version__, directory, case.title)
        return resume_in_directory(case, directory, comm, options)


def all_ranks() -> MPI.Comm:
    """Return the communicator of all ranks."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


@contextmanager
def _locked(comm: MPI.Comm, lock: Callable[[], RunLock]) -> Iterator[None]:
    """Hold the lock of a run directory, which `lock` acquires on rank 0. Collective."""
    from rfablate.mesh.root_tasks import on_root

    held = on_root(comm, lock)
    try:
        yield
    finally:
        if held is not None:
            held.release()


def _prepare(case: Case, directory: Path, *, overwrite: bool) -> RunLock:
    """Check a case, which may have been built in Python, create the run directory and lock it. Root only."""
    faults = check_parts(CheckableCase.of(case))
    if faults:
        raise CaseError(faults, case.title)
    require_unused(directory, overwrite=overwrite)
    require_other_than_start(directory, case)
    if case.domain.kind == "mesh":  # before the directory is made; the run takes the mesh from the cache
        from rfablate.mesh.build import make_mesh

        make_mesh(case)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a writable directory", "choose another directory")
        raise CaseError([fault], "output") from None
    lock = RunLock(directory)
    try:
        require_unused(directory, overwrite=overwrite)  # again: another run may have used the directory meanwhile
    except CaseError:
        lock.release()
        raise
    return lock
