"""What several electrodes are to each other and which channel drives them, in words."""

from __future__ import annotations

from rfablate.case.describe.generator_text import describe_generator
from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.resolve.channel_setup import sensors_of
from rfablate.case.tables.generator_tables import Device
from rfablate.case.tables.schema import Case

_READS = {"hottest": "the hottest", "mean": "the mean", "first": "the first"}


def describe_electrodes(case: Case) -> list[str]:
    """Return what several electrodes without channels are to each other; nothing for a single one."""
    roles = electrode_roles(case.applicators)
    if len(roles) == 1 or case.channels:
        return []
    potential = {"active": "the generator's voltage", "return": "0 V, the current returns here"}
    lines = [f"{name} at {potential[role]}" for name, role in roles.items()]
    if isinstance(case.generator, Device) and len(case.applicators) > 1:
        lines.append(f"the generator reads {_READS[case.generator.reads]} of {len(case.applicators)} sensors")
    return lines


def describe_channels(case: Case) -> list[str]:
    """Return how the channels share the device, and a line or more on each; nothing without."""
    if not case.channels:
        return []
    how = {
        "simultaneous": "at once, in slices of time; every limit on voltage and current holds within a slice",
        "sequential": "one whole protocol after the other",
        "switching": f"in turns of {case.sharing.dwell or 0.0:g} s, or until one pauses; what is not driven floats",
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
