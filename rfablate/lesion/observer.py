"""Results for each step: lesion dimensions, coverage of structures and their highest temperatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.geometry.applicator_parts import active_line
from rfablate.case.geometry.half_plane import half_plane_of
from rfablate.case.resolve.structure_flow import bodies_of
from rfablate.case.tables.geometry_tables import MeshDomain, MeshRegion, Structure, Tube
from rfablate.case.tables.schema import Case
from rfablate.lesion.centre_line import line_in_domain, positive_fraction
from rfablate.lesion.continuity import Continuity, make_continuity_lines
from rfablate.lesion.dose_volume import DoseVolume, dose_volumes, kinds_of
from rfablate.lesion.doses import Doses
from rfablate.lesion.measure import LesionAxis, LesionMeter, MeasuredLesion
from rfablate.lesion.shape_points import ShapePoints, shape_points
from rfablate.lesion.surface_distance import other_margin, target_margin
from rfablate.lesion.target_cover import TargetMargins
from rfablate.mesh.domain import Domain
from rfablate.mesh.point_location import Probe, in_mesh, make_probe
from rfablate.physics.damage import parse_rule

_CANCELS = 0.1
"""Smallest length of the mean of the applicators' unit directions for which it defines an axis."""
COMPLETE = 1e-9
"""Tolerance of the required fraction, for the rounding error of a sum of cell volumes."""


@dataclass(frozen=True)
class ReportedStructure:
    """A named structure of the mesh for which results are reported."""

    spec: Structure | MeshRegion
    tag: int
    volume: float
    """[m3]"""
    nodes: BoolArray
    points: ShapePoints | None
    """Points that replace the nodes where the mesh does not conform to the structure."""
    centre_line: Probe | None
    length: float | None
    """Length of a tube's centre line inside the domain [m]."""

    def max_local(self, nodal: FloatArray) -> float:
        """Return the largest value of a nodal field in the structure on this rank; minus infinity without any."""
        if self.points is not None:
            return self.points.max_local(nodal)
        return float(nodal[self.nodes].max(initial=-np.inf))

    def gather(self, domain: Domain, *nodal: FloatArray) -> list[FloatArray] | None:
        """Return places [m] and values of nodal fields in the structure on rank 0, None elsewhere. Collective.

        They are in the order of the input nodes, or of the points of the structure, on any number of ranks.
        """
        if self.points is not None:
            return [self.points.points, *(self.points.probe.values(each) for each in nodal)]
        owned = np.flatnonzero(self.nodes[: domain.nodes.owned])
        gathered = domain.comm.gather((domain.input_node[owned], domain.x[owned], *(each[owned] for each in nodal)))
        if gathered is None:
            return None
        number, *packed = (np.concatenate(parts) for parts in zip(*gathered, strict=True))
        order = np.argsort(number)
        return [each[order] for each in packed]


@dataclass(frozen=True)
class StepMeasures:
    """The results of one step."""

    t: float
    lesions: Mapping[str, MeasuredLesion]
    covered: Mapping[str, float]
    """Fraction of each structure's volume inside the lesion of the verdict rule."""
    max_T: Mapping[str, float]
    """Highest temperature of each structure so far [degC]."""


@dataclass(frozen=True)
class FinalStructure:
    """The final results of a structure. Lengths in m."""

    spec: Structure | MeshRegion
    volume: float
    covered: float
    max_T: float
    hottest_point: tuple[float, float, float]
    margin: float | None
    """Target: smallest depth inside the lesion. Otherwise: smallest distance from it. None without a lesion."""
    margin_point: tuple[float, float, float] | None
    """Point of the structure with this margin."""
    covered_margins: tuple[float, ...]
    """Target: fraction of the tissue within each of `target_cover.MARGINS` inside the lesion; otherwise empty."""
    histograms: Mapping[str, DoseVolume]
    """Dose-volume histograms by kind of rule."""
    limit_margin: float | None
    """Smallest distance from the isotherm of the structure's limit; None without a limit or without the isotherm."""
    time_to_cover: float | None
    length: float | None
    coagulated_length: float | None
    verdict: str


class _RuleLevel(NamedTuple):
    """A nodal level, positive inside, and its zero surface, which only rank 0 has."""

    nodal: FloatArray
    surface: FloatArray


class Observer:
    """Evaluates the results of each step; stores the time at which each structure is covered."""

    def __init__(self, case: Case, domain: Domain, tissue_cells: BoolArray) -> None:
        """Set up the rules and structures of a case; `tissue_cells`: cells of this rank that are tissue. Collective."""
        self._domain, self._tissue_cells = domain, tissue_cells
        self._plane = half_plane_of(case)
        self.rules = [parse_rule(name) for name in case.lesion.rules]
        self._deciding = case.lesion.rules.index(case.lesion.verdict_rule or case.lesion.rules[0])
        self._meter = LesionMeter(domain, tissue_cells, _axis(case))
        specs = bodies_of(case)
        n_regions = max(self._domain.region_names) + 1
        volume = np.bincount(self._domain.region, self._domain.elements.volume, n_regions).astype(np.float64)
        self._domain.comm.Allreduce(MPI.IN_PLACE, volume, op=MPI.SUM)
        self.watched = [self._watch(case, spec, volume) for spec in specs if spec.name in self._domain.tag_of]
        self._bridge = make_continuity_lines(case, domain)
        self.covered_at: dict[str, float] = {}
        """Time at which each structure was covered [s]."""
        self._last: StepMeasures | None = None
        self._around: dict[int, TargetMargins] = {}

    @property
    def last(self) -> StepMeasures:
        """The results of the last step."""
        assert self._last is not None
        return self._last

    @property
    def deciding_rule(self) -> str:
        """Name of the rule for coverage, margins and verdicts of structures."""
        return self.rules[self._deciding].name

    def _watch(self, case: Case, spec: Structure | MeshRegion, volume: FloatArray) -> ReportedStructure:
        domain = self._domain
        tag = domain.tag_of[spec.name]
        line, length = None, None
        if isinstance(spec, Tube):
            points, length = line_in_domain(case, np.array(spec.path))
            if self._plane is not None:
                points = self._plane.from_space(points)
            if isinstance(case.domain, MeshDomain):
                inside = in_mesh(domain, points)
                points, length = points[inside], length * float(inside.mean())
            line = make_probe(domain, points, f"centre line of '{spec.name}'")
        return ReportedStructure(
            spec=spec,
            tag=tag,
            volume=float(volume[tag]),
            nodes=domain.nodes_of_cells(domain.region == tag),
            points=shape_points(case, domain, spec),
            centre_line=line,
            length=length,
        )

    def _levels(self, frame: Doses) -> list[FloatArray]:
        return [rule.level(frame.peak, frame.omega, frame.cem43, frame.dead) for rule in self.rules]

    def levels(self, frame: Doses) -> dict[str, FloatArray]:
        """Return the nodal level of each rule, positive inside its lesion."""
        return {rule.name: level for rule, level in zip(self.rules, self._levels(frame), strict=True)}

    def measure(self, frame: Doses) -> dict[str, MeasuredLesion]:
        """Return the lesion of each rule without storing anything. Collective."""
        return {
            rule.name: lesion
            for rule, lesion in zip(self.rules, self._meter.measure(self._levels(frame))[0], strict=True)
        }

    def look(self, frame: Doses) -> StepMeasures:
        """Return the results of a step and store the structures covered by now. Collective."""
        lesions, volumes = self._meter.measure(self._levels(frame))
        mine = [w.max_local(frame.peak) for w in self.watched]
        hottest: FloatArray = self._domain.nodes.max_of(*mine) if mine else np.zeros(0)
        inside = volumes[self._deciding]
        seen = StepMeasures(
            t=frame.t,
            lesions={rule.name: lesion for rule, lesion in zip(self.rules, lesions, strict=True)},
            covered={w.spec.name: float(min(1.0, inside[w.tag] / w.volume)) for w in self.watched},
            max_T={w.spec.name: float(T) for w, T in zip(self.watched, hottest, strict=True)},
        )
        self._note_covered(seen)
        self._last = seen
        return seen

    def _note_covered(self, seen: StepMeasures) -> None:
        for w in self.watched:
            name, needed = w.spec.name, w.spec.required_fraction - COMPLETE
            if name in self.covered_at or seen.covered[name] < needed:
                continue
            before = self._last
            if before is None or seen.covered[name] == before.covered[name]:
                self.covered_at[name] = seen.t
                continue
            part = (needed - before.covered[name]) / (seen.covered[name] - before.covered[name])
            self.covered_at[name] = before.t + part * (seen.t - before.t)

    def conclude(self, frame: Doses) -> list[FinalStructure]:
        """Return the final results of every structure; margins on rank 0 only. Collective."""
        seen = self._last if self._last is not None and self._last.t == frame.t else self.look(frame)
        level = self._levels(frame)[self._deciding]
        decided = _RuleLevel(level, self._meter.surface(level))
        limits = {w.spec.limit for w in self.watched if w.spec.limit is not None}
        isotherms = {T: _RuleLevel(frame.peak - T, self._meter.surface(frame.peak - T)) for T in sorted(limits)}
        tags = [w.tag for w in self.watched]
        kinds = kinds_of(self.rules, self._deciding)
        histograms = dose_volumes(self._domain, tags, frame, self.rules, kinds)
        found = []
        for w, each in zip(self.watched, histograms, strict=True):
            limit = isotherms[w.spec.limit] if w.spec.limit is not None else None
            result = self._conclude_one(w, frame, seen, decided, limit)
            found.append(replace(result, histograms=each, covered_margins=self._covered_margins(w, level)))
        return found

    def _covered_margins(self, w: ReportedStructure, level: FloatArray) -> tuple[float, ...]:
        """Return the covered fractions of a target with margins; the distances are computed once. Collective."""
        if w.spec.role != "target":
            return ()
        if w.tag not in self._around:
            self._around[w.tag] = TargetMargins(self._domain, w.tag, self._tissue_cells)
        return tuple(self._around[w.tag].covered(level))

    def bridges(self, frame: Doses) -> dict[str, Continuity]:
        """Return each rule's lesion continuity between the applicators; empty for one applicator. Collective."""
        if self._bridge is None:
            return {}
        levels = zip(self.rules, self._levels(frame), strict=True)
        return {rule.name: self._bridge.across(level, self._meter.surface(level)) for rule, level in levels}

    def _conclude_one(
        self, w: ReportedStructure, frame: Doses, seen: StepMeasures, lesion: _RuleLevel, limit: _RuleLevel | None
    ) -> FinalStructure:
        domain, spec = self._domain, w.spec
        at_limit = lesion.nodal if limit is None else limit.nodal
        gathered = w.gather(domain, lesion.nodal, at_limit, frame.peak)
        margin, limit_margin, hottest = None, None, (0.0, 0.0, 0.0)
        margin_point: tuple[float, float, float] | None = None
        if gathered is not None and domain.comm.rank == 0:
            x, levels, limits, peak = gathered
            nearest = (target_margin if spec.role == "target" else other_margin)(x, levels, lesion.surface)
            if nearest is not None:
                margin, margin_point = nearest[0], self._in_space(x[nearest[1]])
            beyond = None if limit is None else other_margin(x, limits, limit.surface)
            limit_margin = None if beyond is None else beyond[0]
            hottest = self._in_space(x[int(np.argmax(np.round(peak, 9)))])
        coagulated = None
        if w.centre_line is not None and w.length is not None:
            coagulated = w.length * positive_fraction(w.centre_line.values(lesion.nodal))
        covered, max_T = seen.covered[spec.name], seen.max_T[spec.name]
        return FinalStructure(
            spec=spec,
            volume=w.volume,
            covered=covered,
            max_T=max_T,
            hottest_point=hottest,
            margin=margin,
            margin_point=margin_point,
            covered_margins=(),
            histograms={},
            limit_margin=limit_margin,
            time_to_cover=self.covered_at.get(spec.name),
            length=w.length,
            coagulated_length=coagulated,
            verdict=_verdict(spec, covered, max_T),
        )

    def _in_space(self, x: FloatArray) -> tuple[float, float, float]:
        x, y, z = x if self._plane is None else self._plane.to_space(x[None])[0]
        return (float(x), float(y), float(z))


def _axis(case: Case) -> LesionAxis:
    """Return the axis of the applicator, the mean of several, or the first where the mean direction vanishes."""
    tips, directions, lengths = zip(*(active_line(a) for a in case.applicators), strict=True)
    middle = np.mean(directions, axis=0)
    size = float(np.linalg.norm(middle))
    direction = middle / size if size > _CANCELS else directions[0]
    return LesionAxis(np.mean(tips, axis=0), direction, float(np.mean(lengths)))


def _verdict(spec: Structure | MeshRegion, covered: float, max_T: float) -> str:
    if spec.role == "target":
        if covered >= spec.required_fraction - COMPLETE:
            return "reached"
        return "missed" if covered == 0.0 else "partly reached"
    if spec.role == "protect" and spec.limit is not None:
        return "limit exceeded" if max_T > spec.limit else "safe"
    return ""
