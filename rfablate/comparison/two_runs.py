"""Two finished runs held against each other: cases, numbers, lesions."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.comparison.case_diff import Difference, case_difference
from rfablate.comparison.lesion_body import Body, carry, read_body, times_to_compare
from rfablate.comparison.lesion_surface import Distance, distance, surface
from rfablate.comparison.number_deltas import Pair, pair_numbers
from rfablate.comparison.overlap import Overlap, lesion_volume, overlap
from rfablate.errors import CaseError, Fault
from rfablate.results.run_reader import RunData


@dataclass(frozen=True)
class LesionPair:
    """One rule's lesion in both runs."""

    shared: Overlap
    a_to_b: Distance | None
    """None where a run has no such lesion."""
    b_to_a: Distance | None


@dataclass(frozen=True)
class LesionPairs:
    """The lesions of the rules that both runs have, at a time of A and one of B [s]."""

    time_a_s: float
    time_b_s: float
    mesh: str
    """Whose mesh the volumes are on: "same", "A" or "B"."""
    carried_percent: float
    """Largest change of the other run's volumes by carrying its lesions to that mesh [%]."""
    rules: dict[str, LesionPair]


@dataclass(frozen=True)
class Comparison:
    """What differs between run A and run B."""

    a: RunData
    b: RunData
    case: list[Difference]
    numbers: dict[str, list[Pair]]
    lesions: list[LesionPairs]
    """At the ends of both runs and, where these differ, at the last output time of both."""
    refused: str
    """Why the lesions were not held against each other, '' where they were."""


def compare_runs(a: RunData, b: RunData) -> Comparison:
    """Return what differs between two runs."""
    lesions, refused = [], ""
    try:
        lesions = [compare_lesions(a, b, *times) for times in times_to_compare(a, b)]
    except (OSError, ValueError) as error:
        refused = str(error)
    return Comparison(a, b, list(case_difference(a.case, b.case)), pair_numbers(a.summary, b.summary), lesions, refused)


def compare_lesions(a: RunData, b: RunData, time_a_s: float, time_b_s: float) -> LesionPairs:
    """Return how far A's lesions at one time [s] and B's at another cover each other, and their surfaces' distances.

    Volumes are taken on the mesh in 3-D where only one is, else on the one with more nodes; surfaces on their own.

    Raises:
        OSError, ValueError: a fields file cannot be read, or the lesions cannot be held against each other.
    """
    first, second = read_body(a, time_a_s), read_body(b, time_b_s)
    if first.axis is not None and second.axis is not None and first.axis != second.axis:
        raise ValueError("both runs are axisymmetric, about different axes (domain.centre_mm)")
    rules = [rule for rule in first.levels if rule in second.levels]
    if not rules:
        raise ValueError("the runs have no lesion rule in common")
    swapped = _prefers(second, first)
    home, other = (second, first) if swapped else (first, second)
    carried = carry(home, other)
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


def _prefers(body: Body, other: Body) -> bool:
    """Whether volumes are better taken on the mesh of `body`."""
    if (body.axis is None) != (other.axis is None):
        return body.axis is None
    return len(body.x) > len(other.x)


def refuse_damaged(runs: list[RunData]) -> None:
    """Raise CaseError where summary.json or case.toml of a run cannot be read."""
    faults = [
        Fault(str(run.directory), note.partition(": ")[0], "a finished run's directory")
        for run in runs
        for note in run.missing
        if note.startswith(("summary.json", "case.toml"))
    ]
    if faults:
        raise CaseError(faults, "compare")
