"""Exact volumes of structures, and the element sizes that resolve them, against closed forms.

| law                                                                      | allowed               |
|--------------------------------------------------------------------------|-----------------------|
| sphere, tube, box, slab in a domain; sphere cut by the domain or a needle | 0.5 % of the volume   |
| thin shell between two nested spheres                                    | 1 %                   |
| a round target or protected structure of any shipped case near the tip   | facets cut off 5 %    |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.case.geometry.element_sizes import choose_sizes
from rfablate.case.geometry.shapes import bounding_box, sample_points
from rfablate.case.geometry.visible_volume import visible_volumes
from rfablate.case.read.case_file import parse_case
from rfablate.case.tables.geometry_tables import Label, MeshDomain
from tests.shipped import CASES, load_shipped


def _volumes(*structures: dict[str, Any], tip: tuple[float, float, float] = (0, 0, 15)) -> dict[str, float]:
    """Return the volumes in a box of 40 mm [mm3]; the needle is far away unless `tip` says otherwise."""
    case = parse_case(
        {
            "domain": {"kind": "box", "size_mm": [40, 40, 40], "tissue": "liver"},
            "structures": [{"name": f"s{n}", "tissue": "fat", **each} for n, each in enumerate(structures)],
            "applicators": [{"outer_diameter_mm": 1.0, "active_tip_mm": 2.0, "tip_mm": list(tip)}],
            "generator": {"kind": "power", "power_W": 1.0, "duration_s": 1.0},
        },
        check=False,
    )
    return {name: volume * 1e9 for name, volume in visible_volumes(case).items()}


BALL = {"kind": "sphere", "centre_mm": [1, 2, -3], "radius_mm": 4}
SHAPES: list[tuple[dict[str, Any], float]] = [
    (BALL, 4 / 3 * np.pi * 64),
    ({**BALL, "centre_mm": [20, 2, -3]}, 2 / 3 * np.pi * 64),
    ({"kind": "tube", "path_mm": [[-7, -5, -4], [5, 3, 2]], "diameter_mm": 1.5}, np.pi * 0.5625 * np.sqrt(244.0)),
    ({"kind": "box", "centre_mm": [0, 0, -5], "size_mm": [7, 0.6, 3]}, 12.6),
    ({"kind": "slab", "point_mm": [0, 0, -7.3], "normal": [0, 0, 1], "thickness_mm": 1.1}, 1760.0),
    ({"kind": "half_space", "point_mm": [0, 0, -7.3], "normal": [0, 0, -1]}, 1600 * 12.7),
    ({"kind": "ellipsoid", "centre_mm": [0, 0, -5], "semi_axes_mm": [8, 3, 1]}, 4 / 3 * np.pi * 24),
]


@pytest.mark.parametrize(("shape", "exact"), SHAPES, ids=lambda value: str(value)[:24])
def test_a_shape_in_the_domain_has_its_volume(shape: dict[str, Any], exact: float) -> None:
    assert _volumes(shape)["s0"] == pytest.approx(exact, rel=0.005)


def test_later_structures_and_the_needle_are_cut_out() -> None:
    found = _volumes(BALL, {**BALL, "radius_mm": 3.8})
    assert found["s0"] == pytest.approx(4 / 3 * np.pi * (64 - 3.8**3), rel=0.01)
    pierced = _volumes({**BALL, "centre_mm": [0, 0, 0]}, tip=(0, 0, -10))["s0"]
    rod = 4 / 3 * np.pi * (4**3 - (16 - 0.25) ** 1.5)
    assert pierced == pytest.approx(4 / 3 * np.pi * 64 - rod, rel=0.005)


def test_a_hidden_structure_has_no_volume() -> None:
    assert _volumes({**BALL, "radius_mm": 3.0}, BALL)["s0"] == 0.0


NAMES = sorted(folder.name for folder in CASES.iterdir() if (folder / "case.toml").is_file())


@pytest.mark.parametrize("name", NAMES)
def test_the_sizes_of_a_shipped_case_resolve_its_round_targets(name: str, tmp_path: Path) -> None:
    """Without the moves of `restore_volumes`, facets of the chosen edge would cut off at most 5 % near the tip."""
    case = load_shipped(CASES / name / "case.toml", tmp_path)
    if isinstance(case.domain, MeshDomain):
        return
    sizes = choose_sizes(case.domain, case.mesh, case.applicators, case.structures)
    for shape in case.structures:
        thin = shape.thinnest()
        if shape.role == "anatomy" or isinstance(shape, Label) or not shape.rounding() or thin is None:
            continue
        points = sample_points(shape, bounding_box(case.domain))
        tips = [np.linalg.norm(points - each.tip, axis=1).min() for each in case.applicators]
        if min(tips) < sizes.zone and case.mesh.size_structure is None:
            assert shape.rounding() * (sizes.structure[shape.name] / thin) ** 2 <= 0.05, shape.name
