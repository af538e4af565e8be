"""Two finished runs held against each other: cases, numbers, lesions."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.compare.body import Body, carry, last_common_time, read_body
from rfablate.compare.case_diff import Difference, case_difference
from rfablate.compare.numbers import Pair, pair_numbers
from rfablate.compare.overlap import Overlap, lesion_volume, overlap
from rfablate.compare.surface import Distance, distance, surface
from rfablate.report.run_data import RunData


@dataclass(frozen=True)
class LesionPair:
    """One rule's lesion in both runs."""

    shared: Overlap
    a_to_b: Distance | None
    """None where a run has no such lesion."""
    b_to_a: Distance | None


@dataclass(frozen=True)
class LesionPairs:
    """The lesions of the rules that both runs have, at their last common output time [s]."""

    time_s: float
    is_end: bool
    """Whether both runs end there."""
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
    lesions: LesionPairs | None
    refused: str
    """Why the lesions were not held against each other, '' where they were."""


def compare_runs(a: RunData, b: RunData) -> Comparison:
    """Return what differs between two runs."""
    lesions, refused = None, ""
    try:
        lesions = compare_lesions(a, b)
    except (OSError, ValueError) as error:
        refused = str(error)
    return Comparison(a, b, list(case_difference(a.case, b.case)), pair_numbers(a.summary, b.summary), lesions, refused)


def compare_lesions(a: RunData, b: RunData) -> LesionPairs:
    """Return how far the lesions of two runs cover each other and how far apart their surfaces are.

    Volumes are taken on the mesh in 3-D where only one is, else on the one with more nodes; surfaces on their own.

    Raises:
        OSError, ValueError: a fields file cannot be read, or the lesions cannot be held against each other.
    """
    time_s, is_end = last_common_time(a, b)
    first, second = read_body(a, time_s), read_body(b, time_s)
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
    return LesionPairs(time_s, is_end, mesh, 100.0 * max(changes), found)


def _prefers(body: Body, other: Body) -> bool:
    """Whether volumes are better taken on the mesh of `body`."""
    if (body.axis is None) != (other.axis is None):
        return body.axis is None
    return len(body.x) > len(other.x)
