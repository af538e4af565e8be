"""Electric problem for 1 V on the active tip.

    div( sigma grad phi ) = 0   in tissue,     phi = 1 on the active tip,   phi = 0 on the return,
    sigma grad phi . n = 0      elsewhere (insulated shaft, symmetry axis)

Quasi-static, RMS. With sigma frozen over a step phi is linear in the voltage: the potential is V phi, and

    G = integral sigma |grad phi|^2,    I = V G,    P = V^2 G,    q = V^2 sigma |grad phi|^2   [W/m3]

Metal is equipotential and no part of the problem: its conductivity is zero here and its inner nodes are fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.errors import MeshError, SolveError
from rfablate.fem.domain import Domain
from rfablate.fem.linear import ConjugateGradients
from rfablate.fem.matrix import Matrix, Pattern

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UnitField:
    """What 1 V RMS does."""

    phi: FloatArray
    """Potential at this rank's nodes [1]."""
    conductance: float
    """G [S]"""
    heating: FloatArray
    """Joule power of each of this rank's cells [W/V2]."""
    load: FloatArray
    """Joule power that goes to each node, complete on ghosts too [W/V2]."""


class ElectricProblem:
    """The potential of one electrode against the return."""

    def __init__(
        self,
        domain: Domain,
        pattern: Pattern,
        *,
        conducting: npt.NDArray[np.bool_],
        rtol: float,
        max_iterations: int,
    ) -> None:
        """Prepare the solve; `conducting` marks the cells of tissue. Collective."""
        self._domain, self._pattern = domain, pattern
        in_tissue = domain.nodes_of_cells(conducting)
        active = _surface(domain, "active") & in_tissue
        returned = _surface(domain, "return") & in_tissue
        self._fixed = active | returned | ~in_tissue
        self._value = np.where(active | ~in_tissue, 1.0, 0.0)
        self._matrix = Matrix(domain, pattern)
        self.solver = ConjugateGradients(
            self._matrix.petsc,
            what="potential",
            preconditioner="multigrid",
            rtol=rtol,
            max_iterations=max_iterations,
        )

    def solve(self, sigma: FloatArray, guess: FloatArray | None = None) -> UnitField:
        """Return the unit field for one conductivity a cell [S/m], zero in metal. Collective."""
        domain, pattern = self._domain, self._pattern
        nodes = domain.nodes
        edge_values = pattern.edge_values(sigma)
        self._matrix.fill(edge_values, None, self._fixed)
        b = nodes.accumulate(pattern.lift(edge_values, self._fixed, self._value))
        # fixed nodes stay out of the right-hand side: the solver's tolerance is relative to its norm
        b[self._fixed] = 0.0
        start = np.where(self._fixed, 0.0, 0.0 if guess is None else guess)
        phi = np.zeros(nodes.local)
        phi[: nodes.owned] = self.solver.solve(b[: nodes.owned], start[: nodes.owned])
        nodes.update_ghosts(phi)
        phi[self._fixed] = self._value[self._fixed]
        heating = sigma * domain.elements.dirichlet_energy(phi)
        volume = domain.elements.volume
        load = nodes.accumulate(domain.elements.to_nodes(heating / volume, nodes.local))
        conductance = float(nodes.total_of(float(heating.sum()))[0])
        if not (np.isfinite(conductance) and conductance > 0.0):
            raise SolveError(
                f"the electrode's conductance is {conductance:g} S, expected a positive number: the active tip and the "
                "return are not joined by conducting tissue; look at the tissues' sigma_S_per_m"
            )
        return UnitField(phi, conductance, heating, load)


def _surface(domain: Domain, role: str) -> npt.NDArray[np.bool_]:
    """Return the nodes of the surface with this role, which must touch conducting tissue. Collective."""
    if role not in domain.surface_nodes:
        raise MeshError(
            f"no surface is the {role} electrode, so no current can flow; surfaces: "
            f"{', '.join(domain.surface_nodes)}; give one the role '{role}', or set boundary.electric = \"return\""
        )
    marked = domain.surface_nodes[role]
    if domain.comm.allreduce(int(marked.any())) == 0:
        raise MeshError(f"surface '{role}' has no nodes in the mesh")
    return marked
