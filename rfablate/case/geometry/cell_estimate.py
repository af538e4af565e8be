"""Estimated number of cells of a generated mesh, from its size field alone. Pure.

    N = c * integral of dV / h^n,   n the dimension, h(x) the edge length at x,
    c = 5.0 in space and 3.2 in the half plane, from the meshes of the shipped cases: these have 0.7 to 1.6 N cells

Except `far`, each size in `Sizes` is a function of the distance d from a line, a circle or a surface,
and dV = A(d) dd with the area A at that distance. Where two of them overlap both are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import FloatArray
from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import bare_length, sharp_edges, tines_of
from rfablate.case.geometry.element_sizes import Sizes, choose_sizes
from rfablate.case.geometry.shapes import GeneratedDomain, bounding_box, contains, signed_distance
from rfablate.case.tables.geometry_tables import Applicator, AxisymmetricDomain, BoxDomain, Structure
from rfablate.case.tables.numerics_tables import Mesh
from rfablate.case.tables.shape_math import spread_points

_PER_VOLUME = {3: 5.0, 2: 3.2}
_SAMPLES, _FEWEST = 16384, 512
"""Number of sample points of all structures together, and smallest number of each."""
_SHELL = 0.1
"""Fraction of a structure's samples, those nearest to its surface, from which its area is estimated."""


def estimate_cells(
    domain: GeneratedDomain, mesh: Mesh, applicators: Sequence[Applicator], structures: Sequence[Structure]
) -> float:
    """Return the estimated number of cells of the mesh of a case [1]."""
    sizes = choose_sizes(domain, mesh, applicators, structures)
    dim = 2 if isinstance(domain, AxisymmetricDomain) else 3
    total = _extent(domain) / sizes.far**dim
    for each in applicators:
        for field in _fields(each, sizes, domain, dim):
            total += _near(field, sizes.far, dim)
    tips = [applicator_frame(each).centre_line(np.linspace(0.0, bare_length(each), 9)) for each in applicators]
    count = max(_FEWEST, min(4096, _SAMPLES // max(1, len(structures))))
    for shape in structures:
        if shape.name in sizes.structure:
            total += _at_surface(shape, _Surroundings(domain, sizes, np.vstack(tips)), dim, count)
    return float(_PER_VOLUME[dim] * total)


def _extent(domain: GeneratedDomain) -> float:
    """Return the domain's volume [m3], or the half plane's area [m2]."""
    if isinstance(domain, BoxDomain):
        return float(np.prod(domain.size))
    section = domain.radius * domain.height
    return section if isinstance(domain, AxisymmetricDomain) else np.pi * domain.radius * section


Area = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class _SizeField:
    """A size around a line, a circle or a surface: size + growth * (d - start), with `size` up to d = start."""

    area: Area
    """Area at the distance d [m2], in the half plane length [m]."""
    size: float
    start: float
    growth: float


@dataclass(frozen=True)
class _Surroundings:
    """What a structure is meshed in."""

    domain: GeneratedDomain
    sizes: Sizes
    tips: FloatArray
    """Points of the active tips [m], shape (n, 3)."""


def _fields(applicator: Applicator, sizes: Sizes, domain: GeneratedDomain, dim: int) -> Iterator[_SizeField]:
    """Yield the size fields of an applicator."""
    radius, bare = 0.5 * applicator.outer_diameter, bare_length(applicator)
    stations = np.linspace(0.0, min(applicator.shaft_length or np.inf, 2.0), 2001)
    inside = contains(domain, applicator_frame(applicator).centre_line(stations))
    shaft = float(stations[inside].max(initial=bare)) - bare
    edges = len(sharp_edges(applicator))
    if dim == 2:
        yield _SizeField(lambda d: bare + 0.5 * np.pi * (radius + d), sizes.tip, 0.0, sizes.growth)
        yield _SizeField(lambda d: np.full_like(d, shaft), sizes.shaft, 0.0, sizes.growth_outside)
        yield _SizeField(lambda d: edges * 2.0 * np.pi * d, sizes.edge, 0.0, sizes.growth_outside)
        return
    yield _SizeField(lambda d: 2 * np.pi * (radius + d) * (bare + radius + d), sizes.tip, 0.0, sizes.growth)
    yield _SizeField(_around(radius, shaft), sizes.shaft, 0.0, sizes.growth_outside)
    yield _SizeField(_around_circles(radius, edges), sizes.edge, 0.0, sizes.growth_outside)
    for tine in tines_of(applicator):
        yield _SizeField(_around(tine.radius, tine.length), sizes.tine, 0.0, sizes.growth)
        yield _SizeField(_around_circles(tine.radius, 1), 0.5 * sizes.tine, 0.0, sizes.growth_outside)


def _around(radius: float, length: float) -> Area:
    return lambda d: 2.0 * np.pi * (radius + d) * length


def _around_circles(radius: float, count: int) -> Area:
    return lambda d: count * 4.0 * np.pi * d * np.maximum(np.pi * radius, d)


def _near(field: _SizeField, far: float, dim: int) -> float:
    """Return the integral of A(d) (1 / h^n - 1 / far^n) where the size h is below `far`."""
    size = field.size
    if size >= far:
        return 0.0
    end = field.start + (far - size) / field.growth
    d = np.concatenate([[0.0], np.geomspace(1e-3 * min(size, end), end, 400)])
    h = size + field.growth * np.maximum(0.0, d - field.start)
    return float(np.trapz(field.area(d) * (h**-dim - far**-dim), d))


def _at_surface(shape: Structure, around: _Surroundings, dim: int, count: int) -> float:
    """Return the integral of 1 / h^n - 1 / far^n around a structure's surface, from samples around it."""
    sizes, domain = around.sizes, around.domain
    size, far, growth = sizes.structure[shape.name], sizes.far, sizes.growth_outside
    if size >= far:
        return 0.0
    reach = (far - size) / growth
    lower, upper = bounding_box(domain)
    own = bounding_box(shape)
    lower, upper = np.maximum(lower, own[0] - reach), np.minimum(upper, own[1] + reach)
    if dim == 2:
        lower[0], lower[1], upper[1] = max(0.0, lower[0]), 0.0, 0.0
    if (upper < lower).any():
        return 0.0
    spans = (upper - lower)[[0, 2] if dim == 2 else [0, 1, 2]]
    points = lower + spread_points(count) * (upper - lower)
    points = points[contains(domain, points)]
    volume = float(np.prod(spans)) / count
    d = np.abs(signed_distance(shape, points))
    away = np.linalg.norm(points[:, None] - around.tips, axis=2).min(axis=1)
    zone = min([sizes.tip, *sizes.structure.values()]) + growth * np.maximum(0.0, away - sizes.zone)
    shell = float(np.quantile(d, _SHELL)) if len(d) else 0.0
    inner = d <= shell
    total = volume * _counted(size + growth * d[~inner], zone[~inner], far, dim).sum()
    steps = np.concatenate([[0.0], np.geomspace(1e-3 * min(size, shell), shell, 200)]) if shell > 0.0 else np.zeros(2)
    column = _counted(size + growth * steps, zone[inner][:, None], far, dim)
    return float(total + volume * (np.trapz(column, steps, axis=1) / max(shell, 1e-30)).sum())


def _counted(size: FloatArray, zone: FloatArray, far: float, dim: int) -> FloatArray:
    """Return 1 / h^n - 1 / far^n, with h the size, but at least that of the zone around the tips and at most `far`."""
    h = np.minimum(np.maximum(size, zone), far)
    return np.asarray(h**-dim - far**-dim)
