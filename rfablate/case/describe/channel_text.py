"""Description of electrodes and channels as text."""

from __future__ import annotations

from rfablate.case.describe.generator_text import describe_generator
from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import sensors_of
from rfablate.case.tables.generator_tables import Device
from rfablate.case.tables.schema import Case

_READS = {"hottest": "the hottest", "mean": "the mean", "first": "the first"}


def describe_electrodes(case: Case) -> list[str]:
    """Return a line for each electrode of a case with several electrodes and without channels; otherwise none."""
    roles = electrode_roles(case.applicators)
    if len(roles) == 1 or case.channels:
        return []
    potential = {"active": "the generator's voltage", "return": "0 V, current return"}
    lines = [f"{name} at {potential[role]}" for name, role in roles.items()]
    if isinstance(case.generator, Device) and len(case.applicators) > 1:
        lines.append(f"the generator reads {_READS[case.generator.reads]} of {len(case.applicators)} sensors")
    return lines


def describe_channels(case: Case) -> list[str]:
    """Return how the channels share the generator, and at least one line per channel; empty without channels."""
    if not case.channels:
        return []
    how = {
        "simultaneous": "simultaneous by time slices; each voltage and current limit applies within a slice",
        "sequential": "one complete protocol after the other",
        "switching": f"switched every {case.sharing.dwell or 0.0:g} s or when a channel pauses; idle electrodes float",
    }
    lines = [f"{len(case.channels)}, {how[case.sharing.mode]}"]
    for each in case.channels:
        back = [*each.returns, *(["the outer surface"] if case.boundary.electric == "return" else [])]
        sensors = sensors_of(each)
        generator = each.generator or case.generator
        reads = _READS[generator.reads] if isinstance(generator, Device) else ""
        read = f"{reads} of {', '.join(sensors)}" if len(sensors) > 1 else sensors[0]
        lines.append(f"{each.name}: {', '.join(each.active)} against {', '.join(back)}; reads {read}")
        if each.generator is not None:
            lines += [f"{each.name}: {line}" for line in describe_generator(each.generator)]
    return lines
