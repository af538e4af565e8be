"""Checks of the results of a run: values outside the model's range, lesions that are cut off or not resolved, open
balances, verdicts within their error bar. Each gives a warning; none changes a number or an exit code.

| check             | condition                                                                          |
|-------------------|------------------------------------------------------------------------------------|
| model_range       | tissue without boiling water above 100 degC                                        |
| covered_by_range  | a target reached only after tissue had exceeded 100 degC without boiling           |
| generator_limit   | the generator was at a limit for its whole hold (`monitors/electric_monitor.py`)   |
| domain_boundary   | the lesion extends into the outermost layer of cells                               |
| lesion_resolution | smallest extent of a lesion below three edges of the cells at its surface          |
| energy_balance    | residual above 1 % of the largest energy                                           |
| error_bar         | margin of a verdict not larger than its error bar                                  |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, BoxDomain, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.lesion.observer import Observer
from rfablate.physics.boiling import BOILING
from rfablate.problem.problem import Problem
from rfablate.results.summary_models import ResultCheck, RunSummary, StructureResult
from rfablate.solve.energy_balance import EnergyLedger
from rfablate.solve.state import Frame

MM = 1e3
ELEMENTS_ACROSS = 3.0
"""Smallest number of cells across a lesion whose size is resolved."""
OPEN_BALANCE = 0.01
"""Largest residual of the energy balance without a warning, relative to the largest energy."""
ROOM = 2.0
"""Recommended distance of the boundary, relative to the lesion's reach; the temperature rise falls at least as 1/r."""


def hottest_unboiled(problem: Problem, peak: FloatArray) -> float:
    """Return the highest peak temperature of tissue whose water does not boil in this case [degC]. Collective."""
    owned = problem.domain.nodes.owned
    nodes = problem.domain.nodes_of_cells(problem.tissue_cells)[:owned] & ~problem.fixed[:owned]
    if problem.solvers.vapour is not None:
        nodes &= ~problem.solvers.vapour.has_water
    return float(problem.domain.nodes.max_of(float(peak[:owned][nodes].max(initial=-np.inf)))[0])


def range_checks(
    unboiled: float, left_at: float | None, structures: Mapping[str, StructureResult]
) -> Iterator[ResultCheck]:
    """Yield the checks of the highest temperature of tissue that does not boil.

    Args:
        unboiled: this temperature [degC].
        left_at: time at which it first exceeded 100 degC [s]; None if it did not.
        structures: results by name.
    """
    if unboiled <= BOILING:
        return
    yield ResultCheck(
        check="model_range",
        value=unboiled,
        limit=BOILING,
        unit="degC",
        text=f"tissue reached {unboiled:.1f} degC and its water does not boil in this case: temperatures above "
        "100 degC and what follows from them are too high; give the tissue a water_fraction, or less power",
    )
    for name, entry in structures.items():
        covered = entry.time_to_cover_s
        if entry.verdict == "reached" and left_at is not None and covered is not None and covered > left_at:
            yield ResultCheck(
                check="covered_by_range",
                subject=name,
                value=covered,
                limit=left_at,
                unit="s",
                text=f"{name} is reached after {covered:.1f} s, but tissue exceeded 100 degC without boiling after "
                f"{left_at:.1f} s: before that time the target was not covered, and the verdict depends on "
                "temperatures outside the model's range",
            )


def balance_checks(ledger: EnergyLedger) -> Iterator[ResultCheck]:
    """Yield the check of the energy balance."""
    if ledger.residual_fraction > OPEN_BALANCE:
        percent = 100.0 * ledger.residual_fraction
        yield ResultCheck(
            check="energy_balance",
            value=percent,
            limit=100.0 * OPEN_BALANCE,
            unit="%",
            text=f"the energy ledger does not close: residual {ledger.residual:.3g} J, {percent:.2g} % of the largest "
            "energy; try a smaller time.tolerance_K",
        )


def lesion_checks(case: Case, problem: Problem, observer: Observer, frame: Frame) -> Iterator[ResultCheck]:
    """Yield the checks of each rule's lesion: distance from the boundary, resolution. Collective."""
    outermost = _outermost_nodes(problem)
    for rule, level in observer.levels(frame).items():
        lesion = observer.last.lesions[rule]
        if lesion.volume <= 0.0:
            continue
        if _reaches(problem, level, outermost):
            yield _boundary_check(case, problem, rule, level)
        edge = _edge_at_surface(problem, level)
        smallest = min(lesion.width_min, lesion.length)
        if edge is not None and smallest < ELEMENTS_ACROSS * edge:
            yield ResultCheck(
                check="lesion_resolution",
                subject=rule,
                value=smallest * MM,
                limit=ELEMENTS_ACROSS * edge * MM,
                unit="mm",
                text=f"the {rule} lesion is {smallest * MM:.3g} mm across, less than three cells of {edge * MM:.3g} "
                "mm: its size is not resolved; reduce mesh.size_tip_mm or mesh.growth",
            )


def _outermost_nodes(problem: Problem) -> BoolArray | None:
    """Return the local nodes of tissue cells at the outer surface; None where the surface is not known. Collective."""
    domain = problem.domain
    surface = domain.surface_nodes.get("outer", domain.surface_nodes.get("body_temperature"))
    if surface is None:
        return None
    return domain.nodes_of_cells(surface[domain.elements.cells].any(axis=1) & problem.tissue_cells)


def _reaches(problem: Problem, level: FloatArray, outermost: BoolArray | None) -> bool:
    """Return whether a lesion extends into the outermost cells. Collective."""
    if outermost is None:
        return False
    owned = problem.domain.nodes.owned
    highest = level[:owned][outermost[:owned]].max(initial=-np.inf)
    return bool(problem.domain.nodes.max_of(float(highest))[0] >= 0.0)


def _boundary_check(case: Case, problem: Problem, rule: str, level: FloatArray) -> ResultCheck:
    """Return the warning about a lesion at the boundary, with the size of a sufficient domain. Collective."""
    nodes, owned, domain = problem.domain.nodes, problem.domain.nodes.owned, case.domain
    inside = (level[:owned] >= 0.0) & problem.domain.nodes_of_cells(problem.tissue_cells)[:owned]
    x = problem.domain.x[:owned][inside]
    if isinstance(domain, MeshDomain):
        distance = np.linalg.norm(x, axis=1)
        reach = float(nodes.max_of(float(distance.max(initial=0.0)))[0])
        advice, value = f"use a mesh that extends at least {_up(ROOM * reach)} mm from the origin", ROOM * reach
    elif isinstance(domain, BoxDomain):
        far = nodes.max_of(*np.abs(x - domain.centre).max(axis=0, initial=0.0))
        sizes = [max(size, 2.0 * ROOM * each) for size, each in zip(domain.size, far, strict=True)]
        advice, value = f"try domain.size_mm = [{', '.join(map(_up, sizes))}]", max(sizes)
    else:
        flat = isinstance(domain, AxisymmetricDomain)
        across = x[:, 0] if flat else np.hypot(x[:, 0] - domain.centre[0], x[:, 1] - domain.centre[1])
        along = np.abs(x[:, 1 if flat else 2] - domain.centre[2])
        r, z = nodes.max_of(float(across.max(initial=0.0)), float(along.max(initial=0.0)))
        radius, height = max(domain.radius, ROOM * float(r)), max(domain.height, 2.0 * ROOM * float(z))
        advice, value = f"try domain.radius_mm = {_up(radius)} and domain.height_mm = {_up(height)}", radius
    return ResultCheck(
        check="domain_boundary",
        subject=rule,
        value=value * MM,
        unit="mm",
        text=f"the {rule} lesion extends into the outermost cells of the domain, whose boundary changes its size; "
        f"{advice} (twice the reach of the lesion)",
    )


def _up(length: float) -> str:
    """Return a length in mm, rounded up to an integer."""
    return f"{math.ceil(length * MM - 1e-9)}"


def _edge_at_surface(problem: Problem, level: FloatArray) -> float | None:
    """Return the mean length of the edges that cross the lesion surface [m]; None without any. Collective.

    An edge between two ranks is on both of them and counts half on each.
    """
    near, far, owned = problem.solvers.pattern.near, problem.solvers.pattern.far, problem.domain.nodes.owned
    crossing = (level[near] >= 0.0) != (level[far] >= 0.0)
    x = problem.domain.x
    length = np.linalg.norm(x[near[crossing]] - x[far[crossing]], axis=1)
    weight = np.where(far[crossing] < owned, 1.0, 0.5)
    total, count = problem.domain.nodes.total_of(float(weight @ length), float(weight.sum()))
    return float(total / count) if count > 0.0 else None


@dataclass(frozen=True)
class _VerdictMargin:
    """Distance of a result from the value that changes its verdict, and its error bar."""

    margin: float
    bar: float
    unit: str
    from_what: str

    @property
    def within(self) -> bool:
        """Whether the verdict could change within the error bar."""
        return self.bar >= abs(self.margin) and self.bar > 0.0


def with_error_bars(summary: RunSummary, bars: Mapping[str, float], reason: str) -> RunSummary:
    """Return a summary with its error bars, or with a warning of why there are none, and the checks of its verdicts.

    Args:
        summary: results without error bars.
        bars: error bars by `RULE.key` and `STRUCTURE.key`.
        reason: why there are none; '' otherwise.
    """
    margins = {name: found for name, each in summary.structures.items() if (found := _verdict_margin(name, each, bars))}
    checks = [_verdict_check(name, summary.structures[name], found) for name, found in margins.items() if found.within]
    tree = summary.tree()
    for name, found in margins.items():
        tree["structures"][name]["within_error_bar"] = found.within
    return summary.with_entries(
        structures=tree["structures"],
        numerics=tree["numerics"] | {"error_bar": dict(bars)},
        warnings=[*summary.warnings, *([reason] if reason else []), *(each.text for each in checks)],
        checks=[*tree["checks"], *(each.model_dump() for each in checks)],
    )


def _verdict_margin(name: str, entry: StructureResult, bars: Mapping[str, float]) -> _VerdictMargin | None:
    """Return the margin of a verdict in % of the volume or in K; None without a verdict or an error bar."""
    bar = bars.get(f"{name}.{'covered_fraction' if entry.role == 'target' else 'max_degC'}")
    if bar is None or not entry.verdict:
        return None
    if entry.role == "target":
        margin = entry.covered_fraction - entry.required_fraction
        return _VerdictMargin(100.0 * margin, 100.0 * bar, "%", "from the required fraction")
    if entry.limit is None:
        return None
    return _VerdictMargin(entry.limit.max_degC - entry.max_degC, bar, "K", "from its limit")


def _verdict_check(name: str, entry: StructureResult, found: _VerdictMargin) -> ResultCheck:
    margin, bar, unit = abs(found.margin), found.bar, found.unit
    return ResultCheck(
        check="error_bar",
        subject=name,
        value=bar,
        limit=margin,
        unit=unit,
        text=f"{name}: the verdict {entry.verdict!r} is within its error bar: the result is {margin:.2g} {unit} "
        f"{found.from_what}, its error bar is {bar:.2g} {unit}; use a finer mesh (mesh.accuracy) or a larger margin",
    )
