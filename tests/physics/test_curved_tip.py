"""A curved tip: metal volume and active surface as of a straight tip, and the lesion on the side of the bend.

| law                                                                     | allowed                             |
|-------------------------------------------------------------------------|-------------------------------------|
| metal: section times centre line; bare: circumference times length, end | 0.5 % of what a straight mesh loses |
| cells of the metal lie inside the arc, all other cells outside          | a cell in 1000: facets are flat     |
| conductance of a slender rod depends on its length, not on its bend     | 0.5 % at 2, 1 % at 30 degrees       |
| the lesion lies off the shaft's axis as the arc, or the arc prolonged    | between both                        |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.geometry.applicator_parts import in_cannula
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.schema import Case
from rfablate.evidence.verification_problems import last_frame
from rfablate.lesion.observer import Observer
from rfablate.mesh.build import make_mesh
from rfablate.mesh.domain import distribute
from rfablate.mesh.generate import generate_mesh
from rfablate.mesh.mesh_data import MeshData
from rfablate.mesh.root_tasks import on_root
from rfablate.problem.problem import Problem, build_problem

DIAMETER, TIP, HALF_HEIGHT = 0.908e-3, 10e-3, 30e-3
HELD = {"kind": "temperature", "target_degC": 80, "ramp_s": 5, "hold_s": 25, "control": "ideal"}


def curved(angle: float, generator: dict[str, Any] = HELD, **keys: Any) -> Case:
    """Return a blunt 20 G cannula with a 10 mm tip bent by `angle` [degree]."""
    bend = {"bend": {"angle_deg": float(angle)}} if angle else {}
    return parse_case(
        {
            "domain": {"kind": "cylinder", "radius_mm": 30, "height_mm": 60, "tissue": "muscle"},
            "applicators": [{"outer_diameter_mm": 0.908, "active_tip_mm": 10, **bend, **keys}],
            "generator": generator,
            "mesh": {"accuracy": "draft"},
        }
    )


def metal_of(data: MeshData) -> np.ndarray:
    return np.isin(data.region, [tag for tag, name in data.region_names.items() if name.startswith("cannula")])


def sizes(data: MeshData) -> tuple[float, float]:
    """Volume of the metal and its lumen [m3], area of the active surface [m2]."""
    edges = data.points[data.cells[:, 1:]] - data.points[data.cells[:, :1]]
    facets = data.points[data.surfaces["active"]]
    normals = np.cross(facets[:, 1] - facets[:, 0], facets[:, 2] - facets[:, 0])
    volume = np.abs(np.linalg.det(edges)) / 6.0
    return float(volume[metal_of(data)].sum()), float(0.5 * np.linalg.norm(normals, axis=1).sum())


def exact_sizes(case: Case) -> tuple[float, float]:
    frame = applicator_frame(case.applicators[0])
    length = HALF_HEIGHT if frame.arc is None else frame.arc.length + HALF_HEIGHT - frame.joint[2]
    return np.pi * (DIAMETER / 2) ** 2 * length, np.pi * DIAMETER * TIP + np.pi * (DIAMETER / 2) ** 2


def test_a_bend_leaves_volume_and_bare_surface_as_they_are() -> None:
    ratios = {}
    for angle in (0, 15, 60):
        case = curved(angle)
        ratios[angle] = np.divide(sizes(generate_mesh(case)), exact_sizes(case))
    assert np.all(ratios[0] > 0.9) and np.all(ratios[0] <= 1.0)
    for angle in (15, 60):
        np.testing.assert_allclose(ratios[angle], ratios[0], atol=0.005)


@pytest.mark.parametrize(
    "keys",
    [
        {"bend": {"angle_deg": 30, "azimuth_deg": 70}, "tip_shape": "bevel", "sensor_offset_mm": 1.1},
        {"bend": {"angle_deg": 15, "length_mm": 14}, "direction": [0.3, 0.2, 1], "wall_mm": 0.15},
        {"bend": {"angle_deg": 20, "length_mm": 5}, "ring": {"gap_mm": 2, "length_mm": 4}},
    ],
)
def test_the_mesh_and_the_analytic_needle_are_one(keys: dict[str, Any]) -> None:
    """Centroids of metal, lumen and shaft cells lie inside the cannula, those of tissue cells outside."""
    case = curved(0, **keys)
    data = generate_mesh(case)
    assert data.notes == ()
    inside = in_cannula(case.applicators[0], data.points[data.cells].mean(axis=1))
    metal = metal_of(data)
    assert np.count_nonzero(inside != metal) <= 1e-3 * metal.sum()


def problem_of(comm: MPI.Comm, angle: float) -> Problem:
    case = curved(angle)
    return build_problem(case, distribute(on_root(comm, lambda: make_mesh(case)), comm))


def conductance(problem: Problem) -> float:
    assert problem.solvers.electric is not None
    problem.solvers.assemble(problem.initial)
    return problem.solvers.electric.solve(problem.solvers.coefficients).conductance


@pytest.mark.mpi
def test_conductance_is_the_straight_tip_s_as_the_bend_goes_to_nothing(comm: MPI.Comm) -> None:
    straight, slight, bent = (conductance(problem_of(comm, angle)) for angle in (0, 2, 30))
    assert slight == pytest.approx(straight, rel=0.005)
    assert bent == pytest.approx(straight, rel=0.01)


def centroid(problem: Problem, level: np.ndarray) -> np.ndarray:
    """Centroid of the tissue above 50 degC [m]; a cell is weighted by the fraction of its nodes; one rank."""
    domain, elements = problem.domain, problem.domain.elements
    tissue = domain.region == 1
    inside = (level[elements.cells] > 0.0).mean(axis=1) * elements.volume * tissue
    return np.asarray(inside @ domain.x[elements.cells].mean(axis=1) / inside.sum())


@pytest.mark.parametrize("angle", [15, 30])
def test_the_lesion_goes_where_the_tip_is_bent_to(comm: MPI.Comm, angle: float) -> None:
    """The mean distance of the arc from the shaft axis is that of R (1 - cos t), L theta / 6 for a small angle.

    The lesion extends ahead of the tip in the direction of the arc's end, and back along the shaft. Its centroid is
    farther from the axis than that of the arc, and closer than that of a line of the lesion's length.
    """
    problem, case = problem_of(comm, angle), curved(angle)
    frame = applicator_frame(case.applicators[0])
    assert frame.arc is not None
    arc = frame.arc.radius * (1.0 - np.sin(frame.arc.angle) / frame.arc.angle)
    assert arc == pytest.approx(TIP * np.radians(angle) / 6.0, rel=0.02)
    end = last_frame(problem)
    lesion = Observer(case, problem.domain, problem.tissue_cells).measure(end)["isotherm_50C"]
    along = frame.centre_line(np.linspace(-lesion.depth_distal, TIP + lesion.depth_proximal, 400))
    prolonged = float(along[:, 0].mean() - frame.joint[0])
    x, y, _ = centroid(problem, end.peak - 50.0) - frame.joint
    print(f"{angle} degrees: {arc * 1e3:.3f} < {x * 1e3:.3f} < {prolonged * 1e3:.3f} mm aside")
    assert arc < x < prolonged
    assert abs(y) < 0.1e-3, "an eighth of a cell at the lesion's edge"
