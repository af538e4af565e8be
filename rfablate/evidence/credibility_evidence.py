"""The stored evidence about a case: run, convergence, verification, validation and uncertainty study. Root only.

Evidence is taken from the directories that the user names, else from those in which the other commands write by
default. A default directory is used only where it holds the same case.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rfablate.case.read.case_file import dump_case, load_case
from rfablate.case.tables.schema import Case
from rfablate.comparison.case_diff import case_difference
from rfablate.errors import CaseError, Fault
from rfablate.evidence.converge_case import BASE, Convergence
from rfablate.evidence.validation_results import ExperimentResult, Scope, Validation
from rfablate.evidence.verification_results import CheckResult, Verification
from rfablate.results.run_reader import RunData, load_run
from rfablate.results.summary_models import RunSummary, read_summary
from rfablate.study.study_file import load_study
from rfablate.study.study_tables import StudyFile
from rfablate.study.uncertainty import UNCERTAINTY_FILE, Uncertainty, read_uncertainty
from rfablate.toml import tomllib

NO_RESULT = ("title", "output", "credibility", "allow_paths")
"""Keys of a case that change no number of a run."""
SHOWN_KEYS = 6
"""Largest number of different keys that a message names."""
DAMAGED = (CaseError, OSError, ValueError, KeyError, TypeError)
"""What the readers raise for files that are missing or damaged."""
Stored = TypeVar("Stored")


@dataclass(frozen=True)
class EvidencePlaces:
    """Directories of stored evidence; None: that in which the command writes by default, if it holds this case."""

    run: Path | None = None
    convergence: Path | None = None
    verification: Path | None = None
    validation: Path | None = None
    study: Path | None = None


@dataclass(frozen=True)
class RunEvidence:
    """A finished run."""

    directory: Path
    summary: RunSummary
    data: RunData
    differences: tuple[str, ...] = ()
    """Keys in which its case differs from the case of the document."""


@dataclass(frozen=True)
class ConvergenceEvidence:
    """A convergence study."""

    directory: Path
    found: Convergence
    differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class VerificationEvidence:
    """A verification of the installation."""

    directory: Path
    found: Verification


@dataclass(frozen=True)
class ValidationEvidence:
    """A validation of the model."""

    directory: Path
    found: Validation


@dataclass(frozen=True)
class StudyEvidence:
    """A study with uncertain inputs."""

    directory: Path
    study: StudyFile
    found: Uncertainty
    differences: tuple[str, ...] = ()
    """Keys that are no axes and in which its runs differ from the case of the document."""


@dataclass(frozen=True)
class CaseEvidence:
    """Everything that is known about a case; None where there is no evidence."""

    case: Case
    name: str
    """Name of the case in commands."""
    versions: Mapping[str, str]
    """Versions of this installation."""
    run: RunEvidence | None = None
    convergence: ConvergenceEvidence | None = None
    verification: VerificationEvidence | None = None
    validation: ValidationEvidence | None = None
    study: StudyEvidence | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a part is missing, by its name."""


def collect_evidence(
    case: Case, name: str, places: EvidencePlaces, versions: Mapping[str, str], beside: Path | None = None
) -> CaseEvidence:
    """Return the stored evidence about a case.

    Args:
        case: the case.
        name: its name, from which the default directories follow.
        places: directories that the user names.
        versions: versions of this installation.
        beside: directory of the document, whose folders `run` and `convergence` are looked at as well.

    Raises:
        CaseError: a directory that the user names does not hold what it should.
    """
    found: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    usual = usual_places(name, beside)
    for part, read in READERS.items():
        given = getattr(places, part)
        if given is not None:
            try:
                found[part] = read(given, case)
            except DAMAGED as error:
                raise error if isinstance(error, CaseError) else _unreadable(given, part, error) from None
            continue
        for place in usual[part]:
            try:
                found[part] = _of_this_case(read(place, case))
                break
            except DAMAGED as error:
                reasons.setdefault(part, _reason(error))
    if "run" not in found and "convergence" in found:
        found["run"] = read_run(found["convergence"].directory / BASE.name, case)
    reasons.setdefault("study", "no study in studies/ is of this case")
    kept = {part: reason for part, reason in reasons.items() if part not in found}
    return CaseEvidence(case, name, versions, **found, reasons=kept)


def usual_places(name: str, beside: Path | None = None) -> dict[str, list[Path]]:
    """Return the directories in which evidence about a case is looked for, by its part; the first that fits counts."""
    own = [] if beside is None else [beside]
    files = sorted(Path("studies").glob(f"*/{UNCERTAINTY_FILE}"), key=lambda file: -file.stat().st_mtime)
    return {
        "run": [Path("runs") / name, *(each / "run" for each in own)],
        "convergence": [Path("runs") / f"{name}-converge", *(each / "convergence" for each in own)],
        "verification": [Path("runs") / "verification"],
        "validation": [Path("runs") / "validation"],
        "study": [file.parent for file in files],
    }


def read_run(directory: Path, case: Case) -> RunEvidence:
    """Return a finished run; raises CaseError where there is none."""
    summary = read_summary(directory)
    return RunEvidence(directory, summary, load_run(directory), case_differences(case, load_case(directory)))


def read_convergence(directory: Path, case: Case) -> ConvergenceEvidence:
    """Return a convergence study; raises one of DAMAGED where it cannot be read."""
    found = TypeAdapter(Convergence).validate_python(_json(directory / "convergence.json"))
    return ConvergenceEvidence(directory, found, case_differences(case, load_case(directory / BASE.name)))


def read_verification(directory: Path, case: Case) -> VerificationEvidence:
    """Return a verification; raises one of DAMAGED where it cannot be read."""
    data = _json(directory / "verification.json")
    checks = TypeAdapter(tuple[CheckResult, ...]).validate_python(data["checks"])
    found = Verification(
        checks, bool(data["quick"]), int(data["ranks"]), float(data["seconds"]), dict(data["versions"]), data["date"]
    )
    return VerificationEvidence(directory, found)


def read_validation(directory: Path, case: Case) -> ValidationEvidence:
    """Return a validation; raises one of DAMAGED where it cannot be read."""
    data = _json(directory / "validation.json")
    found = Validation(
        experiments=TypeAdapter(tuple[ExperimentResult, ...]).validate_python(data["experiments"]),
        scope=Scope(bool(data["everything"]), bool(data["vary_inputs"])),
        ranks=int(data["ranks"]),
        seconds=float(data["seconds"]),
        cpu_s=float(data["cpu_s"]),
        versions=dict(data["versions"]),
        date=str(data["date"]),
    )
    return ValidationEvidence(directory, found)


def read_study(directory: Path, case: Case) -> StudyEvidence:
    """Return a study with uncertain inputs; raises one of DAMAGED where it cannot be read or has not run."""
    found, study = read_uncertainty(directory), load_study(directory / "study.toml")
    member = next(iter(sorted((directory / "members").glob("*/case.toml"))), None)
    if found is None or member is None:
        expected = f"a study with distributions that has run: {UNCERTAINTY_FILE} and members"
        raise CaseError([Fault(str(directory), "no uncertainty study", expected)], "credibility")
    moved = {key for axis in study.axes for key in (axis.key, *axis.also)}
    drawn = load_case(member)
    allowed = {key.rsplit(".", 1)[-1] for key in moved} | {"observe_at_s"}
    differences = case_differences(_with_values_of(case, drawn, moved), drawn)
    differences = tuple(key for key in differences if key.rsplit(".", 1)[-1] not in allowed)
    return StudyEvidence(directory, study, found, differences)


def _with_values_of(case: Case, drawn: Case, keys: Collection[str]) -> Case:
    """Return a case with the values that some keys have in another one, as far as they can be taken over."""
    tables = tomllib.loads(dump_case(drawn))
    values = {key: value for key in keys if (value := _value_at(tables, key)) is not None}
    try:
        return case.with_changes(values)
    except CaseError:
        return case


def _value_at(table: Any, path: str) -> Any:
    """Return the value at a path of a case, with list items by index or name; None where there is none."""
    for part in path.split("."):
        if isinstance(table, list) and part.isdigit():
            table = table[int(part)] if int(part) < len(table) else None
        elif isinstance(table, list):
            table = next((each for each in table if isinstance(each, dict) and each.get("name") == part), None)
        else:
            table = table.get(part) if isinstance(table, dict) else None
    return table


READERS = {
    "run": read_run,
    "convergence": read_convergence,
    "verification": read_verification,
    "validation": read_validation,
    "study": read_study,
}


def case_differences(a: Case, b: Case) -> tuple[str, ...]:
    """Return the keys in which two cases differ, without those that change no number of a run."""
    tables = [tomllib.loads(dump_case(case.model_copy(update={"credibility": None}))) for case in (a, b)]
    found = [key for key, _, _ in case_difference(*tables)]
    return tuple(key for key in found if key.split(".", 1)[0] not in NO_RESULT)


def keys_text(keys: tuple[str, ...]) -> str:
    """Return keys as text, the first SHOWN_KEYS by name."""
    rest = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
    return ", ".join(keys[:SHOWN_KEYS]) + rest


def _of_this_case(found: Stored) -> Stored:
    """Return evidence from a default directory; raises ValueError where it belongs to another case."""
    differences = getattr(found, "differences", ())
    if differences:
        directory = getattr(found, "directory", "")
        raise ValueError(f"{directory} holds another case: different {keys_text(differences)}")
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CaseError([Fault(str(file), "no such file", "the result of a finished command")], "credibility") from None
    if not isinstance(found, dict):
        raise ValueError(f"{file}: expected a JSON object")
    return found


def _unreadable(directory: Path, part: str, error: Exception) -> CaseError:
    return CaseError([Fault(str(directory), f"unreadable: {_reason(error)}", f"a stored {part}")], "credibility")


def _reason(error: Exception) -> str:
    """Return an error in one short line."""
    if isinstance(error, CaseError):
        return "; ".join(f"{fault.where}: {fault.found}" for fault in error.faults[:2])
    if isinstance(error, ValidationError):
        return f"{error.error_count()} values are not as expected"
    return (str(error).splitlines() or [type(error).__name__])[0]
