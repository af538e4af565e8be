"""Several channels of one generator: output sharing, set points, and electrodes that float.

| law                                                                         | allowed                 |
|-----------------------------------------------------------------------------|-------------------------|
| in each channel the currents of all electrodes and the return sum to zero   | 1e-8 of the largest     |
| no net current leaves an electrode that floats; all of it has one potential | 1e-10 of the channel's  |
| a channel's conductance, what floats: from G electrode by electrode         | 1e-8, 1e-7              |
| two near simultaneous channels each hold their own set point                | 1e-6 K                  |
| two far ones each do what they do alone                                     | 1 % of the power        |
| alike channels in a mirror: alike voltages, sensors                         | 2 %, 5 % (draft mesh)   |
| sequential, far apart: the union of the two lesions                         | 3 % of the volume       |
| switching hands over at the dwell time; where the impedance has risen       | exact; 1 % of the rise  |
| the channels' energies add up to the ledger's, which closes                 | 1e-12; 1 %              |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.fem.electric_problem import UnitField
from rfablate.mesh.build import make_mesh
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.problem import Problem, build_problem
from rfablate.simulation.monitors.electric_monitor import Delivered, electric_entry
from rfablate.solve.loop import steps
from rfablate.solve.state import Frame, State, initial_state
from rfablate.timing import Stopwatch

Table = dict[str, Any]
TEMPERATURE: Table = {"kind": "temperature", "target_degC": 70, "ramp_s": 4, "hold_s": 4}
LONGER: Table = {**TEMPERATURE, "hold_s": 12}
"""The last step is at least as long as the control horizon, so that sensors are exactly at their set points."""
POWER: Table = {"kind": "power", "power_W": 3, "duration_s": 4}
LEFT: Table = {"name": "left", "active": ["a"]}
RIGHT: Table = {"name": "right", "active": ["b"]}
THIRD: Table = {"name": "third", "active": ["c"]}
NOTHING: Table = {"kind": "power", "power_W": 0, "duration_s": 4}
OFF_LEFT: Table = {**LEFT, "generator": NOTHING}
OFF_RIGHT: Table = {**RIGHT, "generator": NOTHING}


def tip(name: str, x: float, **keys: Any) -> Table:
    """Return a blunt 18 G cannula `x` mm beside the axis."""
    at = {"name": name, "tip_mm": [x, 0, 0], "shaft_length_mm": 12}
    return {"outer_diameter_mm": 1.27, "active_tip_mm": 5, **at, **keys}


def case_of(*places: float, channels: list[Table], generator: Table, electric: str = "return", **tables: Any) -> Case:
    """Return a case of tips a, b, c at these positions [mm] in a box of muscle that extends 12 mm beyond them."""
    return parse_case(
        {
            "domain": {"kind": "box", "size_mm": [2 * max(map(abs, places)) + 24, 24, 28], "tissue": "muscle"},
            "boundary": {"electric": electric},
            "applicators": [tip(name, x) for name, x in zip("abc", places, strict=False)],
            "generator": generator,
            "channels": channels,
            "mesh": {"accuracy": "draft"},
            **tables,
        }
    )


MESHES: dict[tuple[int, tuple[float, ...], str], Domain] = {}
"""The input of the mesh, which is independent of channels and generator."""


def problem_of(
    comm: MPI.Comm, *places: float, channels: list[Table], generator: Table, electric: str = "return", **tables: Any
) -> Problem:
    """Return the problem of such a case. Collective."""
    case = case_of(*places, channels=channels, generator=generator, electric=electric, **tables)
    key = (comm.size, places, electric)
    if key not in MESHES:
        MESHES[key] = distribute(on_root(comm, lambda: make_mesh(case)), comm)
    return build_problem(case, MESHES[key])


def run_of(problem: Problem) -> tuple[list[Frame], State]:
    """Return all frames and the state at the end. Collective."""
    state = initial_state(problem)
    return list(steps(problem, state, [], Stopwatch())), state


def units_of(problem: Problem) -> tuple[UnitField, ...]:
    """Return the response to 1 V of each channel at body temperature. Collective."""
    problem.solvers.assemble(problem.initial)
    assert problem.solvers.electric is not None
    fields = [
        problem.solvers.electric.solve(problem.solvers.coefficients, group=n)
        for n in range(len(problem.solvers.electric.groups))
    ]
    return problem.solvers.electric.channels(fields, problem.solvers.coefficients)


def own(channel: Table, **keys: Any) -> Table:
    """Return a channel with a protocol of its own."""
    return {**channel, "generator": keys}


def volume(problem: Problem, frame: Frame) -> float:
    """Return the volume of tissue that has reached 50 degC [mm3]. Collective."""
    domain = problem.domain
    share = np.clip(0.5 + (frame.peak - 50.0) / 4.0, 0.0, 1.0)
    cells = domain.elements.volume * share[domain.elements.cells].mean(axis=1) * problem.tissue_cells
    return float(domain.nodes.total_of(float(cells.sum()))[0]) * 1e9


# --- the field ------------------------------------------------------------------------------------

THREE = [
    {"name": "pad", "active": ["a"]},
    {"name": "pair", "active": ["b"], "return": ["c"]},
    {"name": "both", "active": ["a", "c"]},
]


@pytest.mark.mpi
def test_currents_sum_to_zero_and_none_leaves_what_floats(comm: MPI.Comm) -> None:
    units = units_of(problem_of(comm, -6, 0, 5, channels=THREE, generator=POWER))
    for unit, active, floating in zip(units, ([0], [1], [0, 2]), ([1, 2], [0], [1]), strict=True):
        currents = np.array(unit.currents)
        assert abs(currents.sum()) < 1e-8 * unit.conductance
        assert np.abs(currents[floating]).max() < 1e-10 * unit.conductance
        assert currents[active].sum() == pytest.approx(unit.conductance, rel=1e-8)
    _, out, back, pad = units[1].currents
    assert out > 0.0 > back and pad < 0.0


@pytest.mark.mpi
def test_a_channel_conducts_as_the_matrix_of_all_electrodes_says(comm: MPI.Comm) -> None:
    """From G by electrode: floating tips take the potentials of zero current, the nearer tip the higher one."""
    problem = problem_of(comm, -6, 0, 5, channels=THREE, generator=POWER)
    units = units_of(problem)
    assert problem.solvers.electric is not None
    G = problem.solvers.electric.conductances()
    v = np.linalg.solve(G[1:, 1:], -G[1:, 0])
    assert v[0] > v[1] > 0.0
    assert units[0].conductance == pytest.approx(G[0, 0] + G[0, 1:] @ v, rel=1e-8)
    for name, potential in zip("bc", v, strict=True):
        seen = units[0].phi[problem.domain.surface_nodes[f"electrode {name}"]]
        assert seen == pytest.approx(np.full(len(seen), potential), rel=1e-7)


@pytest.mark.mpi
def test_without_an_outer_return_all_comes_back_by_the_tips(comm: MPI.Comm) -> None:
    """The current of one tip returns entirely through the other, past the floating tip between them."""
    channels = [{"name": "ends", "active": ["a"], "return": ["c"]}, {"name": "near", "active": ["b"], "return": ["c"]}]
    units = units_of(problem_of(comm, -6, 0, 5, channels=channels, generator=POWER, electric="insulated"))
    a, b, c, rest = units[0].currents
    assert a == pytest.approx(-c, rel=1e-8) and rest == 0.0 and abs(b) < 1e-10 * a
    assert 1.0 / units[0].conductance > 1.0 / units[1].conductance, "the wider pair resists more"


# --- simultaneous ---------------------------------------------------------------------------------


@pytest.mark.mpi
def test_two_near_channels_each_hold_their_own_set_point(comm: MPI.Comm) -> None:
    """8 mm apart, 70 and 60 degC; heat of the hotter tip reduces the power of the other."""
    channels, generator = [own(LEFT, target_degC=70), own(RIGHT, target_degC=60)], {**TEMPERATURE, "hold_s": 8}
    seen, state = run_of(problem_of(comm, -4, 4, channels=channels, generator=generator))
    held = [frame for frame in seen if frame.t > 5.0]
    assert sum(frame.dt >= 0.5 for frame in held) > 2
    for frame in held:  # a step shorter than 0.5 s uses a horizon of 0.5 s
        left, right = frame.outputs
        close = 1e-6 if frame.dt >= 0.5 else 0.1
        assert left.sensor == pytest.approx(70.0, abs=close) and right.sensor == pytest.approx(60.0, abs=close)
    alone, _ = run_of(problem_of(comm, -4, 4, channels=[own(RIGHT, target_degC=60), OFF_LEFT], generator=generator))
    assert held[-1].outputs[1].power < 0.99 * alone[-1].outputs[0].power
    assert sum(state.ledger.channels) == pytest.approx(state.ledger.joule, rel=1e-12)
    assert state.ledger.residual_fraction < 0.01


def test_pi_controllers_settle_each_on_its_own(comm: MPI.Comm) -> None:
    channels = [own(LEFT, target_degC=70), own(RIGHT, target_degC=60)]
    generator = {**TEMPERATURE, "control": "pi", "hold_s": 30}
    seen, state = run_of(problem_of(comm, -4, 4, channels=channels, generator=generator))
    left, right = seen[-1].outputs
    assert left.sensor == pytest.approx(70.0, abs=0.3) and right.sensor == pytest.approx(60.0, abs=0.3)
    for target, out, memory in zip((70.0, 60.0), seen[-1].outputs, state.channel_states, strict=True):
        assert out.power == pytest.approx(0.5 * (target - out.sensor) + memory.controller.integral_power, rel=1e-6)


def test_two_far_channels_each_do_what_they_do_alone(comm: MPI.Comm) -> None:
    channels = [own(LEFT, target_degC=70), own(RIGHT, target_degC=60)]
    both, _ = run_of(problem_of(comm, -14, 14, channels=channels, generator=LONGER))
    for number, (channel, other) in enumerate(((channels[0], OFF_RIGHT), (channels[1], OFF_LEFT))):
        alone, _ = run_of(problem_of(comm, -14, 14, channels=[channel, other], generator=LONGER))
        assert min(both[-1].dt, alone[-1].dt) >= 0.5
        together, by_itself = both[-1].outputs[number], alone[-1].outputs[0]
        assert together.sensor == pytest.approx(by_itself.sensor, abs=1e-6)
        assert together.power == pytest.approx(by_itself.power, rel=0.01)


@pytest.mark.mpi
def test_alike_channels_in_a_mirror_do_alike(comm: MPI.Comm) -> None:
    frame = run_of(problem_of(comm, -4, 4, channels=[LEFT, RIGHT], generator=POWER))[0][-1]
    left, right = frame.outputs
    assert left.voltage == pytest.approx(right.voltage, rel=0.02)
    assert left.sensor - 37.0 == pytest.approx(right.sensor - 37.0, rel=0.05)


def test_limits_hold_within_a_channels_slice_of_time(comm: MPI.Comm) -> None:
    """Half of the time each: 20 V within the time slice are 20 V / sqrt(2) RMS."""
    generator = {"kind": "voltage", "voltage_V": 20, "max_voltage_V": 20, "duration_s": 0.1}
    frame = run_of(problem_of(comm, -4, 4, channels=[LEFT, RIGHT], generator=generator))[0][-1]
    for out in frame.outputs:
        assert out.voltage == pytest.approx(20.0 / np.sqrt(2.0)) and out.limited_by == "voltage"


@pytest.mark.parametrize("reads", ["hottest", "mean", "first"])
def test_a_channel_of_two_tips_reads_its_sensors_as_told(comm: MPI.Comm, reads: str) -> None:
    """b between a and c is hotter; the sensor of the third channel is not used."""
    channels = [{"name": "two", "active": ["a", "b"], "generator": {"reads": reads}}, own(THIRD, target_degC=55)]
    problem = problem_of(comm, -6, 0, 5, channels=channels, generator=LONGER)
    frame = run_of(problem)[0][-1]
    assert frame.dt >= 0.5
    a, b, c = problem.sensors.read(frame.T)[0]
    assert {"hottest": max(a, b), "mean": 0.5 * (a + b), "first": a}[reads] == pytest.approx(70.0, abs=1e-6)
    assert c == pytest.approx(55.0, abs=1e-6)


# --- one at a time --------------------------------------------------------------------------------


def test_one_after_the_other_far_apart_makes_both_lesions(comm: MPI.Comm) -> None:
    problem = problem_of(comm, -14, 14, channels=[LEFT, RIGHT], generator=TEMPERATURE, sharing={"mode": "sequential"})
    seen, state = run_of(problem)
    assert problem.generator.end == 16.0 and {0.0} == {f.outputs[1].power for f in seen if f.t <= 8.0}
    assert {0.0} == {f.outputs[0].power for f in seen if f.t > 8.0}
    at_8 = next(f for f in seen if f.t == 8.0)
    parts = [run_of(problem_of(comm, -14, 14, channels=[each, off], generator=TEMPERATURE))
             for each, off in ((LEFT, OFF_RIGHT), (RIGHT, OFF_LEFT))]  # fmt: skip
    volumes = [volume(problem, frames[-1]) for frames, _ in parts]
    assert volume(problem, at_8) == pytest.approx(volumes[0], rel=0.03)
    assert min(volumes) > 30.0 and volume(problem, seen[-1]) == pytest.approx(sum(volumes), rel=0.03)
    # steps of at least the horizon (0.5 s) reach the set point exactly; shorter ones use the horizon
    held = [f.outputs[1].sensor for f in seen if f.t > 12.0 and f.dt >= 0.5]
    assert held and held == pytest.approx([70.0] * len(held), abs=1e-6)
    assert sum(state.ledger.channels) == pytest.approx(state.ledger.joule, rel=1e-12)
    assert state.ledger.residual_fraction < 0.01


@pytest.mark.mpi
def test_switching_lands_on_every_dwell_time(comm: MPI.Comm) -> None:
    sharing = {"mode": "switching", "dwell_s": 1.5}
    seen, state = run_of(problem_of(comm, -4, 4, channels=[LEFT, RIGHT], generator=POWER, sharing=sharing))
    for frame in seen[1:]:
        whose = int((frame.t - 0.5 * frame.dt) // 1.5) % 2
        assert frame.outputs[whose].power == pytest.approx(3.0) and frame.outputs[1 - whose].power == 0.0
    assert {1.5, 3.0} <= {frame.t for frame in seen}
    assert state.ledger.channels == pytest.approx((7.5, 4.5)) and state.ledger.residual_fraction < 0.01


def test_switching_hands_over_where_the_impedance_has_risen(comm: MPI.Comm) -> None:
    """sigma decreases with heating: each turn ends 2 ohm above the lowest impedance, well before its dwell time."""
    roll_off = {"action": "pause", "rise_ohm": 2.0, "wait_s": 0.5}
    problem = problem_of(
        comm, -4, 4, channels=[LEFT, RIGHT], generator={**POWER, "duration_s": 6, "roll_off": roll_off},
        sharing={"mode": "switching", "dwell_s": 5}, tissues={"muscle": {"sigma_slope_per_K": -0.01}},
    )  # fmt: skip
    seen, state = run_of(problem)
    events = sorted((t, n) for n, memory in enumerate(state.channel_states) for t, _ in memory.events)
    assert len(events) >= 2
    for t, number in events:
        at, after = next(f for f in seen if f.t == t), next(f for f in seen if f.t > t)
        before = [f.outputs[number].conductance for f in seen[1:] if f.t <= t and f.outputs[number].power > 0.0]
        assert 1.0 / at.outputs[number].conductance - 1.0 / max(before) == pytest.approx(2.0, abs=0.02)
        assert at.outputs[number].power > 0.0 and after.outputs[number].power == 0.0
    first = events[0][0]
    assert first < 5.0 and next(f for f in seen if f.t > first).outputs[1].power == pytest.approx(3.0)


def test_several_channels_have_a_power_in_common_and_no_voltage() -> None:
    last = Delivered(20.0, 0.01, 7.0, 9.0, 0.0)
    assert electric_entry(last)["impedance_ohm"] == pytest.approx(100.0)
    several = electric_entry(last, 2)
    assert several["power_W"] == 7.0 and several["voltage_V"] is None and several["impedance_ohm"] is None
