"""The table of a user's mesh that `rfablate check` prints: regions, surfaces, sizes and quality. Pure."""

from __future__ import annotations

from math import factorial

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.mesh.element_quality import quality_text
from rfablate.mesh.label_smoothing import tet_quality
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.structure_volumes import cell_volumes


def describe_user_mesh(domain: MeshDomain, mesh: MeshData) -> str:
    """Return regions with cells and volumes, surfaces with facets and areas, extent, edge lengths and worst quality."""
    name = domain.file.replace("\\", "/").rsplit("/", 1)[-1]
    axes = ("r", "z") if mesh.axisymmetric else ("x", "y", "z")
    low, high = mesh.points.min(axis=0) * 1e3, mesh.points.max(axis=0) * 1e3
    extent = ", ".join(f"{axis} {low[n]:.4g} to {high[n]:.4g}" for n, axis in enumerate(axes))
    edges, quality = _edges(mesh) * 1e3, _quality(mesh)
    kind = "triangles" if mesh.axisymmetric else "tetrahedra"
    lines = [
        f"mesh of {name}: {len(mesh.points)} nodes, {len(mesh.cells)} {kind}; {extent} mm",
        f"  lengths in {domain.length_unit}; edges {edges.min():.3g} to {edges.max():.3g} mm, median "
        f"{np.median(edges):.3g} mm; {_turned(mesh)}",
        f"  worst quality {quality.min():.2g} (1: equilateral); {quality_text(quality)}",
        f"  {'region':<20} {'tag':<14} {'tissue':<20} {'cells':>9} {'mm3':>12}",
    ]
    volume = _volumes(mesh) * 1e9
    for number, region in enumerate(domain.regions, start=1):
        inside = mesh.region == number
        amount = f"{int(inside.sum()):>9} {volume[inside].sum():>12.5g}"
        lines.append(f"  {region.name:<20} {region.tag!s:<14} {region.tissue:<20} {amount}")
    lines.append(f"  {'surface':<20} {'tag':<14} {'roles':<20} {'facets':>9} {'mm2':>12}")
    for surface in domain.surfaces:
        facets = mesh.surfaces[surface.name]
        amount = f"{len(facets):>9} {_areas(mesh, facets).sum() * 1e6:>12.5g}"
        lines.append(f"  {surface.name:<20} {surface.tag!s:<14} {', '.join(surface.roles):<20} {amount}")
    return "\n".join(lines)


def _turned(mesh: MeshData) -> str:
    """Return how many cells have their nodes in the order of negative volume; the solver does not depend on it."""
    negative = int((cell_volumes(mesh.points, mesh.cells) < 0.0).sum())
    inverted = min(negative, len(mesh.cells) - negative)
    return f"{inverted} cells of the other orientation" if inverted else "no inverted cells"


def _edges(mesh: MeshData) -> FloatArray:
    """Return the lengths of the edges of all cells [m]."""
    corners = mesh.points[mesh.cells]
    count = corners.shape[1]
    pairs = [(a, b) for a in range(count) for b in range(a)]
    return np.concatenate([np.linalg.norm(corners[:, a] - corners[:, b], axis=1) for a, b in pairs])


def _sizes(corners: FloatArray) -> FloatArray:
    """Return the volume of tetrahedra, or the area of triangles in the plane (x, y)."""
    dim = corners.shape[1] - 1
    edges = corners[:, 1:, :dim] - corners[:, :1, :dim]
    return np.asarray(np.abs(np.linalg.det(edges)) / factorial(dim))


def _volumes(mesh: MeshData) -> FloatArray:
    """Return the volume of each cell [m3]; of the half plane, that of its ring."""
    corners = mesh.points[mesh.cells]
    size = _sizes(corners)
    return 2 * np.pi * corners[:, :, 0].mean(axis=1) * size if mesh.axisymmetric else size


def _areas(mesh: MeshData, facets: IntArray) -> FloatArray:
    """Return the area of each facet [m2]; of the half plane, that of its ring."""
    corners = mesh.points[facets]
    first = corners[:, 1] - corners[:, 0]
    if mesh.axisymmetric:
        return np.asarray(2 * np.pi * corners[:, :, 0].mean(axis=1) * np.linalg.norm(first, axis=1))
    return np.asarray(0.5 * np.linalg.norm(np.cross(first, corners[:, 2] - corners[:, 0]), axis=1))


def _quality(mesh: MeshData) -> FloatArray:
    """Return the mean ratio of each cell, 1 for an equilateral one and 0 for a flat one, in either orientation."""
    corners = mesh.points[mesh.cells]
    if not mesh.axisymmetric:
        return np.abs(tet_quality(corners))
    squares = sum(((corners[:, a] - corners[:, b]) ** 2).sum(axis=1) for a, b in ((0, 1), (1, 2), (2, 0)))
    return np.asarray(4.0 * np.sqrt(3.0) * _sizes(corners) / squares)
