"""How deep a structure lies inside a lesion, or how far off it. Root only, plain arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def depth_inside(points: FloatArray, level: FloatArray, surface: FloatArray) -> FloatArray | None:
    """Return each point's distance to the lesion's surface, positive inside [m]; None where there is no surface.

    Args:
        points: shape (n, 3) [m].
        level: the rule's level at the points, positive inside.
        surface: triangles (m, 3, 3) or segments (m, 2, 3) [m].
    """
    import pyvista

    if len(surface) == 0 or len(points) == 0:
        return None
    corners = surface.shape[1]
    size = np.full((len(surface), 1), corners)
    faces = np.hstack([size, np.arange(len(surface) * corners).reshape(-1, corners)]).ravel()
    flat = surface.reshape(-1, 3)
    mesh = pyvista.PolyData(flat, faces=faces) if corners == 3 else pyvista.PolyData(flat, lines=faces)
    _, closest = mesh.find_closest_cell(points, return_closest_point=True)  # type: ignore[misc, arg-type]
    distance = np.linalg.norm(np.asarray(closest) - points, axis=1)
    return np.where(level >= 0.0, distance, -distance)
