"""Channels without a mesh: switching on scripted impedances, voltage iteration, floating electrodes, faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from rfablate.case.checks.all_checks import case_warnings
from rfablate.case.describe.case_text import describe_case
from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError
from rfablate.fem.electrode_patterns import electrode_groups, group_potentials
from rfablate.physics.generator import (
    Channels,
    Command,
    ConstantPowerControl,
    Delayed,
    IdealControl,
    ImpedanceGuard,
    ImpedanceWindow,
    Limits,
    Ramp,
    RollOffResponse,
    StepPrediction,
    settle,
)
from rfablate.problem.generator_setup import case_channels
from rfablate.problem.step_control import ROUNDING, StepControl, distinct_times
from rfablate.report.channel_section import channels as channel_table
from rfablate.results.card import _channel_lines, _generator_line
from rfablate.results.run_reader import RunData
from rfablate.results.summary_models import RunSummary
from rfablate.solve.energy_balance import EnergyLedger, Powers
from rfablate.toml import tomllib
from tests.summaries import complete_run

Table = dict[str, Any]
LIMITS = Limits(50.0, 1000.0, 10.0)
CONTROL = StepControl(tolerance=0.1, first=0.05, minimum=1e-5, maximum=1.0, fixed=None, order=2)
RESOLUTION = 1e-3


class Turned(NamedTuple):
    """Intervals in which a channel had output [s]."""

    channel: int
    start: float
    end: float


def device(count: int, roll_off: RollOffResponse | None, dwell: float, on: float = 30.0) -> Channels:
    """Return channels of 10 W in switching mode."""
    guard = ImpedanceGuard(ConstantPowerControl(LIMITS, on, 0.0, 10.0), ImpedanceWindow(1.0, 1e5), roll_off, RESOLUTION)
    return Channels((guard,) * count, dwell)


def drive(channels: Channels, impedance: Callable[[int, float, float], float]) -> tuple[list[Turned], Any]:
    """Run `rfablate.solve.loop.steps` on scripted impedances; return output intervals and memories.

    impedance: of a channel [ohm], from its number, the time, and the time since its turn began [s].
    """
    t, turn, stepping, cut = 0.0, channels.start(), CONTROL.start(), None
    memories: Sequence[Any] = tuple(each.start() for each in channels.generators)
    turns: list[Turned] = []
    landings = [*channels.switch_times, channels.end]
    while t < channels.end:
        planned = distinct_times(landings, channels.planned(memories, turn), ROUNDING * channels.end)
        end = CONTROL.next_time(t, [*landings, *planned], stepping) if cut is None else cut
        after, jumps, cut, delivering = list(memories), False, None, None
        for number in channels.served(turn):
            Z = impedance(number, end, end - turn.since)
            offer = StepPrediction(end, end - t, 1.0 / Z, 37.0, 0.3, end, 37.0)
            command, after[number] = channels.generators[number].decide(offer, memories[number])
            jumps, cut = jumps or command.jumps, command.cut
            delivering = number if command.voltage > 0.0 else None
        if cut is not None:
            assert t < cut < end
            continue
        if delivering is not None:
            joins = bool(turns) and turns[-1].channel == delivering and turns[-1].end == t
            start = turns.pop().start if joins else t
            turns.append(Turned(delivering, start, end))
        turn_before, t = turn, end
        turn, memories = channels.pass_on(t, after, turn)
        stepping = CONTROL.judge(0.5, 0.01, 2, stepping).memory
        if jumps or turn.channel != turn_before.channel:
            stepping = CONTROL.restart(stepping)
    return turns, memories


def test_turns_last_the_dwell_time_and_go_round() -> None:
    turns, _ = drive(device(3, None, 4.0), lambda *_: 100.0)
    assert turns == [(n % 3, 4.0 * n, min(4.0 * n + 4.0, 30.0)) for n in range(8)]


def test_a_channel_whose_impedance_has_risen_hands_over_at_that_time() -> None:
    """Linear rise of 4 ohm/s in each turn: 20 ohm after 5 s, well before the dwell time; then 8 s of rest."""
    roll_off = RollOffResponse("pause", None, rise=20.0, wait=8.0)
    turns, memories = drive(device(3, roll_off, 12.0), lambda n, t, since: 100.0 + 4.0 * since)
    assert [turn.channel for turn in turns] == [0, 1, 2, 0, 1, 2]
    assert [turn.end - turn.start for turn in turns[:5]] == pytest.approx([5.0] * 5, abs=0.1)
    assert [turn.start for turn in turns] == pytest.approx([5.0 * n for n in range(6)], abs=0.5)
    for n, memory in enumerate(memories):
        assert [t for t, _ in memory.events] == [turn.end for turn in turns[:5] if turn.channel == n]


def test_the_time_of_a_rise_that_runs_straight_is_exact() -> None:
    """The threshold is known and Z is linear: locating the crossing takes one more step and no iteration."""
    roll_off = RollOffResponse("pause", 120.0, wait=8.0)
    turns, _ = drive(device(2, roll_off, 12.0), lambda n, t, since: 100.0 + 4.0 * since)
    assert turns[0] == pytest.approx((0, 0.0, 5.0), abs=1e-6) and turns[1] == pytest.approx((1, 5.0, 10.0), abs=1e-6)


def test_when_all_rest_there_is_no_output_until_the_first_is_ready() -> None:
    roll_off = RollOffResponse("pause", 120.0, wait=9.0)
    turns, _ = drive(device(2, roll_off, 12.0, on=20.0), lambda n, t, since: 100.0 + 10.0 * since)
    assert [(turn.channel, round(turn.start, 3)) for turn in turns] == [(0, 0.0), (1, 2.0), (0, 11.0), (1, 13.0)]


def test_a_channel_that_is_off_for_good_has_no_more_turns() -> None:
    roll_off = RollOffResponse("stop", 150.0)
    turns, memories = drive(device(3, roll_off, 2.0), lambda n, t, since: 200.0 if n == 1 and t > 9.0 else 100.0)
    assert memories[1].off and not memories[0].off
    assert {turn.channel for turn in turns if turn.start > 9.5} == {0, 2}
    gaps = [after.start - before.end for before, after in zip(turns, turns[1:], strict=False)]
    assert max(gaps) == 0.0, "its time goes to the others"


def test_a_channel_alone_keeps_the_output() -> None:
    turns, _ = drive(device(1, None, 4.0), lambda *_: 100.0)
    assert turns == [(0, 0.0, 30.0)]


def test_a_delayed_generator_does_later_what_it_would_do() -> None:
    inner = IdealControl(LIMITS, 20.0, 5.0, Ramp(37.0, 77.0, 10.0))
    later = Delayed(inner, 30.0)
    assert (later.end, later.switch_times, later.turning_times) == (55.0, (30.0, 50.0), (40.0,))
    assert not later.needs(29.0, 30.0, later.start()).conductance and later.needs(30.0, 31.0, later.start()).sensor
    offer = StepPrediction(35.0, 1.0, 0.01, 37.0, 0.3, 35.0, 37.0)
    assert later.decide(offer, later.start())[0].setpoint == pytest.approx(57.0)
    assert later.decide(StepPrediction(30.0, 1.0, 0.01, 37.0, 0.3, 30.0, 37.0), later.start())[0] == Command(0.0)


# --- voltage iteration -------------------------------------------------------------------------


def test_voltages_settle_where_all_sensors_are_on_their_set_points() -> None:
    """Three coupled sensors: the result is that of the linear system."""
    b, a = np.array([[0.3, 0.1, 0.05], [0.1, 0.25, 0.1], [0.02, 0.1, 0.4]]), np.array([37.0, 38.0, 40.0])
    targets = np.array([70.0, 60.0, 80.0])

    def decide(n: int, heating: Sequence[float]) -> tuple[Command, None]:
        others = a[n] + b[n] @ heating - b[n, n] * heating[n]
        return Command(float(np.sqrt(max(0.0, (targets[n] - others) / b[n, n])))), None

    found = settle(range(3), [0.0] * 3, decide)
    assert found is not None
    V2 = [found[n][0].voltage ** 2 for n in range(3)]
    assert pytest.approx(np.linalg.solve(b, targets - a), rel=1e-10) == V2


def test_a_channel_that_others_heat_enough_is_off() -> None:
    def decide(n: int, heating: Sequence[float]) -> tuple[Command, None]:
        wanted = 100.0 if n == 0 else 10.0 - 0.5 * heating[0]
        return Command(max(0.0, wanted) ** 0.5), None

    found = settle([0, 1], [0.0, 50.0], decide)
    assert found is not None and found[1][0].voltage == 0.0 and found[0][0].voltage == pytest.approx(10.0)


def test_sensors_that_feel_the_others_more_than_their_own_do_not_settle() -> None:
    def decide(n: int, heating: Sequence[float]) -> tuple[Command, None]:
        return Command((max(0.0, 100.0 - 2.0 * heating[1 - n]) if n else 1.0 + 3.0 * heating[1]) ** 0.5), None

    assert settle([0, 1], [0.0, 0.0], decide) is None


# --- floating electrodes ----------------------------------------------------------------------------------


def test_electrodes_that_always_go_together_are_one_group() -> None:
    roles: list[Any] = [("active",), ("active",), ("return",)]
    assert electrode_groups(roles) == ((0, 1),)
    roles = [("active", "float"), ("float", "active"), ("active", "float"), ("return", "return")]
    assert electrode_groups(roles) == ((0,), (1,), (2,)), "each floating electrode has its own potential"


def test_no_net_current_leaves_what_floats() -> None:
    G = np.array([[3.0, -1.0, -0.5], [-1.0, 2.0, -0.6], [-0.5, -0.6, 4.0]])
    w = group_potentials(["active", "float", "float"], G)
    assert w[0] == 1.0 and (G @ w)[1:] == pytest.approx([0.0, 0.0], abs=1e-15) and 0.0 < w[2] < w[1] < 1.0
    assert list(group_potentials(["active", "float", "return"], G)) == pytest.approx([1.0, 0.5, 0.0])


# --- cases ----------------------------------------------------------------------------------------


def tables(*channels: Table, **others: Any) -> Table:
    tips = [
        {"name": name, "tip_mm": [x, 0, 0], "outer_diameter_mm": 1.27, "active_tip_mm": 5}
        for name, x in (("a", -5), ("b", 0), ("c", 5))
    ]
    return {
        "domain": {"kind": "box", "size_mm": [50, 40, 40], "tissue": "muscle"},
        "applicators": tips,
        "generator": {"kind": "temperature", "target_degC": 70, "hold_s": 60, "max_power_W": 20},
        "channels": list(channels),
        **others,
    }


A, B, C = ({"name": f"on_{name}", "active": [name]} for name in "abc")


def case_of(*channels: Table, **others: Any) -> Case:
    return parse_case(tables(*channels, **others))


def test_a_channel_has_the_cases_protocol_but_for_what_it_changes() -> None:
    power = {"kind": "power", "power_W": 4, "duration_s": 30}
    case = case_of(A, {**B, "generator": {"target_degC": 60}}, {**C, "generator": power})
    first, second, third = (each.generator for each in outputs_of(case.applicators, case.channels, case.generator))
    assert first == case.generator
    assert second.target == 60 and second.max_power == 20 and second.hold == 60  # type: ignore[union-attr]
    assert third.kind == "power" and third.max_power == 50, "another kind is a table of its own"  # type: ignore[union-attr]
    assert parse_case(tomllib.loads(dump_case(case))) == case


def test_without_channels_the_device_is_a_single_one() -> None:
    case = case_of()
    (one,) = outputs_of(case.applicators, case.channels, case.generator)
    assert (one.name, one.roles, one.sensors, one.generator) == ("", ("active",) * 3, (0, 1, 2), case.generator)
    assert case_channels(case).dwell is None and len(case_channels(case).generators) == 1


def test_what_a_channel_does_not_name_floats_and_it_reads_what_it_drives() -> None:
    case = case_of({"name": "pair", "active": ["c"], "return": ["a"]}, B)
    pair, on_b = outputs_of(case.applicators, case.channels, case.generator)
    assert pair.roles == ("return", "float", "active") and pair.sensors == (2, 0)
    assert on_b.roles == ("float", "active", "float") and on_b.sensors == (1,)


def test_each_protocol_follows_the_one_before() -> None:
    case = case_of(A, {**B, "generator": {"hold_s": 20}}, C, sharing={"mode": "sequential"})
    found = case_channels(case)
    assert [each.switch_times for each in found.generators] == [(70.0,), (70.0, 100.0), (100.0, 170.0)]
    assert found.end == 170.0


def test_the_description_tells_channels_and_turns() -> None:
    text = describe_case(case_of(A, B, {**C, "return": ["a"]}, sharing={"mode": "switching", "dwell_s": 30}))
    assert "3, switched every 30 s" in text and "on_a: a against the outer surface; reads a" in text
    assert "on_c: c against a, the outer surface; reads the hottest of c, a" in text


INSULATED = {"boundary": {"electric": "insulated"}}
WRONG: dict[str, tuple[list[Table], Table, str, str]] = {
    "no active one": ([A, B, {**C, "active": []}], {}, 'channels[2] "on_c".active', "at least one of the electrodes"),
    "in no channel": ([A, B], {}, "channels", "found electrode c in no channel"),
    "unknown": ([A, B, {**C, "active": ["cc"]}], {}, 'channels[2] "on_c".active[0]', "one of the electrodes"),
    "active and return": ([A, B, {**C, "return": ["c"]}], {}, 'channels[2] "on_c".return[0]', "which is also active"),
    "no way back": ([A, B, {**C, "return": ["a"]}], INSULATED, 'channels[0] "on_a".return', "insulated"),
    "sensor": (
        [A, B, {**C, "sensors": ["a"]}],
        {},
        'channels[2] "on_c".sensors[0]',
        "of an electrode in this channel: c",
    ),
    "no sensor": ([A, B, {**C, "sensors": []}], {}, 'channels[2] "on_c".sensors', "at least one applicator"),
    "twice": ([A, B, C, A], {}, 'channels[3] "on_a".name', "a unique name"),
    "one sensor of two": (
        [{**A, "return": ["b"]}, {**C, "return": ["b"]}],
        {},
        'channels[1] "on_c".sensors',
        "found b, which channel on_a controls at the same time",
    ),
    "mixed": (
        [A, {**B, "generator": {"control": "pi"}}, C],
        {},
        'channels[1] "on_b".generator.control',
        "use the same control",
    ),
    "no dwell": ([A, B, C], {"sharing": {"mode": "switching"}}, "sharing.dwell_s", "dwell_s = 30"),
    "dwell": ([A, B, C], {"sharing": {"dwell_s": 3}}, "sharing.dwell_s", "remove dwell_s"),
    "nothing shared": ([], {"sharing": {"mode": "sequential"}}, "sharing", "[[channels]]"),
    "own target": (
        [A, B, {**C, "generator": {"target_degC": 20}}],
        {},
        'channels[2] "on_c".generator.target_degC',
        "above body temperature",
    ),
    "own key": (
        [A, B, {**C, "generator": {"target": 70}}],
        {},
        'channels[2] "on_c".generator.target',
        "target_degC",
    ),
    "surface of its own": (
        [A, B, {**C, "generator": {"kind": "surface_temperature", "target_degC": 80, "hold_s": 60}}],
        {},
        'channels[2] "on_c".generator.kind',
        "temperature, power, voltage, current or staged",
    ),
    "pulsed": (
        [A, B, C],
        {"generator": {"kind": "pulsed", "voltage_V": 45, "pulse_ms": 20, "rate_Hz": 2, "duration_s": 60}},
        "generator.kind",
        "temperature, power, voltage, current or staged",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_case_is_told_where_and_what(name: str) -> None:
    channels, others, where, said = WRONG[name]
    with pytest.raises(CaseError) as caught:
        case_of(*channels, **others)
    faults = [fault for fault in caught.value.faults if fault.where == where]
    assert faults, [str(fault) for fault in caught.value.faults]
    assert said in str(faults[0])


def test_channels_may_read_one_sensor_in_turn_or_in_different_means() -> None:
    first, second = {**A, "return": ["b"]}, {**C, "return": ["b"]}
    case_of(first, second, sharing={"mode": "sequential"})
    case_of(*({**each, "generator": {"reads": "mean"}} for each in (first, second)))
    case_of(first, {**second, "sensors": ["c"]})


def test_a_channels_own_target_is_looked_at_as_the_cases_is() -> None:
    (warning,) = case_warnings(case_of(A, B, {**C, "generator": {"target_degC": 105}}))
    assert warning.startswith('channels[2] "on_c".generator.target_degC: at 105 degC')


def test_a_layer_on_one_of_several_tips_is_refused() -> None:
    wrong = tables({**A, "return": ["a_ring"]}, {"name": "ring", "active": ["a_ring"]})
    wrong["applicators"] = [{**wrong["applicators"][0], "ring": {"gap_mm": 4, "length_mm": 4}, "contact_ohm_mm2": 50}]
    with pytest.raises(CaseError, match="a contact layer with a single active tip only"):
        parse_case(wrong)


def test_an_electrodes_own_role_and_channels_contradict() -> None:
    wrong = tables(A, B, C)
    wrong["applicators"][2]["electrode"] = "return"
    with pytest.raises(CaseError, match=r"which define the active and return electrodes"):
        parse_case(wrong)


# --- texts -------------------------------------------------------------------------

DID = {"power_W": 3.0, "voltage_V": 17.3, "current_A": 0.173, "impedance_ohm": 100.0, "sensor_degC": 60.8}
IDLE = dict.fromkeys((*DID, "peak_power_W"))


def test_the_card_and_the_report_name_the_channels(tmp_path: Path) -> None:
    channels = {"tip": {**DID, "energy_J": 18.0, "on_s": 6.0}, "ring": {**IDLE, "energy_J": 0.0, "on_s": 0.0}}
    electric = {**IDLE, "power_W": 3.0, "peak_power_W": 4.0, "sharing": "switching", "dwell_s": 3.0}
    summary = RunSummary.model_validate(complete_run({"electric": electric, "channels": channels}))
    lines = [_generator_line(summary), *_channel_lines(summary)]
    assert "2 channels, switching, 3 s each: 3.00 W at the end of heating; maximum 4.00 W" in lines[0]
    assert "tip: 3.00 W, 17.3 V, 173 mA, 100 ohm, sensor 60.8 degC; 18.0 J in 6.0 s" in lines[1]
    assert "ring: no voltage was applied" in lines[2]
    html = channel_table(RunData(tmp_path, {"channels": channels}, {}, {}, "", ()))
    assert "tip" in html and "173" in html and "17.3" in html and "–" in html


def test_the_ledger_keeps_each_channels_energy() -> None:
    """After a switch the first flows of a step equal its last ones, as for the sum."""
    ledger = EnergyLedger().advance(2.0, Powers(5.0, channels=(3.0, 2.0)), 10.0, after_switch=True)
    ledger = ledger.advance(1.0, Powers(4.0, channels=(4.0, 0.0)), 14.5, after_switch=False)
    assert ledger.channels == (9.5, 5.0) and sum(ledger.channels) == ledger.joule
