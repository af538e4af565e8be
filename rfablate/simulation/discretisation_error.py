"""Numerical error bar: change of the results on a mesh twice as coarse with longer steps.

The case is run a second time with every element size twice as large and the tolerated local error of a step four times
as large. If the error is of order p in the element size, the results change by 2^p - 1 times the error of the run
itself: once for p = 1 (singular edges of the electric field), three times for p = 2 (smooth fields). The error bar is
this difference; because a single number may hardly change by chance, it is the largest difference of all rules for the
same measure. It does not include the error of the model: uncertainty of the tissue values is usually larger.

Gmsh may fail on bodies that are thin compared with elements of twice the size. Then the second run uses 1.5 times the
size and the difference is doubled, which gives the same error bar for p = 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError, RfablateError
from rfablate.lesion.continuity import Continuity
from rfablate.lesion.observer import Observer, StepMeasures
from rfablate.mesh.build import build_domain
from rfablate.problem.problem import build_problem
from rfablate.simulation.prior_treatment import begin
from rfablate.simulation.run_context import RunContext
from rfablate.simulation.summarise import MM, lesion_entry
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame
from rfablate.timing import Stopwatch

COARSER = (2.0, 1.5)
"""Factors of the element sizes, in the order they are tried."""


def error_bars(run: RunContext, frame: Frame) -> tuple[dict[str, float], str]:
    """Return error bars by name (`rule.width_mm`, `structure.max_degC`), and why there are none. Collective.

    Args:
        run: the run; its observer has seen the last frame.
        frame: last frame of the run.
    """
    case, observer = run.case, run.observer
    if isinstance(case.domain, MeshDomain):
        return {}, "no error bar: a mesh from a file cannot be made coarser"
    reason = ""
    for factor in COARSER:
        try:
            rough, last = _last_observation(_coarser(case, factor), run)
        except RfablateError as error:
            reason = reason or f"no error bar: the coarser run failed ({error})"
            continue
        bars = _differences(observer.last, rough.last) | _bridge_bars(observer.bridges(frame), rough.bridges(last))
        return {name: bar / (factor - 1.0) for name, bar in bars.items()}, ""
    return {}, reason


def _coarser(case: Case, factor: float = COARSER[0]) -> Case:
    mesh = case.mesh.model_copy(update={"scale": case.mesh.scale * factor, "distributed_file": None})
    update = {"tolerance": case.time.tolerance * factor**2, "step": case.time.step * factor}
    return case.model_copy(update={"mesh": mesh, "time": case.time.model_copy(update=update)})


def _last_observation(case: Case, run: RunContext) -> tuple[Observer, Frame]:
    """Simulate a coarser case of a run; return observer and frame at its end. Collective.

    Raises:
        MeshError: the mesh has more notes than that of the run, and therefore another geometry.
    """
    domain = build_domain(case, run.problem.domain.comm)
    if len(domain.notes) > len(run.problem.domain.notes):
        raise MeshError(domain.notes[0])
    problem = build_problem(case, domain, run.extensions)
    problem, state, _ = begin(case, problem)
    observer = Observer(case, problem)
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
    for name in seen.covered:
        bars[f"{name}.covered_fraction"] = abs(seen.covered[name] - rough.covered[name])
        bars[f"{name}.max_degC"] = abs(seen.max_T[name] - rough.max_T[name])
    return bars
