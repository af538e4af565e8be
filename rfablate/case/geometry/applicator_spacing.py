"""One key for how far apart the applicators stand: `applicators.spacing_mm` moves all their tips. Pure.

The tips move away from their common middle in proportion, each along its own line: a pair keeps its middle, a row its
order. Directions and structures stay where they are. It is a change to a case, as with `--set`, not a key of its file:
the resolved case holds the tips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rfablate.case.tables.geometry_tables import Applicator
from rfablate.errors import Fault

SPACING = "applicators.spacing_mm"
FINEST = 9
"""Decimals of a moved tip [mm]."""


def spacing_of(tips: Sequence[Sequence[float]]) -> float:
    """Return the distance between the two tips that are nearest to each other, in their unit; 0 for a single one."""
    x = np.asarray(tips, dtype=float).reshape(-1, 3)
    apart = np.linalg.norm(x[:, None] - x[None, :], axis=2)
    return float(apart[~np.eye(len(x), dtype=bool)].min(initial=math.inf)) if len(x) > 1 else 0.0


def set_spacing(data: dict[str, Any], spacing: Any) -> Fault | None:
    """Move the tips in the tables of a case file so that the nearest two stand `spacing` [mm] apart.

    Returns why it cannot be done, None where it is done.
    """
    change = f"--set {SPACING}={spacing}"
    if isinstance(spacing, bool) or not isinstance(spacing, int | float) or not 0 < spacing < math.inf:
        return Fault(change, f"found {spacing!r}", "a distance above 0 [mm]")
    tables = data.get("applicators")
    tables = [each for each in tables if isinstance(each, dict)] if isinstance(tables, list) else []
    if len(tables) < 2:
        return Fault(change, f"found {len(tables)} applicator{'' if len(tables) == 1 else 's'}", "two or more to move")
    default = Applicator.model_fields["tip"].default
    try:
        tips = np.array([each.get("tip_mm", default) for each in tables], dtype=float).reshape(-1, 3)
    except (TypeError, ValueError):
        return Fault(change, "found a tip_mm that is no point", "three numbers [mm] in each")
    now = spacing_of(tips)  # type: ignore[arg-type]
    if not 0.0 < now < math.inf:
        return Fault(change, "found two tips at one place", "a direction to move them in: give each its own tip_mm")
    middle = tips.mean(axis=0)
    for table, tip in zip(tables, middle + (tips - middle) * (spacing / now), strict=True):
        table["tip_mm"] = [round(float(x), FINEST) for x in tip]
    return None
