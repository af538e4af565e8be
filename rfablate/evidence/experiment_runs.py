"""The runs of an experiment and the comparison of their numbers with the measured ones. Collective where stated."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault, Interrupted, RfablateError
from rfablate.evidence.experiment_file import Experiment, Measured, UncertainInput
from rfablate.evidence.validation_results import ComparedNumber, ExperimentResult
from rfablate.results.flatten import flatten
from rfablate.results.summary_models import read_summary
from rfablate.version import __version__

if TYPE_CHECKING:
    from mpi4py import MPI

NOMINAL = "nominal"
"""Name of the variant without change of an uncertain input."""
Flat = Mapping[str, Any]
RunCase = Callable[[Case, Path], object]


@dataclass(frozen=True)
class Variant:
    """One end of the range of an uncertain input, or the nominal inputs."""

    name: str
    changes: tuple[str, ...] = ()


def variants_of(inputs: Sequence[UncertainInput]) -> list[Variant]:
    """Return the nominal inputs and both ends of each input that needs runs of its own."""
    found = [Variant(NOMINAL)]
    for number, each in enumerate(inputs):
        for end, changes in (("low", each.low), ("high", each.high)):
            if changes:
                found.append(Variant(f"input{number}-{end}", tuple(changes)))
    return found


def case_of(experiment: Experiment, run: str, variant: Variant) -> Case:
    """Return the case of a run: the base case with the changes of experiment, run and variant, and all needed rules.

    Raises:
        CaseError: the case has faults.
    """
    table = experiment.table
    (model,) = (each for each in table.runs if each.name == run)
    nominal = variant.name == NOMINAL
    changes = [*table.case.changes, *model.changes, *variant.changes]
    case = load_case(experiment.base_case, changes)
    rules = dict.fromkeys([table.rule, *(rule for each in table.inputs for rule in each.rules), *case.lesion.rules])
    lesion = case.lesion.model_copy(update={"rules": tuple(rules)})
    output = case.output.model_copy(update={"report": False, "error_bar": nominal and case.output.error_bar})
    return case.model_copy(update={"lesion": lesion, "output": output})


def check_cases(experiments: Sequence[Experiment]) -> None:
    """Build the case of every run.

    Raises:
        CaseError: some cases have faults; contains those of all experiments.
    """
    faults = []
    for each in experiments:
        for name, variant in _needed(each):
            try:
                case_of(each, name, variant)
            except CaseError as error:
                where = f"{each.name}, run {name!r}" + ("" if variant.name == NOMINAL else f", {variant.name}")
                faults += [replace(fault, where=f"{where}: {fault.where}") for fault in error.faults]
    if faults:
        raise CaseError(faults, "validate")


def run_experiment(experiment: Experiment, place: Path, comm: MPI.Comm, run: RunCase) -> ExperimentResult:
    """Make the runs of an experiment and compare. An error of a run ends the experiment; the result holds the reason.

    Complete runs of the same case in `place` are not repeated. Collective.

    Args:
        experiment: the experiment.
        place: directory of its runs.
        comm: all ranks.
        run: runs a case in a directory, replacing an older run there. Collective.

    Raises:
        Interrupted: a signal stopped a run.
    """
    from rfablate.mesh.root_tasks import from_root
    from rfablate.results.run_directory import end_reason

    begun, fault, made = time.perf_counter(), "", 0
    numbers: tuple[ComparedNumber, ...] = ()
    try:
        for name, variant in _needed(experiment):
            case, target = from_root(comm, lambda: case_of(experiment, name, variant)), _place(place, name, variant)  # noqa: B023
            if not from_root(comm, lambda: end_reason(target) if _holds(target, case) else None):  # noqa: B023
                run(case, target)
            comm.barrier()
            made += 1
        numbers = from_root(comm, lambda: compare_numbers(experiment, place))
    except Interrupted:
        raise
    except RfablateError as error:  # raised on all ranks together
        fault = str(error)
    seconds = comm.bcast(time.perf_counter() - begun)
    return result_of(experiment, numbers, made, seconds, fault)


def result_of(
    experiment: Experiment, numbers: tuple[ComparedNumber, ...], runs: int, seconds: float, fault: str
) -> ExperimentResult:
    """Return the result of an experiment with what its file says about the source."""
    table = experiment.table
    return ExperimentResult(
        name=experiment.name,
        title=table.title,
        field=table.field,
        kind=table.kind,
        citation=table.citation,
        address=table.address,
        read_from=table.read_from,
        full_text=table.full_text,
        access=table.access,
        boundary=table.boundary,
        assumptions=table.assumptions,
        limits_set=table.limits_set.isoformat(),
        rule=table.rule,
        numbers=numbers,
        runs=runs,
        seconds=seconds,
        fault=fault,
    )


def compare_numbers(experiment: Experiment, place: Path) -> tuple[ComparedNumber, ...]:
    """Return the compared numbers from the finished runs in `place`. Root only.

    Raises:
        CaseError: a run has no number of the key of a row.
    """
    found = {(name, variant.name): _flat(_place(place, name, variant)) for name, variant in _needed(experiment)}
    return tuple(_compared(experiment, row, found) for row in experiment.rows)


def _needed(experiment: Experiment) -> Iterator[tuple[str, Variant]]:
    """Yield the runs that the rows use, each with the nominal inputs and with every end of an input."""
    used = dict.fromkeys(name for row in experiment.rows for name in (row.run, row.against) if name)
    for name in used:
        for variant in variants_of(experiment.table.inputs):
            yield name, variant


def _compared(experiment: Experiment, row: Measured, found: Mapping[tuple[str, str], Flat]) -> ComparedNumber:
    """Return the compared number of a row from the numbers of all runs by run and variant."""
    table = experiment.table
    inputs = {
        each.name: abs(high - low) / (2.0 * math.sqrt(3.0))
        for number, each in enumerate(table.inputs)
        for low, high in [_ends(row, table.rule, each, number, found)]
    }
    compared = ComparedNumber(
        name=row.name,
        unit=row.unit,
        modelled=_modelled(row, table.rule, NOMINAL, found),
        measured=row.centre,
        low=row.low,
        high=row.high,
        u_num=_numerical(row, table.rule, found),
        u_input=math.sqrt(sum(each**2 for each in inputs.values())),
        u_data=row.uncertainty,
        limit=row.limit,
        inputs=inputs,
    )
    if compared.passed:
        return compared
    reasons = table.likely_reasons
    return replace(compared, likely_reason=reasons.get(row.name, reasons.get("all", "not known")))


def _ends(
    row: Measured, rule: str, each: UncertainInput, number: int, found: Mapping[tuple[str, str], Flat]
) -> tuple[float, float]:
    """Return the modelled number of a row at both ends of an input."""
    if each.rules:
        return _modelled(row, each.rules[0], NOMINAL, found), _modelled(row, each.rules[1], NOMINAL, found)
    low, high = (
        f"input{number}-{end}" if changes else NOMINAL for end, changes in (("low", each.low), ("high", each.high))
    )
    return _modelled(row, rule, low, found), _modelled(row, rule, high, found)


def _modelled(row: Measured, rule: str, variant: str, found: Mapping[tuple[str, str], Flat]) -> float:
    """Return the modelled number of a row with one lesion rule and one variant of the inputs."""
    f = _number(found[row.run, variant], row.key, rule)
    if row.form == "value":
        return f - row.minus
    base = _number(found[row.against, variant], row.against_key or row.key, rule) if row.against else 0.0
    if row.form == "difference":
        return f - base - row.minus
    if base == 0.0:
        where = f"{row.name}, run {row.against!r}"
        raise CaseError([Fault(where, "found 0", "a number that a gain can refer to", "difference")], "validate")
    return 100.0 * (f / base - 1.0) - row.minus


def _numerical(row: Measured, rule: str, found: Mapping[tuple[str, str], Flat]) -> float:
    """Return the standard numerical uncertainty of a row: half of the error bars, in quadrature."""

    def half_bar(run: str, key: str) -> float:
        return 0.5 * float(found[run, NOMINAL].get(f"{key.format(rule=rule)}.bar", 0.0))

    own = half_bar(row.run, row.key)
    if not row.against or row.form == "value":
        return own
    other_key = row.against_key or row.key
    other = half_bar(row.against, other_key)
    if row.form == "difference":
        return math.hypot(own, other)
    f, base = _number(found[row.run, NOMINAL], row.key, rule), _number(found[row.against, NOMINAL], other_key, rule)
    return 100.0 * math.hypot(own / base, other * f / base**2)


def _number(flat: Flat, key: str, rule: str) -> float:
    """Return a number of a run.

    Raises:
        CaseError: the run has no number of this key.
    """
    name = key.format(rule=rule)
    value = flat.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    keys = [each for each in flat if each.startswith(("lesion.", "electric.", "energy.", "structures."))]
    raise CaseError(
        [Fault(name, "the run has no such number", "a key of summary.json", did_you_mean(name, keys))], "validate"
    )


def _flat(directory: Path) -> Flat:
    return flatten(read_summary(directory))


def _place(place: Path, run: str, variant: Variant) -> Path:
    """Return the directory of a run."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in run)
    return place / (safe if variant.name == NOMINAL else f"{safe}-{variant.name}")


def _holds(directory: Path, case: Case) -> bool:
    """Return whether a directory holds a run of exactly this case by this version of the program."""
    try:
        summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
        return summary["provenance"]["rfablate"] == __version__ and load_case(directory) == case
    except (OSError, ValueError, KeyError, TypeError, CaseError):
        return False
