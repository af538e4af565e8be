"""Faults of a surface of triangles as the boundary of a body, and their repair. Pure.

A body needs a closed surface: each edge belongs to two triangles that pass it in opposite directions. The parts of the
surface that are connected by edges are its shells. A shell inside an even number of others faces outwards, one inside
an odd number (a cavity) inwards. Triangles must not pass through each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray, IntArray
from rfablate.case.tables.triangle_crossings import crossing_pairs
from rfablate.case.tables.triangle_distance import SignedDistance
from rfablate.case.tables.triangle_surface import TriangleSurface

_FLAT = 1e-12
"""Ratio of a triangle's area to its longest edge squared below which it is flat."""
_MERGE = 1e-6
"""Distance up to which a repair merges corners, over the diagonal of the bounding box."""
_SHOWN = 3
"""Number of places that are shown."""


@dataclass(frozen=True)
class Unsound:
    """A fault of a surface."""

    found: str
    expected: str
    hint: str


def soundness(surface: TriangleSurface) -> list[Unsound]:
    """Return the faults of a surface whose coordinates are in mm; empty if it bounds a body."""
    twice = _repeated(surface.triangles)
    if twice.any():
        count = int(twice.sum())
        found = f"{count} of {len(twice)} triangles occur twice, the first {_at(surface, np.flatnonzero(twice))}"
        return [Unsound(found, "each triangle once", "export one body, or repair = true")]
    edges, of = _edges(surface.triangles)
    uses = np.bincount(of.ravel(), minlength=len(edges))
    if (uses == 1).any():
        return [_open(surface, edges[uses == 1])]
    if (uses > 2).any():
        places = _points_text(surface.points[edges[uses > 2]].mean(axis=1))
        found = f"{int((uses > 2).sum())} edges with more than two triangles, at {places}"
        return [Unsound(found, "two triangles at each edge", "separate bodies that touch along an edge")]
    shells = _shells(len(surface.triangles), edges, of)
    turned = _turned(surface.triangles, edges, of, shells)
    if turned.any():
        found = f"{int(turned.sum())} of {len(turned)} triangles face the other way than the triangles next to them"
        text = f"{found}, the first {_at(surface, np.flatnonzero(turned))}"
        return [Unsound(text, "all triangles facing outwards", "repair = true turns them")]
    crossed = crossing_pairs(surface)
    if len(crossed):
        count = len(np.unique(crossed))
        found = f"{count} triangles pass through others, at {_points_text(surface.corners[crossed[:, 0]].mean(axis=1))}"
        hint = "unite the bodies, or remesh the surface, in the program that made it"
        return [Unsound(found, "a surface that does not intersect itself", hint)]
    wrong = _facing_wrong(surface, shells)
    if wrong:
        part = _part(surface, shells == wrong[0][0])
        place = f"{abs(part.volume):.4g} mm3 around {_points_text(part.bounds.mean(axis=0)[None])}"
        if wrong[0][1]:
            found = f"a shell inside another one that faces the same way: {place}"
            hint = "a double surface? export one of the two; the shell of a cavity faces inwards"
            return [Unsound(found, "a single surface around the body", hint)]
        found = f"{len(wrong)} of {shells.max() + 1} shells inside out: {place}"
        return [Unsound(found, "triangles that face outwards", "repair = true turns them")]
    return []


def repaired(surface: TriangleSurface) -> tuple[TriangleSurface, list[str]]:
    """Return the surface, coordinates in mm, after the repairs that keep its shape, and what was changed.

    Corners closer than a millionth of its size are merged, flat and repeated triangles removed, holes closed by a fan
    of triangles, and shells turned outwards. Intersections and double surfaces remain.
    """
    said: list[str] = []
    points, triangles = surface.points, surface.triangles
    merged = _merged(points, _MERGE * float(np.linalg.norm(np.ptp(points, axis=0))))
    if len(np.unique(merged)) < len(points):
        said.append(f"{len(points) - len(np.unique(merged))} corners merged")
        triangles = merged[triangles]
    a, b, c = triangles.T
    kept = (a != b) & (b != c) & (c != a)
    areas = TriangleSurface(points, triangles).areas
    corners = points[triangles]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    kept &= areas > _FLAT * longest**2
    if not kept.all():
        said.append(f"{int((~kept).sum())} flat triangles removed")
        triangles = triangles[kept]
    twice = _repeated(triangles)
    if twice.any():
        said.append(f"{int(twice.sum())} repeated triangles removed")
        triangles = triangles[~twice]
    points, triangles, closed = _closed(points, triangles)
    said += closed
    triangles, turned = _outwards(points, triangles)
    if turned:
        said.append(f"{turned} triangles turned")
    used, packed = np.unique(triangles, return_inverse=True)
    return TriangleSurface(points[used], packed.reshape(-1, 3)), said


# --- parts --------------------------------------------------------------------------------------------


def _repeated(triangles: IntArray) -> np.ndarray:
    """Return which triangles have the corners of an earlier one."""
    _, first = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    twice = np.ones(len(triangles), dtype=bool)
    twice[first] = False
    return twice


def _edges(triangles: IntArray) -> tuple[IntArray, IntArray]:
    """Return the edges (n, 2), the smaller corner first, and for each triangle its three edges, after its corners."""
    pairs = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
    edges, number = np.unique(np.sort(pairs, axis=1), axis=0, return_inverse=True)
    return edges, number.reshape(-1, 3)


def _open(surface: TriangleSurface, edges: IntArray) -> Unsound:
    """Return the fault of edges with one triangle; the places are the middles of the holes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    corners, packed = np.unique(edges, return_inverse=True)
    packed = packed.reshape(-1, 2)
    links = coo_matrix((np.ones(len(packed)), packed.T), shape=(len(corners),) * 2)
    count, hole = connected_components(links, directed=False)
    middles = np.array([surface.points[corners[hole == n]].mean(axis=0) for n in range(min(count, _SHOWN))])
    length = np.linalg.norm(np.diff(surface.points[edges], axis=1), axis=2).sum()
    what = f"{count} holes" if count > 1 else "a hole"
    found = f"it is open: {what} of {len(edges)} edges, {length:.4g} mm long, at {_points_text(middles, count)}"
    return Unsound(found, "a closed surface", "close it in the program that made it, or repair = true")


def _shells(count: int, edges: IntArray, of: IntArray) -> IntArray:
    """Return the number of the shell of each triangle."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    links = coo_matrix((np.ones(of.size), (np.repeat(np.arange(count), 3), of.ravel())), shape=(count, len(edges)))
    return np.asarray(connected_components(links @ links.T, directed=False)[1], dtype=np.int64)


def _turned(triangles: IntArray, edges: IntArray, of: IntArray, shells: IntArray) -> np.ndarray:
    """Return which triangles face the other way than the majority of their shell (all edges have two triangles)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order

    forwards = (triangles < np.roll(triangles, -1, axis=1)).ravel()
    order = np.argsort(of.ravel(), kind="stable")
    uses = np.bincount(of.ravel(), minlength=len(edges))
    starts = np.concatenate([[0], np.cumsum(uses)[:-1]])[uses == 2]
    first, second = order[starts], order[starts + 1]
    same = forwards[first] == forwards[second]  # both pass the edge in one direction: one of them is turned
    a, b = first // 3, second // 3
    turned = np.zeros(len(triangles), dtype=bool)
    if not same.any():
        return turned
    weight = np.where(same, 2.0, 1.0)
    links = coo_matrix((np.r_[weight, weight], (np.r_[a, b], np.r_[b, a])), shape=(len(triangles),) * 2).tocsr()
    for shell in np.unique(shells[a[same]]):
        own = np.flatnonzero(shells == shell)
        found, before = breadth_first_order(links, own[0], directed=False)
        for each in found[1:]:
            turned[each] = turned[before[each]] ^ (links[before[each], each] > 1.5)
        if turned[own].mean() > 0.5:
            turned[own] = ~turned[own]
    return turned


def _facing_wrong(surface: TriangleSurface, shells: IntArray) -> list[tuple[int, bool]]:
    """Return each shell that faces the wrong way, and whether it lies in another one; no two shells may intersect."""
    count = int(shells.max()) + 1
    parts = [_part(surface, shells == n) for n in range(count)]
    facing = [part.volume > 0.0 for part in parts]
    depth = np.zeros(count, dtype=int)
    outward = [part if out else _flipped(part) for part, out in zip(parts, facing, strict=True)]
    first = np.array([part.points[0] for part in parts])
    for n, part in enumerate(outward):
        within = ((first >= part.bounds[0]) & (first <= part.bounds[1])).all(axis=1)
        within[n] = False
        others = np.flatnonzero(within)
        if len(others):
            depth[others[SignedDistance(part).closest(first[others])[0] < 0.0]] += 1
    return [(n, bool(depth[n])) for n in range(count) if facing[n] != (depth[n] % 2 == 0)]


def _part(surface: TriangleSurface, own: np.ndarray) -> TriangleSurface:
    used, packed = np.unique(surface.triangles[own], return_inverse=True)
    return TriangleSurface(surface.points[used], packed.reshape(-1, 3))


def _flipped(surface: TriangleSurface) -> TriangleSurface:
    return TriangleSurface(surface.points, surface.triangles[:, ::-1])


# --- repair -------------------------------------------------------------------------------------------


def _merged(points: FloatArray, tolerance: float) -> IntArray:
    """Return for each point the number of the point that it is merged with."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(tolerance, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(points),) * 2)
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    return np.asarray(first[group], dtype=np.int64)


def _closed(points: FloatArray, triangles: IntArray) -> tuple[FloatArray, IntArray, list[str]]:
    """Return the surface with each hole closed by a fan about its middle, and what was closed."""
    said: list[str] = []
    edges, of = _edges(triangles)
    single = np.bincount(of.ravel(), minlength=len(edges))[of] == 1
    rows, sides = np.nonzero(single)
    start, end = triangles[rows, sides], triangles[rows, (sides + 1) % 3]
    following = dict(zip(end.tolist(), start.tolist(), strict=True))  # the rim, against the triangles' direction
    while following:
        corner, rim = next(iter(following)), []
        while corner in following:
            rim.append(corner)
            corner = following.pop(corner)
        if corner != rim[0] or len(rim) < 3:
            continue
        middle = points[rim].mean(axis=0)
        ring = np.array(rim)
        if len(rim) == 3:
            fan = ring[None]
        else:
            fan = np.column_stack([ring, np.roll(ring, -1), np.full(len(ring), len(points))])
            points = np.concatenate([points, middle[None]])
        triangles = np.concatenate([triangles, fan])
        said.append(f"a hole of {len(rim)} edges closed at {_points_text(middle[None])}")
    return points, triangles, said


def _outwards(points: FloatArray, triangles: IntArray) -> tuple[IntArray, int]:
    """Return the triangles turned so that those of a shell agree and shells face outwards, and how many were turned."""
    edges, of = _edges(triangles)
    if (np.bincount(of.ravel(), minlength=len(edges)) != 2).any():
        return triangles, 0
    shells = _shells(len(triangles), edges, of)
    turned = _turned(triangles, edges, of, shells)
    new = TriangleSurface(points, _turn(triangles, turned))
    if not len(crossing_pairs(new)):
        for shell, inner in _facing_wrong(new, shells):
            turned[shells == shell] ^= not inner
    return _turn(triangles, turned), int(turned.sum())


def _turn(triangles: IntArray, turned: np.ndarray) -> IntArray:
    return np.where(turned[:, None], triangles[:, ::-1], triangles)


# --- text ---------------------------------------------------------------------------------------------


def _at(surface: TriangleSurface, triangles: IntArray) -> str:
    return f"at {_points_text(surface.corners[triangles[:1]].mean(axis=1))}"


def _points_text(points: FloatArray, count: int | None = None) -> str:
    """Return up to three points, and how many more there are of `count` (default: of all)."""
    shown = [f"({', '.join(f'{value:.4g}' for value in point)})" for point in points[:_SHOWN]]
    left = (len(points) if count is None else count) - len(shown)
    return " ".join(shown) + (f" and {left} more places" if left > 0 else "") + " mm"
