"""The numerical error bar: how far the answers move on a mesh twice as coarse with longer steps.

The case is run once more with every element size twice as large and the local error of a step four times as large. With
an error of order p in the size the answers move by 2^p - 1 times the error of the run itself: once (p = 1, the field's
singular edges) to three times (p = 2, smooth fields). The bar is that difference and, since a single number may hardly
move by chance, the largest of all rules' for the same measure. It says nothing about the model: tissue values are by
far the larger uncertainty.

Where bodies are thin for elements of twice the size, Gmsh may fail: then all is done with 1.5 times the size and the
difference is doubled, which is the same bar for p = 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpi4py import MPI

from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError, RfablateError
from rfablate.lesion.continuity import Crossing
from rfablate.lesion.observer import Observation, Observer
from rfablate.mesh.build import build_domain
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.problem.problem import build_problem
from rfablate.simulation.prior_treatment import begin
from rfablate.simulation.summarise import MM, lesion_entry
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame
from rfablate.timing import Stopwatch

COARSER = (2.0, 1.5)
"""Factors of the element sizes, in the order they are tried."""


def error_bars(
    case: Case,
    comm: MPI.Comm,
    observer: Observer,
    frame: Frame,
    extensions: Extensions = NO_EXTENSIONS,
    notes: int = 0,
) -> tuple[dict[str, float], str]:
    """Return each number's bar, named `rule.width_mm` or `structure.max_degC`, and why there is none. Collective.

    Args:
        case: the run's.
        comm: all ranks.
        observer: the run's, which has seen its last frame.
        frame: that one.
        extensions: the run's.
        notes: number of notes on the run's mesh; a coarser mesh with more of them is another geometry.
    """
    if isinstance(case.domain, MeshDomain):
        return {}, "no error bar: a mesh from a file cannot be made coarser"
    reason = ""
    for factor in COARSER:
        try:
            rough, last = _last_observation(_coarser(case, factor), comm, extensions, notes)
        except RfablateError as error:
            reason = reason or f"no error bar: the coarser run failed ({error})"
            continue
        bars = _differences(observer.last, rough.last) | _bridge_bars(observer.bridges(frame), rough.bridges(last))
        return {name: bar / (factor - 1.0) for name, bar in bars.items()}, ""
    return {}, reason


def _coarser(case: Case, factor: float = COARSER[0]) -> Case:
    mesh = case.mesh.model_copy(update={"scale": case.mesh.scale * factor})
    update = {"tolerance": case.time.tolerance * factor**2, "step": case.time.step * factor}
    return case.model_copy(update={"mesh": mesh, "time": case.time.model_copy(update=update)})


def _last_observation(case: Case, comm: MPI.Comm, extensions: Extensions, notes: int) -> tuple[Observer, Frame]:
    """Run a case; return what is seen at its end. A mesh of more than so many notes is refused: bodies follow cells."""
    domain = build_domain(case, comm)
    if len(domain.notes) > notes:
        raise MeshError(domain.notes[0])
    problem = build_problem(case, domain, extensions)
    problem, state, _ = begin(case, problem)
    observer = Observer(case, problem)
    frame: Frame | None = None
    for step in steps(problem, state, (), Stopwatch()):
        frame = step
    assert frame is not None
    observer.look(frame)
    return observer, frame


def _bridge_bars(fine: Mapping[str, Crossing], coarse: Mapping[str, Crossing]) -> dict[str, float]:
    """Return the bars of the lines between the applicators; levels have units of their own, so each rule its bar."""
    both = ((rule, each.margin, coarse[rule].margin) for rule, each in fine.items())
    moved = {rule: abs(a - b) * MM for rule, a, b in both if a is not None and b is not None}
    bars = {f"{rule}.bridge_level": abs(each.level - coarse[rule].level) for rule, each in fine.items()}
    return bars | dict.fromkeys((f"{rule}.bridge_margin_mm" for rule in moved), max(moved.values(), default=0.0))


def _differences(seen: Observation, rough: Observation) -> dict[str, float]:
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
