"""The initial guess is the projection onto known fields in the energy norm, on any number of ranks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from mpi4py import MPI

from rfablate.evidence.structured_meshes import box
from rfablate.evidence.verification_problems import on_mesh
from rfablate.linalg.initial_guess import ProjectionSpace
from rfablate.linalg.matrix import Matrix, Pattern

pytestmark = pytest.mark.mpi

FloatArray = npt.NDArray[np.float64]


class Setting:
    """K + C of a cube with a fixed face, and smooth fields that vanish there."""

    def __init__(self, comm: MPI.Comm) -> None:
        line = np.linspace(0.0, 1.0, 8)
        self.domain = on_mesh(comm, lambda: box(line, line, line))
        pattern = Pattern(self.domain)
        self.matrix = Matrix(pattern)
        ones = np.ones((len(self.domain.stencil.cells), 2))
        pattern.assemble(ones, self.matrix, None)
        self.matrix.diagonal += 0.01
        self.owned = self.domain.nodes.owned

    def field(self, a: float, b: float) -> FloatArray:
        """Return a field, zero where x is 0."""
        x, y, _ = self.domain.x.T
        return np.asarray(x * np.exp(a * x) * np.cos(b * y))

    def energy(self, u: FloatArray, v: FloatArray) -> float:
        """Return u . A v."""
        return float(self.domain.nodes.total_of(float(u[: self.owned] @ self.matrix.times(v)))[0])


@pytest.fixture
def setting(comm: MPI.Comm) -> Setting:
    return Setting(comm)


def test_a_solution_among_the_sums_is_found(setting: Setting) -> None:
    fields = [setting.field(*numbers) for numbers in ((0.0, 1.0), (1.0, 2.0), (-1.0, 3.0))]
    x = 2.0 * fields[0] - 5.0 * fields[1] + 1e3 * fields[2]
    found = ProjectionSpace(setting.domain.nodes, setting.matrix, np.array(fields)).nearest(setting.matrix.times(x))
    assert found == pytest.approx(x, rel=1e-9, abs=1e-9 * np.abs(x).max())


def test_what_is_left_has_no_energy_along_any_field(setting: Setting) -> None:
    fields = [setting.field(*numbers) for numbers in ((0.0, 1.0), (1.0, 2.0))]
    x = setting.field(0.5, 2.5)
    left = x - ProjectionSpace(setting.domain.nodes, setting.matrix, np.array(fields)).nearest(setting.matrix.times(x))
    assert 0.001 < setting.energy(left, left) / setting.energy(x, x) < 0.9
    for field in fields:
        assert abs(setting.energy(left, field)) < 1e-10 * setting.energy(x, x)


def test_the_same_field_twice_and_none_do_no_harm(setting: Setting) -> None:
    field, x = setting.field(0.0, 1.0), setting.field(0.5, 2.5)
    r = setting.matrix.times(x)
    once = ProjectionSpace(setting.domain.nodes, setting.matrix, field[None]).nearest(r)
    again = ProjectionSpace(setting.domain.nodes, setting.matrix, np.outer([1.0, 1e-9, 0.0], field)).nearest(r)
    assert again == pytest.approx(once, rel=1e-9)
    assert (ProjectionSpace(setting.domain.nodes, setting.matrix, np.zeros((0, len(x)))).nearest(r) == 0.0).all()
