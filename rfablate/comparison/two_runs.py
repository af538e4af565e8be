"""Comparison of two finished runs: cases, numbers and lesions."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.comparison.case_diff import Difference, case_difference
from rfablate.comparison.lesion_body import LesionMesh, interpolate_lesions, read_lesion_mesh, times_to_compare
from rfablate.comparison.lesion_surface import Distance, distance, surface
from rfablate.comparison.number_deltas import Pair, pair_numbers
from rfablate.comparison.overlap import Overlap, lesion_volume, overlap
from rfablate.errors import CaseError, Fault
from rfablate.results.run_reader import RunData
from rfablate.results.summary_models import RunSummary, read_summary


@dataclass(frozen=True)
class LesionPair:
    """The lesions of one rule in both runs."""

    shared: Overlap
    a_to_b: Distance | None
    """Distance of the surface of A from that of B; None where a run has no such lesion."""
    b_to_a: Distance | None


@dataclass(frozen=True)
class LesionPairs:
    """The lesions of all common rules at one time of A and one time of B [s]."""

    time_a_s: float
    time_b_s: float
    mesh: str
    """Mesh on which the volumes are computed: "same", "A" or "B"."""
    carried_percent: float
    """Largest change of the other run's lesion volumes by interpolation onto that mesh [%]."""
    rules: dict[str, LesionPair]


@dataclass(frozen=True)
class Comparison:
    """Differences between run A and run B."""

    a: RunData
    b: RunData
    results: tuple[RunSummary, RunSummary]
    """The results of A and of B."""
    case: list[Difference]
    numbers: dict[str, list[Pair]]
    lesions: list[LesionPairs]
    """At the end of each run and, where these times differ, also at the last common output time."""
    refused: str
    """Reason why the lesions could not be compared; '' where they were compared."""


def compare_runs(a: RunData, b: RunData) -> Comparison:
    """Return the differences between two finished runs.

    Raises:
        CaseError: summary.json or case.toml of a run cannot be read.
    """
    _refuse_damaged(a, b)
    results = read_summary(a.directory), read_summary(b.directory)
    lesions, refused = [], ""
    try:
        lesions = [compare_lesions(a, b, *times) for times in times_to_compare(a, b)]
    except (OSError, ValueError) as error:
        refused = str(error)
    difference, numbers = list(case_difference(a.case, b.case)), pair_numbers(*results)
    return Comparison(a, b, results, difference, numbers, lesions, refused)


def compare_lesions(a: RunData, b: RunData, time_a_s: float, time_b_s: float) -> LesionPairs:
    """Return overlap and surface distances of the lesions of A at `time_a_s` and of B at `time_b_s` [s].

    Volumes are computed on the 3-D mesh where only one run is 3-D, else on the mesh with more nodes. Each surface is
    computed on the mesh of its own run.

    Raises:
        OSError, ValueError: a fields file cannot be read, or the lesions cannot be compared.
    """
    first, second = read_lesion_mesh(a, time_a_s), read_lesion_mesh(b, time_b_s)
    if first.axis is not None and second.axis is not None and first.axis != second.axis:
        raise ValueError("both runs are axisymmetric, but about different axes (domain.centre_mm)")
    rules = [rule for rule in first.levels if rule in second.levels]
    if not rules:
        raise ValueError("the runs have no lesion rule in common")
    swapped = _prefers(second, first)
    home, other = (second, first) if swapped else (first, second)
    carried = interpolate_lesions(home, other)
    found, changes = {}, [0.0]
    for rule in rules:
        shared = overlap(carried, rule)
        if not carried.same_mesh and (own := lesion_volume(other, rule)) > 0.0:
            changes.append(abs(shared.b / own - 1.0))
        surfaces = surface(first, rule), surface(second, rule)
        found[rule] = LesionPair(
            Overlap(shared.b, shared.a, shared.both) if swapped else shared,
            distance(surfaces[0], surfaces[1]),
            distance(surfaces[1], surfaces[0]),
        )
    mesh = "same" if carried.same_mesh else "B" if swapped else "A"
    return LesionPairs(time_a_s, time_b_s, mesh, 100.0 * max(changes), found)


def _prefers(body: LesionMesh, other: LesionMesh) -> bool:
    """Return whether volumes are computed on the mesh of `body`."""
    if (body.axis is None) != (other.axis is None):
        return body.axis is None
    return len(body.x) > len(other.x)


def _refuse_damaged(*runs: RunData) -> None:
    faults = [
        Fault(str(run.directory), note.partition(": ")[0], "a finished run's directory")
        for run in runs
        for note in run.missing
        if note.startswith(("summary.json", "case.toml"))
    ]
    if faults:
        raise CaseError(faults, "compare")
