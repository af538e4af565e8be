"""Dose-volume histograms of structures: the fraction of the volume above each temperature or thermal dose.

The level of a lesion rule is linear in a cell, so that the fraction above a threshold is exact, and equals the covered
fraction by the rule of this threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from rfablate.lesion.clipped_cells import volumes_above
from rfablate.lesion.doses import Doses
from rfablate.mesh.domain import Domain
from rfablate.physics.damage import RULE_KINDS, Rule

THRESHOLDS: dict[str, tuple[float, ...]] = {
    "isotherm": (*np.arange(38.0, 60.0), *np.arange(60.0, 101.0, 5.0)),
    "cem43": (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 80, 100, 240, 500, 1e3, 2e3, 5e3, 1e4),
    "arrhenius": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100),
    "cell_death": (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99),
}
"""Thresholds of each kind of rule, in its unit (`physics.damage.Rule`); those of the case's rules are added.

A kind that is not here has no histogram; its key in summary.json is in `results.quantities.HISTOGRAM_KEYS`.
"""


@dataclass(frozen=True)
class DoseVolume:
    """Fraction of a structure's volume at or above each threshold."""

    thresholds: tuple[float, ...]
    """Increasing, in the unit of the rule's kind."""
    fractions: tuple[float, ...]
    """From 0 to 1, not increasing."""


def kinds_of(rules: Sequence[Rule], deciding: int) -> list[str]:
    """Return the kinds of a case's histograms: maximum temperature, CEM43, and the kind of the verdict rule."""
    return [kind for kind in dict.fromkeys(["isotherm", "cem43", rules[deciding].kind]) if kind in THRESHOLDS]


def dose_volumes(
    domain: Domain, tags: Sequence[int], frame: Doses, rules: Sequence[Rule], kinds: Sequence[str]
) -> list[dict[str, DoseVolume]]:
    """Return the histograms of each structure by kind of rule. Collective.

    Args:
        domain: the mesh.
        tags: region numbers of the structures.
        frame: the step whose peak temperature and doses are counted.
        rules: rules of the case, whose thresholds are added.
        kinds: as from `kinds_of`.
    """
    cells = np.flatnonzero(np.isin(domain.region, tags))
    corners, volume = domain.elements.cells[cells], domain.elements.volume[cells]
    places, structure = domain.x[corners], np.searchsorted(np.sort(tags), domain.region[cells])
    rank = np.argsort(np.argsort(tags))  # row of each structure in the sums
    found: list[dict[str, DoseVolume]] = [{} for _ in tags]
    for kind in kinds:
        thresholds = sorted({*THRESHOLDS[kind], *(rule.threshold for rule in rules if rule.kind == kind)})
        above = np.zeros((len(tags), 1 + len(thresholds)))
        above[:, 0] = np.bincount(structure, volume, len(tags))
        for m, threshold in enumerate(thresholds, start=1):
            level = RULE_KINDS[kind].level(frame.peak, frame.omega, frame.cem43, frame.dead, threshold)
            above[:, m] = np.bincount(structure, volumes_above(places, volume, level[corners]), len(tags))
        domain.comm.Allreduce(MPI.IN_PLACE, above, op=MPI.SUM)
        for each, row in zip(found, above[rank], strict=True):
            fractions = np.clip(row[1:] / max(row[0], 1e-300), 0.0, 1.0)
            each[kind] = DoseVolume(tuple(map(float, thresholds)), tuple(map(float, fractions)))
    return found
