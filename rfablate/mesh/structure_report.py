"""Exact volumes of a case's structures in a generated mesh: kept by moving nodes, and reported. Root only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rfablate.case.geometry.visible_volume import visible_volumes
from rfablate.case.tables.geometry_tables import Label
from rfablate.case.tables.schema import Case
from rfablate.mesh.label_cells import sampled_volumes
from rfablate.mesh.mesh_data import NumberedMesh
from rfablate.mesh.structure_volumes import measure, restore_volumes, volume_texts

FIRST = 2
"""Region number of the first structure."""


def with_exact_volumes(
    case: Case, mesh: NumberedMesh, *, conforming: bool
) -> tuple[NumberedMesh, list[str], list[str]]:
    """Return the mesh with round structures of exact volume, lines for the log on all volumes, and warnings.

    Args:
        case: the case.
        mesh: its mesh.
        conforming: whether the mesh conforms to the surfaces of structures other than labels; else no node moves.
    """
    exact, dim = _numbered(case, visible_volumes(case)), mesh.cells.shape[1] - 1
    if conforming and exact:
        wanted = {number: exact[number][1] for number in exact if case.structures[number - FIRST].rounding() > 0.0}
        mesh = replace(mesh, points=restore_volumes(mesh, wanted))
    lines, warnings = [], []
    sampled = sampled_volumes(case) if any(not each.conforms(dim) for each in case.structures) else {}
    labels = {each.name: sampled[each.name] for each in case.structures if isinstance(each, Label)}
    surfaces = {name: volume for name, volume in sampled.items() if name not in labels}
    for volumes, source in (
        (_numbered(case, labels), "in the voxels"),
        (_numbered(case, surfaces), "in the surfaces"),
        (exact, "exact"),
    ):
        if volumes:
            line, off = volume_texts(measure(mesh.points, mesh.cells, mesh.region, volumes, source))
            lines.append(line)
            warnings += off
    return mesh, lines, warnings


def _numbered(case: Case, volumes: Mapping[str, float]) -> dict[int, tuple[str, float]]:
    """Return name and volume of structures by their region number."""
    return {n: (each.name, volumes[each.name]) for n, each in enumerate(case.structures, FIRST) if each.name in volumes}
