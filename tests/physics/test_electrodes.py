"""Several electrodes: currents sum to zero, and the conductance matrix is reciprocal.

| law                                                                  | allowed                       |
|----------------------------------------------------------------------|-------------------------------|
| tip currents and the return's sum to zero                            | 1e-8 of the largest           |
| G is symmetric (reciprocity), off the diagonal negative              | 1e-8 of the largest           |
| superposition: currents at any potentials follow from G              | 1e-8 of the largest           |
| insulated around, the rows of G sum to zero                          | 1e-8 of the largest           |
| a wider pair has more ohms                                           | sign                          |
| the hottest, mean or first of the sensors is at its set point        | 1e-6 K                        |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.mesh.build import make_mesh
from rfablate.mesh.domain import distribute
from rfablate.mesh.root_tasks import on_root
from rfablate.physics.generator import ConstantPowerControl, Limits, PIControl, Ramp, StepPrediction
from rfablate.problem.problem import Problem, build_problem
from rfablate.solve.generator_decision import decide_by_hottest
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, initial_state
from rfablate.timing import Stopwatch

CLOSE = 1e-8
TEMPERATURE = {"kind": "temperature", "target_degC": 60, "ramp_s": 4, "hold_s": 6}
VOLTAGE = {"kind": "voltage", "voltage_V": 10, "duration_s": 0.1}


def tip(name: str, x: float, **keys: Any) -> dict[str, Any]:
    """Return a blunt 18 G cannula `x` mm beside the axis."""
    at = {"name": name, "tip_mm": [x, 0, 0], "shaft_length_mm": 15}
    return {"outer_diameter_mm": 1.27, "active_tip_mm": 5, **at, **keys}


def problem_of(
    comm: MPI.Comm, *tips: dict[str, Any], electric: str = "insulated", generator: dict[str, Any] | None = None
) -> Problem:
    case = parse_case(
        {
            "domain": {"kind": "box", "size_mm": [50, 40, 40], "tissue": "muscle"},
            "boundary": {"electric": electric},
            "structures": [
                {
                    **{"name": "bone", "kind": "half_space", "point_mm": [0, -3, 0], "normal": [0.3, -1, 0]},
                    "tissue": "cancellous_bone",
                }
            ],
            "applicators": list(tips),
            "generator": generator or VOLTAGE,
            "mesh": {"accuracy": "draft"},
        }
    )
    return build_problem(case, distribute(on_root(comm, lambda: make_mesh(case)), comm))


def last(problem: Problem) -> Frame:
    *_, frame = steps(problem, initial_state(problem), [], Stopwatch())
    return frame


@pytest.mark.mpi
@pytest.mark.parametrize("electric", ["insulated", "return"])
def test_a_pairs_currents_sum_to_zero(comm: MPI.Comm, electric: str) -> None:
    frame = last(problem_of(comm, tip("left", -5), tip("right", 5, electrode="return"), electric=electric))
    assert frame.unit is not None
    out, back, pad = frame.unit.currents
    assert out == pytest.approx(frame.conductance, rel=CLOSE), "I = V G"
    assert abs(out + back + pad) < CLOSE * out
    assert back < 0.0
    assert pad == 0.0 if electric == "insulated" else pad < 0.0


@pytest.mark.mpi
@pytest.mark.parametrize("electric", ["insulated", "return"])
def test_conductances_are_reciprocal_and_superpose(comm: MPI.Comm, electric: str) -> None:
    """Three different electrodes in two tissues: the two active ones and the return follow the matrix."""
    tips = (tip("a", -8), tip("b", 0, active_tip_mm=8), tip("c", 7, outer_diameter_mm=0.9, electrode="return"))
    problem = problem_of(comm, *tips, electric=electric)
    frame = last(problem)
    assert problem.solvers.electric is not None and frame.unit is not None
    problem.solvers.assemble(frame.T)
    unit, G = problem.solvers.electric.solve(problem.solvers.coefficients), problem.solvers.electric.conductances()
    largest = np.abs(G).max()
    assert np.abs(G - G.T).max() < CLOSE * largest
    assert (G - np.diag(np.diag(G)) < np.eye(3)).all() and (np.diag(G) > 0.0).all()
    *currents, pad = unit.currents
    assert np.abs(G @ [1.0, 1.0, 0.0] - currents).max() < CLOSE * largest
    assert abs(sum(currents) + pad) < CLOSE * largest
    rows = np.abs(G.sum(axis=1))
    assert (rows < CLOSE * largest).all() if electric == "insulated" else (rows > 0.01 * largest).all()


def test_a_wider_pair_resists_more(comm: MPI.Comm) -> None:
    near, far = (last(problem_of(comm, tip("a", -x), tip("b", x, electrode="return"))).conductance for x in (3, 8))
    assert 1.0 / far > 1.1 / near


@pytest.mark.parametrize("reads", ["hottest", "mean", "first"])
def test_the_sensors_that_are_read_hold_the_set_point(comm: MPI.Comm, reads: str) -> None:
    """The thin tip is the hotter one."""
    tips = (tip("thick", -5), tip("thin", 5, outer_diameter_mm=0.7, electrode="return"))
    problem = problem_of(comm, *tips, generator={**TEMPERATURE, "reads": reads})
    frame = last(problem)
    thick, thin = problem.sensors.read(frame.T)[0]
    assert thin > thick + 1.0
    followed = {"hottest": thin, "mean": 0.5 * (thick + thin), "first": thick}[reads]
    assert followed == pytest.approx(60.0, abs=1e-6)
    assert frame.sensor == pytest.approx(followed, abs=1e-9)


def test_a_two_ring_needle_conducts_alike_in_3d_and_in_the_half_plane(comm: MPI.Comm) -> None:
    """Tip and ring of one needle with a gap; two mesh generators with independent geometry code."""
    ring = {"gap_mm": 4, "length_mm": 5}
    table: dict[str, Any] = {
        "domain": {"radius_mm": 25, "height_mm": 50, "tissue": "muscle"},
        "boundary": {"electric": "insulated"},
        "applicators": [{"outer_diameter_mm": 1.47, "active_tip_mm": 5, "shaft_length_mm": 20, "ring": ring}],
        "generator": VOLTAGE,
    }
    seen = {}
    for kind in ("axisymmetric", "cylinder"):
        case = parse_case({**table, "domain": {"kind": kind, **table["domain"]}})
        frame = last(build_problem(case, distribute(on_root(comm, lambda case=case: make_mesh(case)), comm)))  # type: ignore[misc]
        assert frame.unit is not None
        tip_current, ring_current, rest = frame.unit.currents
        assert abs(tip_current + ring_current) < CLOSE * tip_current and rest == 0.0
        seen[kind] = frame.conductance
    assert seen["cylinder"] == pytest.approx(seen["axisymmetric"], rel=0.03)


# --- pure -----------------------------------------------------------------------------------------


def test_the_sensor_that_will_be_hottest_decides() -> None:
    """The slow hot sensor limits at low voltage, the fast cold one at higher voltage."""
    pi = PIControl(Limits(50.0, 100.0, 2.0), 100.0, 0.0, Ramp(37.0, 80.0, 0.0), 0.5, 0.2)
    warm, quick = (StepPrediction(1.0, 1.0, 0.01, a, b, 1.0, 50.0) for a, b in ((70.0, 0.001), (40.0, 0.1)))
    alone = {offer: pi.decide(offer, pi.start()) for offer in (warm, quick)}
    assert decide_by_hottest(pi, [warm, quick], pi.start()) == alone[quick]
    command = alone[quick][0]
    reading = quick.sensor_passive + command.voltage**2 * quick.sensor_gain
    assert reading > warm.sensor_passive + command.voltage**2 * warm.sensor_gain


def test_at_a_limit_the_memory_is_the_hottest_sensors() -> None:
    pi = PIControl(Limits(0.01, 100.0, 2.0), 100.0, 0.0, Ramp(37.0, 80.0, 0.0), 0.5, 0.2)
    cold, hot = (StepPrediction(1.0, 1.0, 0.01, a, 0.1, 1.0, 50.0) for a in (40.0, 70.0))
    command, memory = decide_by_hottest(pi, [cold, hot], pi.start())
    assert command.limited_by == "power"
    assert memory.error == pytest.approx(80.0 - (70.0 + 0.1 * command.voltage**2))


def test_without_a_sensor_there_is_one_offer() -> None:
    power = ConstantPowerControl(Limits(50.0, 100.0, 2.0), 10.0, 0.0, 4.0)
    offer = StepPrediction(1.0, 1.0, 0.01, float("nan"), float("nan"), 1.0)
    assert decide_by_hottest(power, [offer], power.start())[0].voltage == pytest.approx(20.0)
