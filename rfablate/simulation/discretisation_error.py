"""Numerical error bar: change of the results on a mesh twice as coarse with longer steps.

The case is run a second time with every element size twice as large and the tolerated local error of a step four times
as large. If the error is of order p in the element size, the results change by 2^p - 1 times the error of the run
itself: once for p = 1 (singular edges of the electric field), three times for p = 2 (smooth fields). The error bar is
this difference. Because a single number may hardly change by chance, it is the largest difference of all rules for the
same measure; and width and length, sums of two distances, have at least the root of the sum of squares of the error
bars of both depths. It does not include the error of the model: uncertainty of the tissue values is usually larger.

Gmsh may fail on bodies that are thin compared with elements of twice the size. Then the second run uses 1.5 times the
size and the difference is doubled, which gives the same error bar for p = 1.

Where the machine has a second core, the second run is computed there beside the run itself, with equal numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError, RfablateError
from rfablate.lesion.continuity import Continuity
from rfablate.lesion.observer import Observer, StepMeasures
from rfablate.mesh.build import build_domain
from rfablate.mesh.domain import Domain
from rfablate.problem.extensions import Extensions
from rfablate.problem.problem import build_problem
from rfablate.simulation.prior_treatment import with_prior_treatment
from rfablate.simulation.side_process import PendingCall, SideProcess, SideProcessError
from rfablate.simulation.summarise import MM, lesion_entry
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame
from rfablate.timing import Stopwatch

log = logging.getLogger("rfablate")

EXTENTS = ("width_mm", "width_min_mm", "length_mm")
"""Measures that are sums of two distances."""
ANY_NOTES = 1000
"""More notes than any mesh has."""
COARSER = (2.0, 1.5)
"""Factors of the element sizes, in the order they are tried."""


@dataclass(frozen=True)
class CoarseResult:
    """Results of the run on the coarser mesh; picklable."""

    measures: StepMeasures
    bridges: Mapping[str, Continuity]
    factor: float
    """Factor of its element sizes."""


class CoarseRun:
    """The run on the coarser mesh: in a process on a second core where there is one, else after the run itself."""

    def __init__(self, case: Case, domain: Domain, extensions: Extensions, side: SideProcess | None) -> None:
        """Start it in `side`, a process on a second core, as soon as the mesh of the run exists; None: not yet."""
        self._case, self._domain, self._extensions = case, domain, extensions
        self._call: PendingCall | None = None
        if side is not None and case.output.error_bar and not isinstance(case.domain, MeshDomain):
            self._call = side.submit(_coarse_result_alone, case, extensions, len(domain.geometry_notes))

    def error_bars(self, observer: Observer, frame: Frame) -> tuple[dict[str, float], str]:
        """Return error bars by name (`rule.width_mm`, `structure.max_degC`), and why there are none. Collective.

        Args:
            observer: observer of the run, after its last frame.
            frame: last frame of the run.
        """
        if isinstance(self._case.domain, MeshDomain):
            return {}, "no error bar: a mesh from a file cannot be made coarser"
        coarse, reason = self._result()
        if coarse is None:
            return {}, reason
        bars = _differences(observer.last, coarse.measures) | _bridge_bars(observer.bridges(frame), coarse.bridges)
        return {name: bar / (coarse.factor - 1.0) for name, bar in bars.items()}, ""

    def _result(self) -> tuple[CoarseResult | None, str]:
        if self._call is not None:
            try:
                result: tuple[CoarseResult | None, str] = self._call.result()
                return result
            except (SideProcessError, RfablateError) as error:
                log.warning("the error bar's run on the second core failed (%s); it is repeated after the run", error)
        return _coarse_result(self._case, self._domain.comm, self._extensions, len(self._domain.geometry_notes))


def _coarse_result(case: Case, comm: MPI.Comm, extensions: Extensions, notes: int) -> tuple[CoarseResult | None, str]:
    """Return the results on a coarser mesh, or why there are none. Collective.

    Args:
        case: case of the run.
        comm: all ranks.
        extensions: extension objects of the run.
        notes: number of notes on the mesh of the run; a coarser mesh with more of them has another geometry.
    """
    reason = ""
    for factor in COARSER:
        try:
            observer, last = _last_observation(rescaled(case, factor), comm, extensions, notes)
        except RfablateError as error:
            reason = reason or f"no error bar: the coarser run failed ({error})"
            continue
        return CoarseResult(observer.last, observer.bridges(last), factor), ""
    return None, reason


def _coarse_result_alone(case: Case, extensions: Extensions, notes: int) -> tuple[CoarseResult | None, str]:
    """Return the same in a process of its own, which starts MPI here."""
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_MULTIPLE)
    return _coarse_result(case, MPI.COMM_SELF, extensions, notes)


def rescaled(case: Case, factor: float) -> Case:
    """Return a case with `factor` on the element sizes and steps, and its square on the tolerated error of a step."""
    mesh = case.mesh.model_copy(update={"scale": case.mesh.scale * factor, "distributed_file": None})
    update = {"tolerance": case.time.tolerance * factor**2, "step": case.time.step * factor}
    return case.model_copy(update={"mesh": mesh, "time": case.time.model_copy(update=update)})


def width_error(case: Case, comm: MPI.Comm, extensions: Extensions) -> float | None:
    """Return the error bar of the width by the rule of the verdicts [% of the width], without writing anything.

    None without a lesion. Collective.

    Raises:
        RfablateError: one of the two meshes or runs failed.
    """
    observer, _ = _last_observation(case, comm, extensions, ANY_NOTES)
    coarse, reason = _coarse_result(case, comm, extensions, ANY_NOTES)
    if coarse is None:
        raise MeshError(reason)
    name = f"{observer.deciding_rule}.width_mm"
    bar = _differences(observer.last, coarse.measures).get(name)
    if bar is None:
        return None
    return 100.0 * bar / (coarse.factor - 1.0) / lesion_entry(observer.last.lesions[observer.deciding_rule])["width_mm"]


def _last_observation(case: Case, comm: MPI.Comm, extensions: Extensions, notes: int) -> tuple[Observer, Frame]:
    """Simulate a coarser case of a run; return observer and frame at its end. Collective.

    Raises:
        MeshError: the mesh has more notes than `notes`, those of the run, and therefore another geometry.
    """
    domain = build_domain(case, comm)
    if len(domain.geometry_notes) > notes:
        raise MeshError(domain.geometry_notes[0])
    problem = build_problem(case, domain, extensions)
    problem, state, _ = with_prior_treatment(case, problem)
    observer = Observer(case, problem.domain, problem.tissue_cells)
    frame: Frame | None = None
    for step in steps(problem, state, (), Stopwatch()):
        frame = step
    assert frame is not None
    observer.look(frame)
    return observer, frame


def _bridge_bars(fine: Mapping[str, Continuity], coarse: Mapping[str, Continuity]) -> dict[str, float]:
    """Return the error bars between applicators; levels differ in unit by rule, so each rule has its own bar."""
    both = ((rule, each.margin, coarse[rule].margin) for rule, each in fine.items())
    moved = {rule: abs(a - b) * MM for rule, a, b in both if a is not None and b is not None}
    bars = {f"{rule}.bridge_level": abs(each.level - coarse[rule].level) for rule, each in fine.items()}
    return bars | dict.fromkeys((f"{rule}.bridge_margin_mm" for rule in moved), max(moved.values(), default=0.0))


def _differences(seen: StepMeasures, rough: StepMeasures) -> dict[str, float]:
    fine = {rule: lesion_entry(lesion) for rule, lesion in seen.lesions.items() if lesion.volume > 0.0}
    coarse = {rule: lesion_entry(rough.lesions[rule]) for rule in fine}
    bars = {}
    for key in next(iter(fine.values()), {}):
        largest = max(abs(fine[rule][key] - coarse[rule][key]) for rule in fine)
        bars.update({f"{rule}.{key}": largest for rule in fine})
    for rule in fine:
        ends = float(np.hypot(bars[f"{rule}.depth_distal_mm"], bars[f"{rule}.depth_proximal_mm"]))
        bars.update({f"{rule}.{key}": max(bars[f"{rule}.{key}"], ends) for key in EXTENTS})
    for name in seen.covered:
        bars[f"{name}.covered_fraction"] = abs(seen.covered[name] - rough.covered[name])
        bars[f"{name}.max_degC"] = abs(seen.max_T[name] - rough.max_T[name])
    return bars
