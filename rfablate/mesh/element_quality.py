"""Element quality of a mesh as a histogram in one line. Pure."""

from __future__ import annotations

import numpy as np

from rfablate.arrays import FloatArray

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
"""Edges of the histogram's classes; quality is the mean ratio, 1 for an equilateral element and 0 for a flat one."""


def quality_text(quality: FloatArray) -> str:
    """Return the number of elements in each class of quality, from the worst class that has elements."""
    counts, _ = np.histogram(np.clip(quality, 0.0, 1.0), EDGES)
    first = int(np.flatnonzero(counts)[0]) if counts.any() else len(counts) - 1
    classes = [f"{EDGES[n]:g}-{EDGES[n + 1]:g}: {counts[n]}" for n in range(first, len(counts))]
    return "cells by quality " + ", ".join(classes)
