"""Generators: the voltage applied in the next step. Pure control logic, testable without a mesh.

The potential is solved for 1 V, so three numbers at the end of a step describe the electrode to the generator: its
conductance G, the sensor temperature a without voltage, and the sensor gain b for 1 V RMS:

    I = V G,   P = V^2 G,   T_sensor = a + b V^2

Every control law is therefore arithmetic in V^2. A generator is immutable; its memory is passed in and returned. A new
mode requires a file here that implements `Generator`, a table in the case schema, and a line in
`rfablate.problem.generator_setup`. A device has one or more channels, each with its generator: `Channels`.
"""

from rfablate.physics.generator.guard import GuardState, ImpedanceGuard, ImpedanceWindow, RollOffResponse
from rfablate.physics.generator.interface import Command, Generator, Limits, RequiredInputs, StepPrediction
from rfablate.physics.generator.multichannel import ActiveChannel, Channels, Delayed, settle
from rfablate.physics.generator.open_loop import (
    ConstantCurrentControl,
    ConstantPowerControl,
    ConstantVoltageControl,
    Off,
)
from rfablate.physics.generator.pulsed import PulsedControl
from rfablate.physics.generator.replay import MeasuredCurve, ReplayControl
from rfablate.physics.generator.setpoint import Ramp
from rfablate.physics.generator.stages import Stage, StagedControl, StagedState
from rfablate.physics.generator.tracking import IdealControl, PIControl, PIState, SampledControl, SampledState

__all__ = [
    "Channels",
    "Command",
    "ConstantCurrentControl",
    "ConstantPowerControl",
    "ConstantVoltageControl",
    "MeasuredCurve",
    "Delayed",
    "Generator",
    "ImpedanceGuard",
    "GuardState",
    "IdealControl",
    "Limits",
    "RequiredInputs",
    "Off",
    "StepPrediction",
    "PIControl",
    "PIState",
    "PulsedControl",
    "Ramp",
    "ReplayControl",
    "RollOffResponse",
    "SampledControl",
    "SampledState",
    "Stage",
    "StagedControl",
    "StagedState",
    "ActiveChannel",
    "ImpedanceWindow",
    "settle",
]
