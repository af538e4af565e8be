"""Safe reader of Gmsh mesh files (MSH 2.2 and 4.1, ASCII and binary). Root only.

Gmsh treats every file without a mesh header as a script, and a script can run shell commands. A user mesh is therefore
never passed to Gmsh: this reader parses the sections of the format and rejects all other text.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rfablate.errors import MeshError
from rfablate.mesh.msh_parser import ELEMENTS, MshContent, MshParser
from rfablate.mesh.raw_mesh import RawMesh, TaggedSimplices

_SIMPLEX = {1: 1, 2: 2, 3: 4}
"""Gmsh element type of the linear simplices, by dimension."""
_NAME = {1: "lines", 2: "triangles", 3: "tetrahedra"}


def read_msh(path: Path, dim: int) -> RawMesh:
    """Return the linear simplices of dimension `dim` and `dim` - 1 in physical groups.

    Raises:
        MeshError: the file is not a Gmsh mesh, is damaged, or contains other text or elements that are not linear.
    """
    try:
        content = MshParser(path.read_bytes(), path.name).content()
    except OSError as error:
        raise MeshError(f"{path.name} cannot be read: {error.strerror}") from None
    if len(content.points) == 0:
        raise MeshError(f"{path.name} contains no mesh nodes; mesh the geometry first (gmsh -3 FILE)")
    if content.node_tags.min() < 1 or not np.isfinite(content.points).all():
        raise MeshError(f"{path.name}: found node tags below 1 or non-finite coordinates")
    cells, facets = (_tagged(content, d, path.name) for d in (dim, dim - 1))
    return RawMesh(content.points, cells, facets, content.names)


def _tagged(content: MshContent, dim: int, name: str) -> TaggedSimplices:
    """Return the simplices of one dimension, as indices into the points."""
    order = np.argsort(content.node_tags, kind="stable")
    known = content.node_tags[order]
    if (known[1:] == known[:-1]).any():
        raise MeshError(f"{name}: found duplicate node tags")
    simplices, tags = [np.zeros((0, dim + 1), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for kind, group, nodes in content.elements:
        if ELEMENTS[kind][0] != dim:
            continue
        if kind != _SIMPLEX[dim]:
            raise MeshError(
                f"{name}: physical group {group} contains elements of Gmsh type {kind}; expected linear {_NAME[dim]}"
            )
        place = np.minimum(np.searchsorted(known, nodes), len(known) - 1)
        if (known[place] != nodes).any():
            raise MeshError(f"{name}: elements of physical group {group} refer to nodes that the file does not define")
        simplices.append(order[place])
        tags.append(np.full(len(nodes), group, dtype=np.int64))
    return TaggedSimplices(np.concatenate(simplices), np.concatenate(tags))
