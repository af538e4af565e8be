"""Lesions before and after a repeat treatment."""

from __future__ import annotations

from typing import Any

from rfablate.lesion.observer import Observer
from rfablate.simulation.monitors.monitor import Monitor
from rfablate.simulation.prior_treatment import Prior
from rfablate.solve.state import Frame


class PriorMonitor(Monitor):
    """Compares the lesion of each rule with the one at the start, which the prior treatment left."""

    name = "prior"

    def __init__(self, prior: Prior, observer: Observer) -> None:
        """Keep the prior treatment and the observer that measures lesions."""
        self._prior, self._observer = prior, observer

    def entry(self, frame: Frame) -> dict[str, Any]:
        """Return the prior run and each rule's volumes before and after."""
        return {"repeat": self._prior.entry(self._after())}

    def warnings(self) -> list[str]:
        """Return a warning for each prior lesion that this run's mesh does not resolve."""
        return self._prior.warnings(self._after())

    def _after(self) -> dict[str, float]:
        return {rule: lesion.volume for rule, lesion in self._observer.last.lesions.items()}
