"""What every rank knows of a mesh: its sizes, names and conformity. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SURFACE = "surface:"
"""Before the name of a surface, in the names of arrays."""


@dataclass(frozen=True)
class Conformity:
    """Whether the surfaces of structures in the mesh are those of their shapes, rather than faces of cells."""

    shapes: bool = True
    """Of structures at whose surface the mesh is cut."""
    labels: bool = True
    """Of the others, after smoothing: labels, surfaces, objects, and structures laid over a user's mesh."""


@dataclass(frozen=True)
class MeshHeader:
    """What every rank knows of a mesh."""

    n_points: int
    n_cells: int
    region_names: Mapping[int, str]
    n_facets: Mapping[str, int]
    """Number of facets of each named surface."""
    axisymmetric: bool
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    conformity: Conformity

    def lengths(self) -> dict[str, int]:
        """Return the number of rows of each array of a mesh."""
        facets = {SURFACE + name: n for name, n in self.n_facets.items()}
        return {"points": self.n_points, "cells": self.n_cells, "region": self.n_cells, **facets}
