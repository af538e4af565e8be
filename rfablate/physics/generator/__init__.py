"""Generators: what voltage the device applies in the next step. Pure device logic, testable without a mesh.

With the potential solved for 1 V the electrode is known to the generator by three numbers at the end of a step: its
conductance G, the sensor's temperature without voltage, a, and the sensor's gain b for 1 V RMS:

    I = V G,   P = V^2 G,   T_sensor = a + b V^2

so every control law is arithmetic in V^2. A generator is a frozen value; its memory is passed in and returned. A new
mode is a file here that answers what `Generator` asks, a table in the case's schema, and a line in
`rfablate.problem.generator_setup`.
A device has one channel or several, each with its generator: `Channels`.
"""

from rfablate.physics.generator.guard import Guard, RollOff, Window
from rfablate.physics.generator.interface import Command, Generator, Limits, Memory, Needs, Offer
from rfablate.physics.generator.multichannel import Channels, Delayed, Turn, settle
from rfablate.physics.generator.open_loop import ConstantCurrent, ConstantPower, ConstantVoltage, Off
from rfablate.physics.generator.pulsed import Pulsed
from rfablate.physics.generator.replay import Curve, Replay
from rfablate.physics.generator.setpoint import Ramp
from rfablate.physics.generator.stages import Stage, Staged
from rfablate.physics.generator.tracking import IdealControl, PIControl, SampledControl

__all__ = [
    "Channels",
    "Command",
    "ConstantCurrent",
    "ConstantPower",
    "ConstantVoltage",
    "Curve",
    "Delayed",
    "Generator",
    "Guard",
    "IdealControl",
    "Limits",
    "Memory",
    "Needs",
    "Off",
    "Offer",
    "PIControl",
    "Pulsed",
    "Ramp",
    "Replay",
    "RollOff",
    "SampledControl",
    "Stage",
    "Staged",
    "Turn",
    "Window",
    "settle",
]
