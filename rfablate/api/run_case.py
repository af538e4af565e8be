"""Running a case, resuming and opening runs. Collective where said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.api.run_result import RunResult
from rfablate.case.checks.all_checks import case_warnings, check_parts
from rfablate.case.read import case_file
from rfablate.case.read.case_name import case_name
from rfablate.case.read.overrides import setting
from rfablate.case.resolve.sound_parts import Parts
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.log import setup_log
from rfablate.problem.extensions import Extensions
from rfablate.results.run_directory import refuse_own_start, refuse_used
from rfablate.version import __version__

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.simulation.run import Outcome


def load_case(path: str | Path, changes: Mapping[str, Any] | Sequence[str] = ()) -> Case:
    """Return the case in a TOML file, or in case.toml of a folder.

    Args:
        path: the file, or the folder.
        changes: keys of the case with their new values, `{"generator.target_degC": 80}`, or `key=value` texts as
            after `--set`; items of a list by number or name: `applicators.0.tip_mm`, `structures.nerve.diameter_mm`.

    Raises:
        CaseError: the file cannot be read, or the case has faults; carries all of them.
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
        directory: run directory; by default `runs/<name>`, the name that of the case file's folder or of the title.
        comm: the ranks to run on; by default all.
        overwrite: replace an older run in the directory.
        quiet: print warnings only.
        extensions: a generator, tissues or damage kinetics of your own.

    Raises:
        CaseError: the case has faults, or the directory holds a run already.
        MeshError, SolveError, StepError: on every rank; after the last two the directory holds the last good state.
        Interrupted: a signal asked it to stop; `resume` continues from there.
    """
    name = "run"
    if not isinstance(case, Case):
        name, case = case_name(Path(case)), load_case(case)
    elif directory is None:
        name = "".join(c if c.isalnum() else "-" for c in case.title.lower()).strip("-")[:60] or "run"
    place = Path(directory) if directory is not None else Path("runs") / name
    comm = comm or world()
    run_in(case, place, comm, overwrite=overwrite, quiet=quiet, extensions=extensions)
    comm.barrier()  # rank 0 has written the last file
    return RunResult(place)


def resume(
    directory: str | Path,
    *,
    comm: MPI.Comm | None = None,
    quiet: bool = False,
    extensions: Extensions | None = None,
) -> RunResult:
    """Continue an interrupted run from its newest good checkpoint, on any number of ranks. Collective.

    A run that has ended already is returned as it is. A run that was given `extensions` is given equal ones again.

    Raises:
        CaseError: there is no run in the directory, or its checkpoint is of another case or version.
        MeshError, SolveError, StepError, Interrupted: as for `run`.
    """
    comm = comm or world()
    resume_in(Path(directory), comm, quiet=quiet, extensions=extensions)
    comm.barrier()
    return RunResult(directory)


def open_run(directory: str | Path) -> RunResult:
    """Return the result of a finished run.

    Raises:
        CaseError: there is no finished run in the directory.
    """
    return RunResult(directory)


def run_in(
    case: Case,
    directory: Path,
    comm: MPI.Comm,
    *,
    overwrite: bool,
    quiet: bool,
    source: str = "",
    notes: Sequence[str] = (),
    extensions: Extensions | None = None,
    began: float | None = None,
) -> Outcome:
    """Run a case in a directory that is free or may be overwritten. Collective.

    `source` is what the log calls the case's origin, `notes` are lines for the log, `began` is when the command did.
    """
    from rfablate.mesh.root_tasks import from_root
    from rfablate.simulation.run import run as run_in_directory

    from_root(comm, lambda: _prepare(case, directory, overwrite))
    log = setup_log(comm.rank, directory / "run.log", quiet=quiet)
    log.info("rfablate %s: %s", __version__, case.title)
    log.info("%s -> %s, %d rank%s", source or "case", directory, comm.size, "s" if comm.size > 1 else "")
    for note in notes:
        log.info("%s", note)
    for warning in case_warnings(case) if comm.rank == 0 else ():
        log.warning(warning)
    # The directory was found free, or given up, above; since then it holds the log.
    own = extensions or Extensions()
    return run_in_directory(case, directory, comm, overwrite=True, extensions=own, began=began)


def resume_in(directory: Path, comm: MPI.Comm, *, quiet: bool, extensions: Extensions | None = None) -> Outcome | None:
    """Continue a run; return None where it has ended already. Collective."""
    from rfablate.mesh.root_tasks import from_root
    from rfablate.results.run_directory import ended
    from rfablate.simulation.run import resume as resume_in_directory

    if from_root(comm, lambda: ended(directory)):
        return None
    case = from_root(comm, lambda: case_file.load_case(directory))
    log = setup_log(comm.rank, directory / "run.log", quiet=quiet, append=True)
    log.info("rfablate %s resumes %s: %s", __version__, directory, case.title)
    return resume_in_directory(case, directory, comm, extensions=extensions or Extensions())


def world() -> MPI.Comm:
    """Return all ranks."""
    from mpi4py import MPI

    return MPI.COMM_WORLD


def _prepare(case: Case, directory: Path, overwrite: bool) -> None:
    """Check a case that may come from Python, and make its directory. Root only."""
    faults = check_parts(Parts.of(case))
    if faults:
        raise CaseError(faults, case.title)
    refuse_used(directory, overwrite=overwrite)
    refuse_own_start(directory, case)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = Fault(str(directory), error.strerror or str(error), "a place to write to", "choose another directory")
        raise CaseError([fault], "output") from None
