"""Lesion metrics compared with closed forms: second order below the cell size, in 3-D and in the half plane.

| lesion                                            | quantity                              | allowed            |
|---------------------------------------------------|---------------------------------------|--------------------|
| half space at any angle in a box; cylinder, cone  | volume                                | exact              |
| ball, in the half plane and in 3-D                | volume, width, length, depths, radius | order 2            |
| ellipsoid off the axis, oblique cannula           | volume, widths, length, depths        | order 2            |
| slab over a structure                             | covered fraction, time to cover       | exact              |
| ball and box                                      | margins                               | 0.15 of a cell     |
| slab and ball across a tube                       | coagulated length                     | 0.1 %              |
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.structured_meshes import box, rectangle
from rfablate.evidence.verification_problems import TISSUE, constant_voltage, on_mesh, with_roles
from rfablate.lesion.measure import LesionAxis, LesionMeter, MeasuredLesion
from rfablate.lesion.observer import FinalStructure, Observer
from rfablate.mesh.domain import Domain, distribute
from rfablate.mesh.mesh_data import MeshData
from rfablate.problem.problem import build_problem
from rfablate.solve.state import Frame, first_frame, initial_state
from tests.build import orders

pytestmark = pytest.mark.mpi
FloatArray = npt.NDArray[np.float64]
MM = 1e-3


def _cube(comm: MPI.Comm, n: int, half: float = 10.0) -> Domain:
    line = np.linspace(-half, half, n + 1) * MM
    return on_mesh(comm, lambda: box(line, line, line))


def _half_plane(comm: MPI.Comm, n: int, half: float = 10.0) -> Domain:
    z = np.linspace(-half, half, n + 1) * MM
    return on_mesh(comm, lambda: rectangle(np.linspace(0.0, half, n // 2 + 1) * MM, z))


def _measure(domain: Domain, level: FloatArray, axis: LesionAxis) -> MeasuredLesion:
    lesions, _ = LesionMeter(domain, np.ones(len(domain.region), dtype=bool), axis).measure([level])
    return lesions[0]


UPRIGHT = LesionAxis(np.zeros(3), np.array([0.0, 0.0, 1.0]), 5.0 * MM)


# --- volumes of plane cuts ------------------------------------------------------------------------


def _below_plane(normal: FloatArray, offset: float, half: float) -> float:
    """Return the volume of the cube |x_i| <= half where normal . x <= offset, all components positive."""
    d = offset + half * normal.sum()
    terms = (
        (-1) ** sum(corner) * max(0.0, d - 2.0 * half * float(np.dot(corner, normal))) ** 3
        for corner in product((0, 1), repeat=3)
    )
    return sum(terms) / (6.0 * float(normal.prod()))


@pytest.mark.parametrize("offset", [-9.0, -2.3, 0.0, 1.234, 8.0])
@pytest.mark.parametrize("normal", [(0.6, 0.64, 0.48), (0.05, 0.1, 0.99)])
def test_a_plane_cuts_a_cube_exactly(comm: MPI.Comm, normal: tuple[float, ...], offset: float) -> None:
    domain, n = _cube(comm, 5), np.array(normal)
    lesion = _measure(domain, offset * MM - domain.x @ n, UPRIGHT)
    exact = _below_plane(n, offset, 10.0) * 1e-9
    assert lesion.volume == pytest.approx(exact, rel=1e-11)


def test_a_lesion_and_its_complement_make_the_whole(comm: MPI.Comm) -> None:
    for domain in (_cube(comm, 4), _half_plane(comm, 7)):
        level = np.random.default_rng(0).normal(size=domain.nodes.total)[domain.input_node]
        parts = _measure(domain, level, UPRIGHT).volume + _measure(domain, -level, UPRIGHT).volume
        assert parts == pytest.approx(domain.nodes.total_of(float(domain.elements.volume.sum()))[0], rel=1e-12)


@pytest.mark.parametrize("size", [0.4, 1.0, 3.3, 9.0])
def test_a_cylinder_and_a_cone_are_exact_in_the_half_plane(comm: MPI.Comm, size: float) -> None:
    domain = _half_plane(comm, 9)
    r, z, c = domain.x[:, 0], domain.x[:, 1], size * MM
    assert _measure(domain, c - r, UPRIGHT).volume == pytest.approx(np.pi * c**2 * 20.0 * MM, rel=1e-11)
    assert _measure(domain, z - c, UPRIGHT).volume == pytest.approx(np.pi * 1e-4 * (10.0 * MM - c), rel=1e-11)
    # cone with its base on z = -10 mm
    cone = _measure(domain, c - r - 0.5 * (z + 10.0 * MM), UPRIGHT)
    assert cone.volume == pytest.approx(np.pi * c**2 * 2.0 * c / 3.0, rel=1e-11)
    assert cone.width == pytest.approx(2.0 * c, rel=1e-11)
    assert cone.depth_distal == pytest.approx(10.0 * MM, rel=1e-11)


def test_no_lesion_is_all_zero_and_a_lesion_everywhere_is_the_domain(comm: MPI.Comm) -> None:
    for domain in (_cube(comm, 4), _half_plane(comm, 4)):
        assert _measure(domain, np.full(domain.nodes.local, -1.0), UPRIGHT) == MeasuredLesion()
        whole = _measure(domain, np.full(domain.nodes.local, 1.0), UPRIGHT)
        assert whole.length == pytest.approx(20.0 * MM) and whole.depth_distal == pytest.approx(10.0 * MM)
        across = 20.0 * MM * (1.0 if domain.axisymmetric else np.sqrt(2.0))
        assert whole.width == pytest.approx(across, rel=2e-4)


# --- balls and ellipsoids -------------------------------------------------------------------------


def _assert_second_order(
    counts: Sequence[int], measured: Sequence[MeasuredLesion], exact: MeasuredLesion, curvature: float, diagonal: float
) -> None:
    """Extents are too small by at most the interpolation error h^2 curvature / 8; volumes converge with order 2.

    The levels are concave, so that the interpolated surface lies inside the true one. h is the longest edge of a cell,
    20 mm / n * diagonal.
    """
    for n, lesion in zip(counts, measured, strict=True):
        short = (20.0 * MM / n * diagonal) ** 2 * curvature / 8.0
        for name, sides in (("width", 2), ("width_min", 2), ("length", 2), ("depth_distal", 1), ("depth_proximal", 1)):
            missing = getattr(exact, name) - getattr(lesion, name)
            # the smallest and the largest width are resolved to one degree
            assert -2e-4 * exact.length <= missing <= sides * short + 2e-4 * exact.length, (name, n, missing, short)
        assert lesion.roundness == pytest.approx(exact.roundness, abs=4.0 * short / exact.length)
    for name in ("volume", "effective_radius"):
        errors = [abs(getattr(lesion, name) / getattr(exact, name) - 1.0) for lesion in measured]
        found = orders([1.0 / n for n in counts], errors)
        assert found[-1] == pytest.approx(2.0, abs=0.15), (name, found)


def _ball_lesion(radius: float, centre: float, active: float) -> MeasuredLesion:
    return MeasuredLesion(
        width=2.0 * radius,
        width_min=2.0 * radius,
        length=2.0 * radius,
        depth_distal=radius - centre,
        depth_proximal=centre + radius - active,
        effective_radius=radius,
        roundness=1.0,
        volume=4.0 / 3.0 * np.pi * radius**3,
    )


@pytest.mark.parametrize("make", [_half_plane, _cube], ids=["half plane", "3-D"])
def test_a_ball_is_measured_with_second_order(comm: MPI.Comm, make: Callable[[MPI.Comm, int], Domain]) -> None:
    """Radius 3.7 mm, centre 1.9 mm along the shaft, cells of 2 mm and less."""
    counts, measured = ((10, 20, 40, 80) if make is _half_plane else (10, 20, 40)), []
    for n in counts:
        domain = make(comm, n)
        up = np.array([0.0, 1.9, 0.0] if domain.axisymmetric else [0.0, 0.0, 1.9]) * MM
        measured.append(_measure(domain, 3.7**2 - ((domain.x - up) ** 2).sum(axis=1) * 1e6, UPRIGHT))
    diagonal = np.sqrt(2.0 if make is _half_plane else 3.0)
    _assert_second_order(counts, measured, _ball_lesion(3.7 * MM, 1.9 * MM, 5.0 * MM), 1.0 / (3.7 * MM), diagonal)


def test_a_ball_measures_alike_in_3_d_and_in_the_half_plane(comm: MPI.Comm) -> None:
    flat, solid = _half_plane(comm, 30), _cube(comm, 30)
    a = _measure(flat, 16.0 - (flat.x**2).sum(axis=1) * 1e6, UPRIGHT)
    b = _measure(solid, 16.0 - (solid.x**2).sum(axis=1) * 1e6, UPRIGHT)
    for name in ("width", "width_min", "length", "effective_radius"):
        assert getattr(a, name) == pytest.approx(getattr(b, name), rel=0.01)


def test_an_ellipsoid_off_an_oblique_cannula_is_measured_with_second_order(comm: MPI.Comm) -> None:
    """Extents along any direction d are d . centre -+ |(semi-axes) d|; widths are principal values across the axis."""
    semi, centre = np.array([3.0, 5.0, 4.0]) * MM, np.array([1.0, -0.5, 1.5]) * MM
    direction = np.array([1.0, 2.0, 2.0]) / 3.0
    axis = LesionAxis(np.array([0.5, 0.2, -0.3]) * MM, direction, 2.0 * MM)
    first, second = axis.across()
    basis = np.stack([first, second]) * semi
    widths = 2.0 * np.sqrt(np.linalg.eigvalsh(basis @ basis.T))
    middle, reach = float((centre - axis.tip) @ direction), float(np.linalg.norm(semi * direction))
    volume = 4.0 / 3.0 * np.pi * float(semi.prod())
    exact = MeasuredLesion(
        width=float(widths[1]),
        width_min=float(widths[0]),
        length=2.0 * reach,
        depth_distal=reach - middle,
        depth_proximal=middle + reach - 2.0 * MM,
        effective_radius=float(semi.prod() ** (1.0 / 3.0)),
        roundness=float(min(widths[1], 2.0 * reach) / max(widths[1], 2.0 * reach)),
        volume=volume,
    )
    counts, measured = (10, 20, 40), []
    for n in counts:
        domain = _cube(comm, n)
        measured.append(_measure(domain, 1.0 - (((domain.x - centre) / semi) ** 2).sum(axis=1), axis))
    _assert_second_order(counts, measured, exact, 1.2 * 5.0 / 3.0**2 / MM, np.sqrt(3.0))


def test_a_lesion_that_ends_before_the_tip_has_a_negative_depth(comm: MPI.Comm) -> None:
    domain = _cube(comm, 20)
    up = np.array([0.0, 0.0, 6.0]) * MM
    lesion = _measure(domain, 3.0 * MM - np.linalg.norm(domain.x - up, axis=1), UPRIGHT)
    assert lesion.depth_distal == pytest.approx(-3.0 * MM, abs=0.1 * MM)
    assert lesion.depth_proximal == pytest.approx(4.0 * MM, abs=0.1 * MM)


def test_metal_is_no_lesion(comm: MPI.Comm) -> None:
    """For a ball around a rod along y only the volume outside the rod counts."""
    domain = _half_plane(comm, 40)
    tissue = domain.x[domain.elements.cells, 0].mean(axis=1) > 1.0 * MM
    level = 4.0 * MM - np.linalg.norm(domain.x, axis=1)
    lesions, _ = LesionMeter(domain, tissue, UPRIGHT).measure([level])
    ring = 4.0 / 3.0 * np.pi * (16.0 - 1.0) ** 1.5 * 1e-9
    assert lesions[0].volume == pytest.approx(ring, rel=0.01)
    assert lesions[0].length == pytest.approx(2.0 * np.sqrt(15.0) * MM, rel=0.01)


# --- structures -----------------------------------------------------------------------------------


def _case(structures: list[dict[str, Any]], half: float = 10.0) -> Case:
    return parse_case(
        {
            "domain": {"kind": "box", "size_mm": [2 * half] * 3, "tissue": "sample"},
            "tissues": {"sample": TISSUE},
            "structures": [{"tissue": "sample", **each} for each in structures],
            "applicators": [{"outer_diameter_mm": 0.5, "active_tip_mm": 2.0, "tip_mm": [-7.0, -7.0, 0.0]}],
            "generator": constant_voltage(1.0, 10.0),
            "lesion": {"rules": ["isotherm_50C"]},
            "output": {"report": False},
        }
    )


def _with_regions(mesh: MeshData, inside: dict[str, Callable[[FloatArray], FloatArray]]) -> MeshData:
    """Return the mesh with regions 1 `domain` and 2, 3, ... by the cells' centroids."""
    centroid = mesh.points[mesh.cells].mean(axis=1)
    region = np.ones(len(mesh.cells), np.int32)
    for number, marked in enumerate(inside.values(), start=2):
        region[marked(centroid)] = number
    names = {1: "domain", **dict(enumerate(inside, start=2))}
    return with_roles(
        dataclasses.replace(mesh, region=region, region_names=names),
        active="low_x",
        returned="high_x",
        body_temperature="high_x",
    )


def _observer(
    comm: MPI.Comm, structures: list[dict[str, Any]], inside: dict[str, Callable[[FloatArray], FloatArray]], n: int = 20
) -> tuple[Observer, Domain, Callable[[float, FloatArray], Frame]]:
    """Return an observer, its domain, and a function that makes a frame of a time and a level."""
    case = _case(structures)
    line = np.linspace(-10.0, 10.0, n + 1) * MM
    domain = distribute(_with_regions(box(line, line, line), inside) if comm.rank == 0 else None, comm)
    problem = build_problem(case, domain)
    start = first_frame(problem, initial_state(problem))

    def frame(t: float, level: FloatArray) -> Frame:
        peak = 50.0 + 1e4 * level
        return dataclasses.replace(start, t=t, T=peak, peak=peak)

    return Observer(case, problem.domain, problem.tissue_cells), domain, frame


def _in_box(lower: Sequence[float], upper: Sequence[float]) -> Callable[[FloatArray], FloatArray]:
    return lambda x: ((x > np.array(lower) * MM) & (x < np.array(upper) * MM)).all(axis=1)


TARGET = {
    "name": "target",
    "kind": "box",
    "centre_mm": [0, 0, 0],
    "size_mm": [4, 4, 4],
    "role": "target",
    "required_fraction": 0.6,
}
CORD = {
    "name": "cord",
    "kind": "box",
    "centre_mm": [7, 0, 0],
    "size_mm": [2, 4, 4],
    "role": "protect",
    "limit_degC": 45.0,
}
BOXES = {"target": _in_box([-2, -2, -2], [2, 2, 2]), "cord": _in_box([6, -2, -2], [8, 2, 2])}


def test_covered_fractions_and_the_time_to_cover_are_exact_for_a_front_that_moves_evenly(comm: MPI.Comm) -> None:
    """A plane front at x = -3 mm + t mm/s covers 60 % of the target, x from -2 to 2 mm, at 3.4 s."""
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    for t in (0.0, 0.5, 1.2, 2.0, 2.9, 3.3, 3.9, 4.6):
        seen = observer.look(frame(t, (t - 3.0) * MM - domain.x[:, 0]))
        assert seen.covered["target"] == pytest.approx(np.clip((t - 1.0) / 4.0, 0.0, 1.0), abs=1e-12)
        assert seen.covered["cord"] == 0.0
    last = frame(4.6, 1.6 * MM - domain.x[:, 0])
    target, cord = observer.conclude(last)
    assert target.time_to_cover == pytest.approx(3.4, abs=1e-7)
    assert cord.time_to_cover is None
    assert (target.verdict, cord.verdict) == ("reached", "safe")
    assert target.volume == pytest.approx(64e-9, rel=1e-12) and cord.volume == pytest.approx(32e-9, rel=1e-12)


def test_a_target_covered_from_the_start_took_no_time_and_a_missed_one_for_ever(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    target, cord = observer.conclude(frame(0.0, 5.0 * MM - domain.x[:, 0]))
    assert target.time_to_cover == 0.0
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    target, cord = observer.conclude(frame(0.0, -9.5 * MM - domain.x[:, 0]))
    assert target.time_to_cover is None and target.verdict == "missed"


def _on_root(comm: MPI.Comm, results: list[FinalStructure], check: Callable[..., None]) -> None:
    """Margins exist on rank 0 only."""
    if comm.rank == 0:
        check(*results)


def test_margins_are_depth_inside_for_a_target_and_distance_for_the_rest(comm: MPI.Comm) -> None:
    """Ball of 4.7 mm: depth of the target's corners 4.7 - 2 sqrt(3), distance of the cord's face 6 - 4.7."""
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    radius = np.linalg.norm(domain.x, axis=1)

    def check(target: FinalStructure, cord: FinalStructure) -> None:
        assert target.margin == pytest.approx((4.7 - 2.0 * np.sqrt(3.0)) * MM, abs=0.15 * MM)
        assert cord.margin == pytest.approx(1.3 * MM, abs=0.15 * MM)

    _on_root(comm, observer.conclude(frame(1.0, 4.7 * MM - radius)), check)

    def negative(target: FinalStructure, cord: FinalStructure) -> None:
        assert target.margin == pytest.approx((2.5 - 2.0 * np.sqrt(3.0)) * MM, abs=0.15 * MM), "corners stick out"
        assert target.verdict == "reached" and target.covered < 1.0

    _on_root(comm, observer.conclude(frame(2.0, 2.5 * MM - radius)), negative)

    def into(target: FinalStructure, cord: FinalStructure) -> None:
        assert cord.margin == pytest.approx(-1.0 * MM, abs=0.15 * MM), "1 mm into the cord"
        assert cord.verdict == "limit exceeded"

    _on_root(comm, observer.conclude(frame(3.0, 7.0 * MM - domain.x[:, 0])), into)

    def none(target: FinalStructure, cord: FinalStructure) -> None:
        assert target.margin is None and cord.margin is None

    _on_root(comm, observer.conclude(frame(4.0, np.full(domain.nodes.local, -1.0 * MM))), none)


def test_the_hottest_point_of_a_structure_is_where_it_is_hottest(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, [TARGET, CORD], BOXES)
    hot = np.array([7.0, 1.0, -1.0]) * MM
    target, cord = observer.conclude(frame(1.0, -np.linalg.norm(domain.x - hot, axis=1)))
    assert cord.max_T == pytest.approx(50.0)
    if comm.rank == 0:
        assert cord.hottest_point == pytest.approx(tuple(hot), abs=1e-9)
        assert target.hottest_point == pytest.approx((2.0 * MM, 1.0 * MM, -1.0 * MM), abs=1e-9)


def _tube(*ends: Sequence[float]) -> tuple[list[dict[str, Any]], dict[str, Callable[[FloatArray], FloatArray]]]:
    """Return a nerve along y and its cells."""
    nerve = {"name": "nerve", "kind": "tube", "path_mm": [list(end) for end in ends], "diameter_mm": 2.0}
    return [nerve], {"nerve": _in_box([-1, -10, -1], [1, 10, 1])}


def test_the_coagulated_length_of_a_tube_is_the_chord_of_the_lesion(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, *_tube([0, -9, 0], [0, 9, 0]))
    y = domain.x[:, 1]
    for half in (0.5, 3.0, 7.77):
        (nerve,) = observer.conclude(frame(half, half * MM - np.abs(y)))
        # |y| is linear inside cells; its kink lies on a plane of the mesh
        assert nerve.coagulated_length == pytest.approx(2.0 * half * MM, rel=1e-3)
    assert nerve.length == pytest.approx(18.0 * MM)
    off = np.array([2.0, 0.0, 0.0]) * MM
    (nerve,) = observer.conclude(frame(20.0, 25.0 - ((domain.x - off) ** 2).sum(axis=1) * 1e6))
    assert nerve.coagulated_length == pytest.approx(2.0 * np.sqrt(21.0) * MM, rel=0.01)


def test_a_tube_is_coagulated_wholly_or_not_at_all(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, *_tube([0, -9, 0], [0, 0, 0], [0, 9, 0]))
    (nerve,) = observer.conclude(frame(1.0, np.full(domain.nodes.local, 1.0 * MM)))
    assert nerve.coagulated_length == pytest.approx(18.0 * MM, rel=1e-12)
    (nerve,) = observer.conclude(frame(2.0, np.full(domain.nodes.local, -1.0 * MM)))
    assert nerve.coagulated_length == 0.0
    # half of it: from the middle to one end
    (nerve,) = observer.conclude(frame(3.0, domain.x[:, 1]))
    assert nerve.coagulated_length == pytest.approx(9.0 * MM, rel=1e-3)


def test_of_a_tube_that_leaves_the_domain_only_the_part_inside_counts(comm: MPI.Comm) -> None:
    observer, domain, frame = _observer(comm, *_tube([0, -30, 0], [0, 30, 0]))
    (nerve,) = observer.conclude(frame(1.0, 3.0 * MM - np.abs(domain.x[:, 1])))
    assert nerve.length == pytest.approx(20.0 * MM, rel=0.02)
    assert nerve.coagulated_length == pytest.approx(6.0 * MM, rel=0.02)
