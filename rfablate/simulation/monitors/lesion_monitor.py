"""Lesion and structures at every step, and the energy balance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rfablate.lesion.observer import Observer
from rfablate.simulation.monitors.monitor import Monitor, Row
from rfablate.simulation.summarise import bridge_entry, energy_entry, history_row, lesion_entry, structure_entry
from rfablate.solve.state import Frame


@dataclass(frozen=True)
class LesionMemory:
    """Time at which each structure was first covered as required [s], by name."""

    covered_at: dict[str, float]


class LesionMonitor(Monitor):
    """Measures the lesion of every rule and every structure."""

    name = "lesion"

    def __init__(self, observer: Observer) -> None:
        """Store the observer that measures."""
        self._observer = observer

    @property
    def memory(self) -> LesionMemory:
        """Covering times so far."""
        return LesionMemory(dict(self._observer.covered_at))

    @memory.setter
    def memory(self, memory: LesionMemory) -> None:
        self._observer.covered_at.update(memory.covered_at)

    def restore(self, memory: LesionMemory, frame: Frame) -> None:
        """Restore the covering times and measure the last step again."""
        self.memory = memory
        self._observer.look(frame)

    def observe(self, frame: Frame) -> Row:
        """Return time, electrical values, temperatures, sizes of lesions and coverage of structures."""
        return history_row(frame, self._observer.look(frame))

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return lesions by rule, structures by name, and the energy balance."""
        structures = self._observer.conclude(frame)
        bridges = {name: bridge_entry(each) for name, each in self._observer.bridges(frame).items()}
        lesions, rule = self._observer.last.lesions, self._observer.deciding_rule
        return {
            "lesion": {name: lesion_entry(each) | bridges.get(name, {}) for name, each in lesions.items()},
            "structures": {each.spec.name: structure_entry(each, rule) for each in structures},
            "energy": energy_entry(frame.ledger),
        }
