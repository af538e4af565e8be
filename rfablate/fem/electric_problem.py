"""Electric potential for 1 V on the active tips.

    div( sigma grad phi ) = 0   in tissue,     phi = 1 on active tips,   phi = 0 on the return and on return tips,
    sigma grad phi . n = 0      elsewhere (insulated shaft, symmetry axis)

Quasi-static, RMS. With sigma constant over a step, phi is linear in the voltage: the potential is V phi, and

    G = integral sigma |grad phi|^2,    I = V G,    P = V^2 G,    q = V^2 sigma |grad phi|^2   [W/m3]
    I_k = V integral over electrode k of sigma grad phi . n,      n out of the tissue: out of an active tip I_k > 0

A thin contact layer between tip and tissue with the resistance `contact` rho_c [ohm m2] gives a Robin condition,

    sigma grad phi . n = (1 - phi) / rho_c on the tip,    G = integral sigma |grad phi|^2 + integral (1 - phi)^2 / rho_c

with phi in the tissue at the layer. The heat of the layer is added at surface nodes; the condition is lumped.
For anisotropic tissue the conductivity is the tensor sigma A of `fem.anisotropy`.
Metal is equipotential and excluded: its conductivity is zero here and its inner nodes are fixed.
With several channels, the field is solved for each group of electrodes and superposed (`fem.electrode_patterns`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray
from rfablate.errors import MeshError, SolveError
from rfablate.fem.coefficients import Coefficients
from rfablate.fem.conductor import ONE_ELECTRODE, Conductor, Electrodes
from rfablate.fem.electrode_patterns import electrode_groups, group_potentials
from rfablate.fem.wall_convection import facet_area
from rfablate.kernels.loader import call
from rfablate.linalg.engine import make_solver
from rfablate.linalg.linear_system import LinearSystem, SolverOptions
from rfablate.linalg.matrix import Matrix, Pattern
from rfablate.linalg.multigrid import CachedHierarchy, HierarchyMemory, VCycle
from rfablate.mesh.domain import Domain
from rfablate.mesh.facets import boundary_facets


@dataclass(frozen=True)
class UnitField:
    """The electric field for 1 V RMS and its integrals."""

    phi: FloatArray
    """Potential at this rank's nodes [1]."""
    conductance: float
    """G [S]"""
    load: FloatArray
    """Joule power of each owned node, zero at ghosts [W/V2]."""
    currents: tuple[float, ...] = ()
    """Current out of each electrode, then out of the remaining return [S]; the sum is 0. Empty for one electrode."""
    washed: float = 0.0
    """Joule power in flowing liquids, not added to nodes [W/V2]."""


@dataclass(frozen=True)
class PotentialMemory:
    """The solver state that is kept between steps."""

    conductance: tuple[float, ...]
    hierarchy: HierarchyMemory
    iterations: int
    kept: int = 0


class ElectricProblem:
    """The potential of the active electrodes relative to the return."""

    def __init__(
        self,
        domain: Domain,
        pattern: Pattern,
        conductor: Conductor,
        options: SolverOptions,
        on: Electrodes = ONE_ELECTRODE,
    ) -> None:
        """Set up the problem of the electrodes `on` a conductor; the tolerance in `options` is of G. Collective."""
        electrodes, contact = on.several, on.contact
        self._stiffness = domain.stencil.stiffness if conductor.stiffness is None else conductor.stiffness
        self._domain, self._linear_sigma = domain, conductor.linear_sigma
        self._flowing = domain.by_region({name: float(name in conductor.flowing) for name in domain.tag_of})
        in_tissue = domain.nodes_of_cells(conductor.cells[: len(domain.region)])
        self.groups = electrode_groups([each.roles for each in electrodes]) if electrodes else ((),)
        """Groups of electrodes with equal roles; without `electrodes` the active surface is the only group."""
        self._roles = [electrodes[group[0]].roles for group in self.groups] if electrodes else []
        tips = [each.tip & in_tissue for each in electrodes]
        groups = [np.logical_or.reduce([tips[number] for number in group]) for group in self.groups if group]
        groups = groups or [_surface(domain, "active") & in_tissue]
        bare = np.logical_or.reduce(tips or groups)
        without = bool(tips) and "return" not in domain.surface_nodes  # no outer return, only return tips
        returned = np.zeros_like(bare) if without else _surface(domain, "return") & in_tissue
        self._contact = tip_area(domain, conductor.cells, groups[0]) / contact if contact > 0.0 else None
        """Conductance of the contact layer at the owned nodes [S]."""
        layered = groups[0] & (contact > 0.0)
        self._fixed = (bare & ~layered) | returned | ~in_tissue
        self._tips = [*tips, returned & ~bare] if len(tips) > 1 else []
        self._values = [np.where(group | ~in_tissue, 1.0, 0.0) for group in groups]
        """Potential of the fixed nodes for 1 V on each group."""
        for value, members in zip(self._values, self.groups, strict=True):
            for number, each in enumerate(electrodes):
                value[each.metal & ~in_tissue] = float(number in members)
        self.matrix = Matrix(pattern)
        """Stiffness of sigma; `Pattern.assemble` computes it before each solve."""
        self._operator = Matrix(pattern, self.matrix)
        self.hierarchy = CachedHierarchy(domain.nodes, self.matrix, self._contact, coarse=options.coarse_levels)
        self.solver = make_solver(domain.nodes, self._operator, "potential", options)
        self._conductance = [0.0] * len(self.groups)
        self.kept = 0
        """Number of steps with extrapolated instead of solved potential."""

    def memory(self) -> PotentialMemory:
        """Return the data that `restore` requires."""
        return PotentialMemory(tuple(self._conductance), self.hierarchy.memory(), self.solver.iterations, self.kept)

    def restore(self, memory: PotentialMemory, assemble: Callable[[FloatArray], None]) -> None:
        """Restore a saved state; `assemble` computes the stiffness at a temperature. Collective."""
        self._conductance = list(memory.conductance)
        self.hierarchy.restore(memory.hierarchy, ~self._fixed[: self._domain.nodes.owned], assemble)
        self.solver.iterations, self.kept = memory.iterations, memory.kept

    def solve(self, coefficients: Coefficients, guess: FloatArray | None = None, group: int = 0) -> UnitField:
        """Return the field for 1 V on a group, with the sigma of the assembled matrix. Collective."""
        value = self._values[group]
        phi = np.where(self._fixed, value, value if guess is None else guess)
        inverse = self._inverse_diagonal()
        unit = self._solve_from(phi, inverse, coefficients, group)
        if self._conductance[group] == 0.0:  # the tolerance is relative to G, which the first solve gives
            self._conductance[group] = unit.conductance
            unit = self._solve_from(phi, inverse, coefficients, group)
        self._conductance[group] = unit.conductance
        return unit

    def channels(self, fields: Sequence[UnitField], coefficients: Coefficients) -> tuple[UnitField, ...]:
        """Return the unit field of each channel, from the fields of all groups. Collective."""
        if not self._roles:
            return tuple(fields)
        G = np.array([[sum(field.currents[e] for e in group) for field in fields] for group in self.groups])
        units = []
        for roles in zip(*self._roles, strict=True):
            w = group_potentials(roles, G)
            parts = [(share, field) for share, field in zip(w.tolist(), fields, strict=True) if share != 0.0]
            if len(parts) == 1:  # a single group
                units.append(parts[0][1])
            else:
                phi = np.sum([share * field.phi for share, field in parts], axis=0)
                units.append(self.unit(phi, coefficients))
        return tuple(units)

    def _inverse_diagonal(self) -> FloatArray:
        """Set the diagonal of the operator; return its inverse at the free owned nodes, 0 at others."""
        free, diagonal = ~self._fixed[: self._domain.nodes.owned], self._operator.diagonal
        diagonal[:] = self.matrix.diagonal + (0.0 if self._contact is None else self._contact)
        return np.divide(1.0, diagonal, out=np.zeros(len(free)), where=free & (diagonal > 0))

    def _solve_from(self, phi: FloatArray, inverse: FloatArray, coefficients: Coefficients, group: int) -> UnitField:
        reference = self._conductance[group] or float(self._domain.nodes.total_of(self._start_energy(phi))[0])
        cycle = self._cycle(inverse, 0.0 if self._contact is None else 1.0)
        used = self.solver.solve(phi, LinearSystem(self._contact, inverse, reference), cycle)
        if cycle is not None:
            self.hierarchy.note(used, self.solver.digits)
        return self.unit(phi, coefficients)

    def _cycle(self, inverse: FloatArray, w0: float = 0.0) -> VCycle | None:
        """Return the V-cycle of the free nodes; None if the engine has its own preconditioner. Collective."""
        return None if self.solver.own_preconditioner else self.hierarchy.get(inverse > 0.0, w0)

    def unit(self, phi: FloatArray, coefficients: Coefficients) -> UnitField:
        """Return the unit field for a given potential, with the current sigma. Collective.

        Raises:
            SolveError: the conductance is not positive.
        """
        load = self._load(phi, coefficients)
        conductance = float(self._domain.nodes.sum(load)[0])
        if not (np.isfinite(conductance) and conductance > 0.0):
            raise SolveError(
                f"found an electrode conductance of {conductance:g} S, expected above 0: no conducting tissue "
                "connects the active tip and the return; check sigma_S_per_m of the tissues"
            )
        currents = self.currents(phi)
        if not np.nansum(self._flowing):
            return UnitField(phi, conductance, load, currents)
        washed = self._load(phi, coefficients, self._flowing)
        return UnitField(phi, conductance, load - washed, currents, float(self._domain.nodes.sum(washed)[0]))

    def currents(self, phi: FloatArray) -> tuple[float, ...]:
        """Return the current out of each electrode, then out of the remaining return, for phi [A]. Collective.

        The current out of a fixed node is its row of the stiffness times phi; the rows sum to 0, so the currents do.
        """
        if not self._tips:
            return ()
        flow, owned = self.matrix.times(phi), self._domain.nodes.owned
        return tuple(self._domain.nodes.total_of(*(flow[each[:owned]].sum() for each in self._tips)).tolist())

    def conductances(self) -> FloatArray:
        """Return G_kl, the current out of electrode k for 1 V on electrode l and 0 V on all others [S]. Collective.

        The matrix requires several electrodes and uses the last assembled stiffness; it is symmetric (reciprocity).
        """
        inverse = self._inverse_diagonal()
        columns = []
        for tip in self._tips[:-1]:
            phi = np.where(tip, 1.0, 0.0)
            reference = self._conductance[0] or float(self._domain.nodes.total_of(self._start_energy(phi))[0])
            self.solver.solve(phi, LinearSystem(None, inverse, reference), self._cycle(inverse))
            columns.append(self.currents(phi)[:-1])
        return np.array(columns).T

    def _start_energy(self, phi: FloatArray) -> float:
        return float(phi[: self._domain.nodes.owned] @ self.matrix.times(phi))

    def _load(self, phi: FloatArray, coefficients: Coefficients, of_region: FloatArray | None = None) -> FloatArray:
        """Return the Joule power of 1 V at each node: all of it, or the fractions `of_region` of each region."""
        stencil, region, n = self._domain.stencil, self._domain.stencil_region, self._domain.nodes.local
        load, corners = np.zeros(n), stencil.cells.shape[1]
        sigma, values = coefficients.sigma.value, coefficients.values
        if of_region is not None:
            sigma, values = sigma * np.nan_to_num(of_region), values * of_region[region][:, None]
        if self._linear_sigma:
            call(
                "consistent_heat_of_nodes", len(stencil.cells), stencil.cells, region, self._stiffness, n,
                coefficients.factors, coefficients.sigma.law, sigma, phi, load,
            )  # fmt: skip
        else:
            call(
                "heat_of_nodes", len(stencil.cells), corners, stencil.cells, self._stiffness, stencil.ring_share,
                values, phi, load,
            )  # fmt: skip
        load[self._domain.nodes.owned :] = 0.0
        if self._contact is not None and of_region is None:
            owned = self._domain.nodes.owned
            load[:owned] += self._contact * (1.0 - phi[:owned]) ** 2
        return load

    def heating(self, phi: FloatArray, coefficients: Coefficients) -> FloatArray:
        """Return the Joule power of 1 V in each cell of this rank [W/V2], without that of a contact layer."""
        elements = self._domain.elements
        out = np.empty(len(elements.cells))
        call(
            "heat_of_cells", len(out), elements.cells.shape[1], elements.cells, self._stiffness, coefficients.values,
            phi, out,
        )  # fmt: skip
        return out


def _surface(domain: Domain, role: str) -> npt.NDArray[np.bool_]:
    """Return the nodes of the surface with this role. Collective."""
    if role not in domain.surface_nodes:
        raise MeshError(
            f"found no surface with the role '{role}', so no current can flow; surfaces: "
            f"{', '.join(domain.surface_nodes)}; give one the role '{role}', or set boundary.electric = \"return\""
        )
    marked = domain.surface_nodes[role]
    if domain.comm.allreduce(int(marked.any())) == 0:
        raise MeshError(f"found no nodes of surface '{role}' in the mesh")
    return marked


def tip_area(domain: Domain, conducting: npt.NDArray[np.bool_], active: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the integrals of N_i over the active surface at the owned nodes [m2]."""
    cells = domain.stencil.cells[conducting]
    near = cells[active[cells].any(axis=1)].astype(np.int64)
    facets = boundary_facets(near)
    return facet_area(domain, facets[active[facets].all(axis=1)])[: domain.nodes.owned]
