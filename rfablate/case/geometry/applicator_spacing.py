"""The override `applicators.spacing_mm`, which moves the tips of all applicators. Pure.

The tips are scaled about their centroid: a pair keeps its midpoint, a row its order. Directions and structures do not
move. The key exists only as an override, as with `--set`; the resolved case contains the tip positions.
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
"""Decimals of a moved tip position [mm]."""


def spacing_of(tips: Sequence[Sequence[float]]) -> float:
    """Return the smallest distance between two tips, in their unit; 0 for a single tip."""
    x = np.asarray(tips, dtype=float).reshape(-1, 3)
    apart = np.linalg.norm(x[:, None] - x[None, :], axis=2)
    return float(apart[~np.eye(len(x), dtype=bool)].min(initial=math.inf)) if len(x) > 1 else 0.0


def set_spacing(data: dict[str, Any], spacing: Any) -> Fault | None:
    """Move the tips in the tables of a case file so that the smallest distance between two is `spacing` [mm].

    Returns the fault that prevents it, or None.
    """
    change = f"--set {SPACING}={spacing}"
    if isinstance(spacing, bool) or not isinstance(spacing, int | float) or not 0 < spacing < math.inf:
        return Fault(change, f"found {spacing!r}", "a distance above 0 [mm]")
    tables = data.get("applicators")
    tables = [each for each in tables if isinstance(each, dict)] if isinstance(tables, list) else []
    if len(tables) < 2:
        return Fault(
            change, f"found {len(tables)} applicator{'' if len(tables) == 1 else 's'}", "at least two applicators"
        )
    default = Applicator.model_fields["tip"].default
    try:
        tips = np.array([each.get("tip_mm", default) for each in tables], dtype=float).reshape(-1, 3)
    except (TypeError, ValueError):
        return Fault(change, "found a tip_mm that is not a point", "three numbers [mm] per tip")
    now = spacing_of(tips)  # type: ignore[arg-type]
    if not 0.0 < now < math.inf:
        return Fault(
            change, "found two tips at the same position", "different tip positions: set tip_mm of each applicator"
        )
    middle = tips.mean(axis=0)
    for table, tip in zip(tables, middle + (tips - middle) * (spacing / now), strict=True):
        table["tip_mm"] = [round(float(x), FINEST) for x in tip]
    return None
