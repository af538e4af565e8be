"""The credibility document of a case, from stored evidence or with evidence made for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.api.run_case import load_case
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.read.case_name import case_name
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.evidence.credibility_document import CredibilityDocument
from rfablate.evidence.credibility_evidence import EvidencePlaces, collect_evidence
from rfablate.evidence.credibility_report import credibility_document, write_document
from rfablate.evidence.library_versions import library_versions, versions_without_solver

if TYPE_CHECKING:
    from mpi4py import MPI

MADE = ("run", "verify", "converge", "validate")
"""Evidence that can be made, each as by the command of this name."""


def write_credibility(
    case: Case | str | Path,
    directory: str | Path | None = None,
    *,
    run: str | Path | None = None,
    convergence: str | Path | None = None,
    verification: str | Path | None = None,
    validation: str | Path | None = None,
    study: str | Path | None = None,
    name: str | None = None,
    make: Collection[str] = (),
    comm: MPI.Comm | None = None,
    quiet: bool = False,
) -> CredibilityDocument:
    """Write the credibility document of a case as credibility.html and credibility.md.

    Evidence that is not named is taken from the default directory of its command, if that holds the same case. What is
    not found is stated as missing. Root only; collective where `make` names something.

    Args:
        case: a case, or the path of a case file or run directory.
        directory: directory of the document; by default `runs/<name>-credibility`.
        run: directory of a finished run of the case; by default `runs/<name>`.
        convergence: directory of `converge`; by default `runs/<name>-converge`.
        verification: directory of `verify`; by default `runs/verification`.
        validation: directory of `validate`; by default `runs/validation`.
        study: directory of a study with distributions; by default the newest one of this case in `studies`.
        name: name of the case in default directories and commands; by default that of its file, or "case".
        make: evidence to make first where it is missing: "run", "verify", "converge", "validate".
        comm: the ranks for `make`; by default all.
        quiet: print nothing while evidence is made.

    Returns:
        The document, with its sections and the list of gaps.

    Raises:
        CaseError: the case has faults, a named directory does not hold such evidence, or the directory cannot be
            written.
        MeshError, SolveError, StepError, Interrupted: as `run`, for evidence that is made.
    """
    if not isinstance(case, Case):
        path = Path(case)
        if run is None and (path / "summary.json").is_file():
            run = path
        name, case = name or case_name(path), load_case(path)
    name = name or "case"
    given = (run, convergence, verification, validation, study)
    places = EvidencePlaces(*(None if each is None else Path(each) for each in given))
    target = Path(directory) if directory is not None else Path("runs") / f"{name}-credibility"
    if not make:
        return _written(case, name, places, target)
    from rfablate.api.run_case import all_ranks
    from rfablate.mesh.root_tasks import from_root

    comm, whole = comm or all_ranks(), case
    _require_known(make)
    makers = _makers(whole, target, comm, quiet=quiet)
    missing = from_root(comm, lambda: collect_evidence(whole, name, places, {}, target).reasons)
    for part, (field, maker) in makers.items():
        if part in make and field in missing:
            places = replace(places, **{field: maker()})
    return from_root(comm, lambda: _written(whole, name, places, target))


def _written(case: Case, name: str, places: EvidencePlaces, target: Path) -> CredibilityDocument:
    """Collect the evidence and write the document. Root only."""
    document = credibility_document(collect_evidence(case, name, places, _versions(), target))
    write_document(document, target)
    return document


def _require_known(make: Collection[str]) -> None:
    """Raise CaseError for evidence that cannot be made."""
    expected = ", ".join(MADE)
    faults = [
        Fault("make", f"found {part!r}", f"one of {expected}", did_you_mean(part, MADE))
        for part in make
        if part not in MADE
    ]
    if faults:
        raise CaseError(faults, "credibility")


def _makers(case: Case, target: Path, comm: MPI.Comm, *, quiet: bool) -> dict[str, tuple[str, Callable[[], Path]]]:
    """Return by command the field of EvidencePlaces, and what makes the evidence. Collective."""
    from rfablate.api import evidence
    from rfablate.api.run_case import run

    def make_run() -> Path:
        return run(case, target / "run", comm=comm, overwrite=True, quiet=quiet).directory

    def make_verification() -> Path:
        evidence.verify(evidence.VERIFICATION, comm=comm, quiet=quiet)
        return evidence.VERIFICATION

    def make_convergence() -> Path:
        evidence.converge(case, target / "convergence", comm=comm, quiet=quiet)
        return target / "convergence"

    def make_validation() -> Path:
        evidence.validate(evidence.VALIDATION, "all", comm=comm, quiet=quiet)
        return evidence.VALIDATION

    return {
        "run": ("run", make_run),
        "verify": ("verification", make_verification),
        "converge": ("convergence", make_convergence),
        "validate": ("validation", make_validation),
    }


def _versions() -> dict[str, str]:
    """Return the versions of this installation, also where the solver is missing."""
    try:
        return library_versions()
    except ImportError:
        return versions_without_solver()
