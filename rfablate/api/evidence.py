"""Evidence for the numbers: convergence of a case, verification of the installation, validation by experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.api.run_case import LogOptions, all_ranks, load_case, run_in
from rfablate.case.read.case_name import case_name
from rfablate.case.tables.schema import Case
from rfablate.evidence.converge_case import Convergence, converge_case
from rfablate.results.summary_models import RunSummary
from rfablate.simulation.run_options import RunOptions

if TYPE_CHECKING:
    from mpi4py import MPI

    from rfablate.evidence.validation_results import Validation
    from rfablate.evidence.verification_results import Verification

VERIFICATION = Path("runs") / "verification"
"""Where `verify` writes by default."""
VALIDATION = Path("runs") / "validation"
"""Where `validate` writes by default."""


def converge(
    case: Case | str | Path, directory: str | Path | None = None, *, comm: MPI.Comm | None = None, quiet: bool = False
) -> Convergence:
    """Study the convergence of a case in mesh, time step and domain size. Collective.

    Args:
        case: a case, or the path of a case file.
        directory: directory of the runs and convergence.json; by default `runs/<name>-converge`. Complete runs of the
            same case in it are not repeated.
        comm: the ranks to run on; by default all.
        quiet: print warnings only.

    Raises:
        CaseError: the case has faults, or its mesh comes from a file.
        MeshError, SolveError, StepError, Interrupted: as `run`.
    """
    name = "case"
    if not isinstance(case, Case):
        name, case = case_name(Path(case)), load_case(case)
    place = Path(directory) if directory is not None else Path("runs") / f"{name}-converge"
    comm = comm or all_ranks()

    def run(case: Case, directory: Path) -> None:
        run_in(case, directory, comm, RunOptions(overwrite=True), LogOptions(quiet))

    return converge_case(case, place, comm, run)


def verify(
    directory: str | Path | None = None, *, quick: bool = False, comm: MPI.Comm | None = None, quiet: bool = False
) -> Verification:
    """Verify this installation against closed forms, balances and symmetries. Collective.

    Args:
        directory: directory of verification.json, verification.md and the runs; by default `runs/verification`.
        quick: shorter runs and coarser meshes, less than a minute.
        comm: the ranks to run on; by default all.
        quiet: print nothing; by default one line after each check.

    Returns:
        All measurements with their limits; `passed` is whether all checks pass.

    Raises:
        CaseError: the directory cannot be written.
    """
    from rfablate.evidence.verification import Setting, verify_installation
    from rfablate.evidence.verification_table import progress_line
    from rfablate.simulation.run import run as run_in_directory

    comm = comm or all_ranks()
    place = Path(directory) if directory is not None else VERIFICATION
    report = None if quiet else lambda each: print(progress_line(each), flush=True)

    def simulate(case: Case, directory: Path) -> RunSummary:
        return run_in_directory(case, directory, comm, RunOptions(overwrite=True)).summary

    return verify_installation(Setting(comm, place, simulate, quick), report=report)


def validate(
    directory: str | Path | None = None,
    experiments: str | Sequence[str] = "quick",
    *,
    data: Sequence[str | Path] = (),
    vary_inputs: bool = True,
    comm: MPI.Comm | None = None,
    quiet: bool = False,
) -> Validation:
    """Compare the model with published experiments, and with the user's own. Collective.

    Args:
        directory: directory of validation.json, .md, .html and of the runs; by default `runs/validation`. Complete runs
            of the same case in it are not repeated.
        experiments: "quick" for the quick subset of the package and all experiments in `data`, "all" for everything, or
            names.
        data: folders of the user's experiments, each a NAME.toml with a NAME.csv.
        vary_inputs: whether to run both ends of every uncertain input; without, u_input contains only the rule of the
            lesion boundary, and some failures are wrongly taken as resolved.
        comm: the ranks to run on; by default all.
        quiet: print nothing; by default one line after each experiment.

    Returns:
        All compared numbers with uncertainties, limits and verdicts.

    Raises:
        CaseError: a data file has faults, a name is unknown, or the directory cannot be written.
        Interrupted: a signal stopped a run.
    """
    from rfablate.evidence.validation import ALL, Runner, experiments_of, validate_model
    from rfablate.evidence.validation_results import Scope
    from rfablate.evidence.validation_table import progress_line
    from rfablate.mesh.root_tasks import from_root

    comm = comm or all_ranks()
    chosen = from_root(comm, lambda: experiments_of(experiments, [Path(each) for each in data]))
    if not vary_inputs:
        chosen = [each.without_varied_inputs() for each in chosen]
    place = Path(directory) if directory is not None else VALIDATION

    def run(case: Case, directory: Path) -> None:
        run_in(case, directory, comm, RunOptions(overwrite=True), LogOptions(quiet=True))

    report = None if quiet else lambda each: print(progress_line(each), flush=True)
    scope = Scope(everything=experiments == ALL, vary_inputs=vary_inputs)
    return validate_model(chosen, place, Runner(comm, run, report), scope)
