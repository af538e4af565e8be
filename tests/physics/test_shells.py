"""A bone with a cortical shell: two structures from one table, and the effect of the shell on the impedance."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from mpi4py import MPI

from rfablate.case.read.case_file import dump_case, parse_case
from rfablate.errors import CaseError
from rfablate.mesh.build import build_domain
from rfablate.physics.library import tissue
from rfablate.problem.problem import build_problem
from rfablate.toml import tomllib

BONE: dict[str, Any] = {
    "name": "bone",
    "kind": "sphere",
    "centre_mm": [0, 0, 0],
    "radius_mm": 8.0,
    "tissue": "cancellous_bone",
    "role": "target",
}
BASE: dict[str, Any] = {
    "domain": {"kind": "axisymmetric", "radius_mm": 30, "height_mm": 60, "tissue": "muscle"},
    "applicators": [{"model": "cannula-22g-5mm-blunt", "tip_mm": [0, 0, -2.5]}],
    "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
    "mesh": {"accuracy": "draft"},
}


def case(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(BASE), "structures": [{**BONE, **keys}]}


def test_a_shell_is_a_structure_around_its_core() -> None:
    parsed = parse_case(case(shell_mm=1.0))
    shell, core = parsed.structures
    assert (shell.name, shell.tissue, shell.role) == ("bone_shell", "cortical_bone", "anatomy")
    assert (core.name, core.tissue, core.role) == ("bone", "cancellous_bone", "target")
    assert shell.kind == core.kind == "sphere"
    assert (shell.radius, core.radius) == pytest.approx((8e-3, 7e-3))
    assert parse_case(tomllib.loads(dump_case(parsed))) == parsed


@pytest.mark.parametrize(
    ("keys", "size", "inner"),
    [
        ({"kind": "box", "size_mm": [10.0, 8.0, 6.0]}, "size", (8e-3, 6e-3, 4e-3)),
        ({"kind": "ellipsoid", "semi_axes_mm": [5.0, 4.0, 3.0]}, "semi_axes", (4e-3, 3e-3, 2e-3)),
        ({"kind": "cylinder", "start_mm": [0, 0, -9], "end_mm": [0, 0, 9], "diameter_mm": 8.0}, "diameter", 6e-3),
    ],
)
def test_every_closed_shape_has_a_shell(keys: dict[str, Any], size: str, inner: Any) -> None:
    table = {"name": "it", "tissue": "red_marrow", "centre_mm": [0, 0, 0], "shell_mm": 1.0, **keys}
    if keys["kind"] == "cylinder":
        del table["centre_mm"]
    data = {**copy.deepcopy(BASE), "domain": {**BASE["domain"], "kind": "cylinder"}, "structures": [table]}
    _, core = parse_case(data).structures
    assert getattr(core, size) == pytest.approx(inner)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"shell_mm": 9.0}, "less than 8 \\[mm\\]: the core must have a size above 0"),
        ({"shell_mm": "1 mm"}, "a number above 0"),
        ({"shell_mm": 1.0, "shell_tissue": "cortical_bon"}, 'did you mean "cortical_bone"'),
        ({"shel_mm": 1.0}, "did you mean shell_mm"),
        ({"kind": "half_space", "point_mm": [0, 0, -5], "normal": [0, 0, -1], "shell_mm": 1.0}, "as two structures"),
    ],
)
def test_a_shell_that_cannot_be_is_refused(keys: dict[str, Any], word: str) -> None:
    with pytest.raises(CaseError, match=word):
        parse_case(case(**keys))


def _impedance(data: dict[str, Any]) -> float:
    problem = build_problem(parsed := parse_case(data), build_domain(parsed, MPI.COMM_SELF))
    problem.solvers.assemble(np.full_like(problem.initial, 37.0))
    assert problem.solvers.electric is not None
    return 1.0 / problem.solvers.electric.solve(problem.solvers.coefficients).conductance


def test_the_shell_adds_the_resistance_of_a_layer_of_cortical_bone() -> None:
    """Far from the tip the current is that of a sphere: (1/s_cortical - 1/s_cancellous) (1/r1 - 1/r2) / 4 pi."""
    plain, shelled = _impedance(case()), _impedance(case(shell_mm=1.0))
    cortical, cancellous = tissue("cortical_bone").sigma, tissue("cancellous_bone").sigma
    layer = (1.0 / cortical - 1.0 / cancellous) * (1.0 / 7e-3 - 1.0 / 8e-3) / (4.0 * np.pi)
    print(f"{plain:.1f} ohm, with a shell of 1 mm {shelled:.1f} ohm; a layer of the sphere has {layer:.1f} ohm more")
    assert shelled - plain == pytest.approx(layer, rel=0.1)
