"""The state of a run (`State`, changed only by `loop.commit`) and the record of each accepted step (`Frame`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.fem.electric_problem import UnitField
from rfablate.physics.cell_death import ALIVE_AT_START
from rfablate.physics.generator import ActiveChannel
from rfablate.problem.problem import Problem
from rfablate.problem.step_control import StepMemory
from rfablate.solve.energy_balance import EnergyLedger


@dataclass
class State:
    """All data on which the next step depends."""

    t: float
    T: FloatArray
    """Temperature at the nodes of this rank [degC]."""
    peak: FloatArray
    """Highest temperature so far [degC]."""
    omega: FloatArray
    cem43: FloatArray
    """Arrhenius integral Omega [1] and cumulative equivalent minutes at 43 degC [min]."""
    alive: FloatArray
    dead: FloatArray
    """Cell fractions of the three-state model; they keep their initial values unless a lesion rule uses the model."""
    vapour: FloatArray
    """Vaporised fraction of the water at each node."""
    channel_states: tuple[Any, ...]
    """State of each channel's generator, of a type that the generator defines (`Generator.start`)."""
    turn: ActiveChannel
    step_memory: StepMemory
    ledger: EnergyLedger = EnergyLedger()
    past: list[tuple[float, FloatArray]] = field(default_factory=list)
    """(time, temperature) since the last switch, newest first, at most four."""
    potentials: list[tuple[float, tuple[FloatArray, ...]]] = field(default_factory=list)
    """(time, potential of each group) of the last three potential solves, newest first; initial guess of the next."""
    solved_at: FloatArray | None = None
    """Temperature [degC] at which sigma was evaluated for the newest potential."""
    heating: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)
    """(time, V^2 of each channel) of the last two steps since the last switch, newest first."""
    boiled: list[tuple[float, FloatArray]] = field(default_factory=list)
    """(time, vapour fractions) of the last two steps since the last switch, newest first; empty if no water boils."""
    rates: tuple[FloatArray, FloatArray] | None = None
    """Rates of Omega [1/s] and of CEM43 [min/s] at the current T; None before the first step."""
    sensors: tuple[float, ...] = ()
    """Reading of each channel, after the combination of several sensors [degC]."""
    after_switch: bool = True
    hot: bool = False
    """Whether water boils or is close to boiling; the next step is then backward Euler."""


@dataclass(frozen=True)
class ChannelOutput:
    """Output of a channel in a step."""

    unit: UnitField | None
    """None without an electric problem and during cooldown."""
    voltage: float
    """[V RMS]"""
    sensor: float
    """[degC]"""
    setpoint: float | None = None
    limited_by: str = ""
    pulse: float | None = None
    """Voltage within a pulse [V RMS]; None if the output is not pulsed."""

    @property
    def conductance(self) -> float:
        """G of the electrodes [S]; 0 without an electric problem."""
        return self.unit.conductance if self.unit is not None else 0.0

    @property
    def power(self) -> float:
        """[W]"""
        return self.voltage**2 * self.conductance


@dataclass(frozen=True)
class UnitFields:
    """The electric fields of a step for 1 V; all empty without an electric problem and during cooldown."""

    channels: tuple[UnitField, ...] = ()
    """Field of each channel."""
    potentials: tuple[FloatArray, ...] = ()
    """Potential for 1 V on each group of electrodes."""
    solved_at: FloatArray | None = None
    """Temperature [degC] at which sigma was evaluated for the potentials; None if they were extrapolated."""


@dataclass(frozen=True)
class StepSolution:
    """The fields at the end of a step."""

    t: float
    """End of the step [s]."""
    dt: float
    """Length of the step [s]."""
    order: int
    T: FloatArray
    """[degC]"""
    vapour: FloatArray
    """Vaporised fraction of the water at each node."""


@dataclass(frozen=True)
class StepInspection:
    """The numbers of a solved step that all ranks know."""

    max_T: float
    """[degC]"""
    error: float | None
    """Largest local error of the step [K]; None with too few previous solutions."""


@dataclass(frozen=True)
class GeneratorStep:
    """What the generator does in a step, and its state after it."""

    outputs: tuple[ChannelOutput, ...]
    channel_states: tuple[Any, ...]
    turn: ActiveChannel
    cut: float | None
    """Time of a switch within the step [s], at which the step must end when it is repeated; None without a switch."""
    jumps: bool
    """Whether a voltage may change discontinuously at the end of the step."""


@dataclass(frozen=True)
class TrialStep:
    """A solved step, not yet accepted."""

    solution: StepSolution
    inspection: StepInspection
    fields: UnitFields
    generator: GeneratorStep
    ledger: EnergyLedger


@dataclass(frozen=True)
class Frame:
    """An accepted step, read only."""

    t: float
    dt: float
    T: FloatArray
    peak: FloatArray
    omega: FloatArray
    cem43: FloatArray
    dead: FloatArray
    vapour: FloatArray
    outputs: tuple[ChannelOutput, ...]
    """Output of each channel."""
    max_T: float
    """[degC]"""
    ledger: EnergyLedger
    after_pulse: FloatArray | None = None
    """Temperature after one pulse from the end of the step on [degC]; None without unresolved pulses."""

    @property
    def main(self) -> ChannelOutput:
        """Output of the channel with the highest power; the first channel while all are off."""
        return max(self.outputs, key=lambda each: each.power)

    @property
    def alone(self) -> bool:
        """Whether at most one channel has output."""
        return sum(each.power > 0.0 for each in self.outputs) < 2

    @property
    def unit(self) -> UnitField | None:
        """Unit field of the main channel."""
        return self.main.unit

    @property
    def voltage(self) -> float:
        """Voltage of the main channel [V RMS]."""
        return self.main.voltage

    @property
    def conductance(self) -> float:
        """Conductance of the main channel [S]."""
        return self.main.conductance

    @property
    def setpoint(self) -> float | None:
        """Set point of the main channel [degC]."""
        return self.main.setpoint

    @property
    def limited_by(self) -> str:
        """Name of the limit that restricts the main channel; empty if there is none."""
        return self.main.limited_by

    @property
    def pulse(self) -> float | None:
        """Voltage of the main channel within a pulse [V RMS]."""
        return self.main.pulse

    @property
    def power(self) -> float:
        """Power of all channels [W]."""
        return sum(each.power for each in self.outputs)

    @property
    def sensor(self) -> float:
        """Highest reading of all channels [degC]."""
        return max(each.sensor for each in self.outputs)


def initial_state(problem: Problem) -> State:
    """Return the state at t = 0: initial temperature, no damage. Collective."""
    T = problem.initial.copy()
    return State(
        t=0.0,
        T=T,
        peak=T.copy(),
        omega=np.zeros_like(T),
        cem43=np.zeros_like(T),
        alive=np.full_like(T, ALIVE_AT_START),
        dead=np.zeros_like(T),
        vapour=np.zeros_like(T),
        channel_states=tuple(each.start() for each in problem.generator.generators),
        turn=problem.generator.start(),
        step_memory=problem.control.start(),
        past=[(0.0, T)],
        sensors=problem.sensors.hottest(T),
    )


def first_frame(problem: Problem, state: State) -> Frame:
    """Return the frame of t = 0. Collective."""
    max_T = float(problem.domain.nodes.max_of(float(state.T.max(initial=-np.inf)))[0])
    return _frame(state, 0.0, tuple(ChannelOutput(None, 0.0, sensor) for sensor in state.sensors), max_T)


def accepted_frame(state: State, trial: TrialStep) -> Frame:
    """Return the frame of an accepted trial; call it after `commit`."""
    return _frame(state, trial.solution.dt, trial.generator.outputs, trial.inspection.max_T)


def _frame(state: State, dt: float, outputs: tuple[ChannelOutput, ...], max_T: float) -> Frame:
    fields = state.T, state.peak, state.omega, state.cem43, state.dead, state.vapour
    return Frame(state.t, dt, *fields, outputs, max_T, state.ledger)
