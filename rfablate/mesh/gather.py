"""Gathering of distributed fields on rank 0 in the order of the input mesh, independent of the number of ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.mesh.domain import Domain


def gather_nodal(domain: Domain, nodal: FloatArray) -> FloatArray | None:
    """Return a nodal field in the order of the input nodes on rank 0, None elsewhere. Collective."""
    owned = domain.nodes.owned
    return _in_order(domain, domain.input_node[:owned], nodal[:owned], domain.nodes.total)


def gather_cells(domain: Domain, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return cell values in the order of the input cells on rank 0, None elsewhere. Collective."""
    return _in_order(domain, domain.input_cell, values, domain.n_cells)


def gather_mesh(domain: Domain) -> tuple[FloatArray, npt.NDArray[np.int64]] | None:
    """Return (points, cells) of the input mesh on rank 0, None elsewhere. Collective."""
    owned = domain.nodes.owned
    points = _in_order(domain, domain.input_node[:owned], domain.x[:owned], domain.nodes.total)
    cells = gather_cells(domain, domain.input_node[domain.elements.cells])
    return None if points is None or cells is None else (points, cells)


def gather_many(domain: Domain, nodal: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]] | None:
    """Return nodal arrays in the order of the input nodes on rank 0, None elsewhere. Collective."""
    owned = domain.nodes.owned
    places = domain.comm.gather(domain.input_node[:owned])
    found = {}
    for name, values in nodal.items():
        parts = domain.comm.gather(values[:owned])
        if parts is None or places is None:
            continue
        found[name] = np.empty((domain.nodes.total, *values.shape[1:]), dtype=values.dtype)
        for where, what in zip(places, parts, strict=True):
            found[name][where] = what
    return found if places is not None else None


def scatter_many(domain: Domain, whole: Mapping[str, npt.NDArray[Any]] | None) -> dict[str, npt.NDArray[Any]]:
    """Return the local part of nodal arrays that rank 0 has in the order of the input nodes. Collective."""
    comm = domain.comm
    places = comm.gather(domain.input_node)
    names = comm.bcast(list(whole) if whole is not None else None)
    scattered: dict[str, npt.NDArray[Any]] = {}
    for name in names:
        parts: Any = [whole[name][where] for where in places] if whole is not None and places is not None else None
        scattered[name] = comm.scatter(parts)
    return scattered


def _in_order(domain: Domain, places, values, total: int):  # type: ignore[no-untyped-def]
    parts = domain.comm.gather((places, values))
    if parts is None:
        return None
    result = np.empty((total, *values.shape[1:]), dtype=values.dtype)
    for where, what in parts:
        result[where] = what
    return result
