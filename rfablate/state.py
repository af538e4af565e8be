"""What changes during a run (`State`, written only by `run.commit`) and what each accepted step shows (`Frame`)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rfablate.fem.electric import UnitField
from rfablate.ledger import Ledger
from rfablate.physics.cell_death import ALIVE_AT_START
from rfablate.physics.generator import Command, Memory
from rfablate.problem import Problem
from rfablate.stepping import StepMemory

FloatArray = npt.NDArray[np.float64]


@dataclass
class State:
    """All that the next step depends on."""

    t: float
    T: FloatArray
    """Temperature at this rank's nodes [degC]."""
    peak: FloatArray
    """Highest temperature so far [degC]."""
    omega: FloatArray
    cem43: FloatArray
    """Arrhenius integral [1] and equivalent minutes at 43 degC [min]."""
    alive: FloatArray
    dead: FloatArray
    """Fractions of cells of the three-state model; they stay at their start unless a lesion rule asks for it."""
    vapour: FloatArray
    """Fraction of each node's water that has boiled."""
    memory: Memory
    step_memory: StepMemory
    ledger: Ledger = Ledger()
    past: list[tuple[float, FloatArray]] = field(default_factory=list)
    """(time, temperature) since the last switch, newest first, at most three."""
    units: list[tuple[float, UnitField]] = field(default_factory=list)
    """The last three unit fields that were solved, newest first: they start the next solve."""
    solved_at: FloatArray | None = None
    """Temperature [degC] of the sigma of the newest."""
    response: tuple[float, FloatArray] | None = None
    """Leading weight of the last step [1/s] and its response to 1 V."""
    heating: list[tuple[float, float]] = field(default_factory=list)
    """(time, V^2) of the last two steps since the last switch, newest first."""
    boiled: list[tuple[float, FloatArray]] = field(default_factory=list)
    """(time, vapour fractions) of the last two steps since the last switch, newest first; none where nothing boils."""
    rates: tuple[FloatArray, FloatArray] | None = None
    """Rates of Omega [1/s] and of CEM43 [min/s] at T; None before the first step."""
    sensor: float = 0.0
    """What the sensor reads, of several what the device makes of them [degC]."""
    after_switch: bool = True
    hot: bool = False
    """Whether water boils or is about to: the next step is backward Euler."""


@dataclass(frozen=True)
class Trial:
    """A solved step, not yet accepted."""

    t: float
    dt: float
    T: FloatArray
    vapour: FloatArray
    unit: UnitField | None
    solved_at: FloatArray | None
    """Temperature [degC] of the sigma that the unit field was solved for; None where it was extrapolated."""
    response: tuple[float, FloatArray] | None
    command: Command
    memory: Memory
    order: int
    error: float | None
    """Largest local error of the step [K]; None while too little history is there."""
    max_T: float
    sensor: float
    """[degC]"""
    ledger: Ledger


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
    unit: UnitField | None
    voltage: float
    """[V RMS]"""
    setpoint: float | None
    limited_by: str
    sensor: float
    max_T: float
    """[degC]"""
    ledger: Ledger
    pulse: float | None = None
    """Voltage within a pulse [V RMS]; None where the output is not pulsed."""

    @property
    def conductance(self) -> float:
        """G of the electrode [S]; 0 without an electric problem."""
        return self.unit.conductance if self.unit is not None else 0.0

    @property
    def power(self) -> float:
        """[W]"""
        return self.voltage**2 * self.conductance


def initial_state(problem: Problem) -> State:
    """Return the state at t = 0: body temperature, no damage. Collective."""
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
        memory=Memory(),
        step_memory=problem.control.start(),
        past=[(0.0, T)],
        sensor=problem.sensors.hottest(T),
    )


def first_frame(problem: Problem, state: State) -> Frame:
    """Return the frame of t = 0. Collective."""
    max_T = float(problem.domain.nodes.max_of(float(state.T.max(initial=-np.inf)))[0])
    return Frame(
        0.0,
        0.0,
        state.T,
        state.peak,
        state.omega,
        state.cem43,
        state.dead,
        state.vapour,
        None,
        0.0,
        None,
        "",
        state.sensor,
        max_T,
        state.ledger,
    )


def accepted_frame(state: State, trial: Trial) -> Frame:
    """Return the frame of a trial that has just become the state."""
    return Frame(
        t=state.t,
        dt=trial.dt,
        T=state.T,
        peak=state.peak,
        omega=state.omega,
        cem43=state.cem43,
        dead=state.dead,
        vapour=state.vapour,
        unit=trial.unit,
        voltage=trial.command.voltage,
        setpoint=trial.command.setpoint,
        limited_by=trial.command.limited_by,
        sensor=trial.sensor,
        max_T=trial.max_T,
        ledger=state.ledger,
        pulse=trial.command.pulse,
    )
