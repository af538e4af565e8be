"""The problem that the time loop solves, built from a case and its mesh."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.geometry.applicator_parts import device_materials, electrode_roles, electrode_surface
from rfablate.case.resolve.channel_setup import outputs_of
from rfablate.case.resolve.structure_flow import held_structures
from rfablate.case.tables.generator_tables import SurfaceTemperature
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import MeshError
from rfablate.fem.boiling_water import BoilingWater
from rfablate.fem.coefficients import Coefficients
from rfablate.fem.conductor import Conductor, Electrode, Electrodes
from rfablate.fem.electric_problem import ElectricProblem, PotentialMemory
from rfablate.fem.heat_problem import HeatMemory, HeatProblem, HeatSinks
from rfablate.fem.wall_convection import WallConvection, combine_convection, surface_convection
from rfablate.linalg.linear_system import SolverOptions
from rfablate.linalg.matrix import Pattern
from rfablate.mesh.domain import Domain
from rfablate.physics import generator as device
from rfablate.physics.cell_death import ThreeState
from rfablate.physics.damage import Kinetics
from rfablate.physics.perfusion import BloodFlow
from rfablate.physics.tissue import Tissue
from rfablate.problem.blood_vessels import Vessel, exclude_liquids, inside, vessels_of, wall_convections
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions
from rfablate.problem.generator_setup import case_channels
from rfablate.problem.materials import (
    inject,
    make_blood_flow,
    make_coefficients,
    make_directions,
    make_kinetics,
    make_mass,
    make_metabolic,
    make_vapour,
    region_tissues,
)
from rfablate.problem.sensors import Sensors, make_sensors
from rfablate.problem.step_control import StepControl


@dataclass(frozen=True)
class PrescribedSurface:
    """Prescribed surface temperature of the active tip while the generator is on."""

    nodes: BoolArray
    ramp: device.Ramp
    on: float
    """Duration of the prescribed temperature [s]."""


@dataclass(frozen=True)
class SolverMemory:
    """State of the solvers between steps; it affects the last digits of the solutions."""

    heat: HeatMemory
    electric: PotentialMemory | None


@dataclass(frozen=True)
class Solvers:
    """The part of a problem that solves change: matrices, hierarchies, initial guesses, coefficients at the last T.

    What changes here affects the next solution by its tolerance only; the state of a run is `solve.state.State`.
    """

    pattern: Pattern
    coefficients: Coefficients
    heat: HeatProblem
    electric: ElectricProblem | None
    """None if the surface temperature of the tip is prescribed."""
    vapour: BoilingWater | None
    """None if no tissue contains water that boils."""

    def assemble(self, T: FloatArray) -> None:
        """Update the coefficients to the nodal temperature T [degC] and assemble both stiffness matrices."""
        self.coefficients.update(T)
        electric = self.electric.matrix if self.electric is not None else None
        self.pattern.assemble(self.coefficients.values, electric, self.heat.stiffness)
        for matrix in (electric, self.heat.stiffness):
            if matrix is not None:
                matrix.at = T

    def memory(self) -> SolverMemory:
        """Return the solver state that `restore` requires."""
        return SolverMemory(self.heat.memory(), self.electric.memory() if self.electric is not None else None)

    def restore(self, memory: SolverMemory) -> None:
        """Restore the solvers to a saved state. Collective."""
        self.heat.restore(memory.heat, self.assemble)
        if self.electric is not None and memory.electric is not None:
            self.electric.restore(memory.electric, self.assemble)


@dataclass(frozen=True)
class Problem:
    """The discrete model of a case, which does not change during a run, and its solvers, which do."""

    domain: Domain
    solvers: Solvers
    tissue_cells: BoolArray
    fixed: BoolArray
    """Nodes with a temperature that is fixed for the whole treatment."""
    fixed_value: FloatArray
    sensors: Sensors
    generator: device.Channels
    surface: PrescribedSurface | None
    arrhenius: Kinetics
    cell_death: ThreeState | None
    """None if no lesion rule uses the three-state model."""
    blood_flow: BloodFlow
    metabolic: FloatArray
    """Metabolic heat of each owned node, zero at ghosts [W]."""
    metabolic_power: float
    """Metabolic heat of all ranks [W]."""
    initial: FloatArray
    """Initial temperature [degC]."""
    control: StepControl
    potential_change: float
    """Largest relative change of sigma for which the potential is extrapolated."""
    tissue_of_region: dict[str, Tissue]


def build_problem(case: Case, domain: Domain, extensions: Extensions = NO_EXTENSIONS) -> Problem:
    """Return the problem of `case` on its distributed mesh. Collective.

    Raises:
        MeshError: a region of the mesh has no tissue.
    """
    tissues = {name: t for name, t in region_tissues(case, extensions).items() if name in domain.tag_of}
    missing = set(domain.tag_of) - set(tissues)
    if missing:
        raise MeshError(f"found regions without a tissue: {', '.join(sorted(missing))}")
    pattern = Pattern(domain)
    parts = set() if isinstance(case.domain, MeshDomain) else set().union(*map(device_materials, case.applicators))
    tissue_cells = domain.per_cell({name: float(t.is_metal or name in parts) for name, t in tissues.items()}) == 0.0
    vessels = vessels_of(case, domain)
    thermal = exclude_liquids(tissues, vessels)
    coefficients = make_coefficients(domain, thermal)
    inject(case, domain, coefficients)
    walls = combine_convection([*_coolant(case, domain), *wall_convections(domain, vessels)])
    sinks, mass = HeatSinks(case.body.blood_temperature, walls), make_mass(case, domain, pattern, thermal)
    heat = HeatProblem(domain, pattern, mass, sinks, solver_options(case, case.solver.heat_rtol))
    fixed, fixed_value = _fixed_temperatures(case, domain, vessels)
    generator, surface = case_channels(case, extensions.generator), _surface(case, domain)
    electric = None
    if surface is None:
        directed = make_directions(case, domain, tissues)
        if directed is not None:
            pattern.direct(domain.stencil, directed)
        conductor = Conductor(
            cells=coefficients.sigma.value[domain.stencil_region] > 0.0,
            stiffness=directed,
            linear_sigma=case.solver.mass == "consistent",
            flowing=[each.name for each in vessels],
        )
        electrodes = Electrodes(_electrodes(case, domain), case.applicators[0].contact)
        options = solver_options(case, case.solver.potential_rtol)
        electric = ElectricProblem(domain, pattern, conductor, options, electrodes)
    metabolic = make_metabolic(domain, thermal)
    vapour = make_vapour(domain, thermal, heat.mass, fixed if surface is None else fixed | surface.nodes)
    return Problem(
        domain=domain,
        solvers=Solvers(pattern, coefficients, heat, electric, vapour),
        tissue_cells=tissue_cells,
        fixed=fixed,
        fixed_value=fixed_value,
        sensors=make_sensors(case, domain),
        generator=generator,
        surface=surface,
        arrhenius=make_kinetics(case, domain, tissues, extensions),
        cell_death=ThreeState() if any(rule.startswith("cell_death") for rule in case.lesion.rules) else None,
        blood_flow=make_blood_flow(case, domain, thermal),
        metabolic=metabolic,
        metabolic_power=float(domain.nodes.sum(metabolic)[0]),
        initial=np.where(fixed, fixed_value, case.body.temperature),
        control=step_control(case),
        potential_change=case.solver.potential_change,
        tissue_of_region=tissues,
    )


def solver_options(case: Case, rtol: float) -> SolverOptions:
    """Return the linear solver of a case with a relative tolerance."""
    solver = case.solver
    return SolverOptions(rtol, solver.max_iterations, solver.engine, solver.petsc_options, solver.coarse_levels)


def step_control(case: Case) -> StepControl:
    """Return the step control of a case."""
    time = case.time
    return StepControl(
        tolerance=time.tolerance,
        first=time.first_step,
        minimum=time.min_step,
        maximum=time.max_step,
        fixed=time.step if time.stepping == "fixed" else None,
        order=time.order,
    )


def _fixed_temperatures(case: Case, domain: Domain, vessels: tuple[Vessel, ...]) -> tuple[BoolArray, FloatArray]:
    """Return which nodes have a fixed temperature, and these temperatures [degC]. Collective."""
    fixed = np.zeros(domain.nodes.local, dtype=bool)
    value = np.full(domain.nodes.local, case.body.temperature)
    if "body_temperature" in domain.surface_nodes:
        fixed |= domain.surface_nodes["body_temperature"]
    given = [(domain.nodes_of_cells(domain.cells_of(name)), T) for name, T in held_structures(case).items()]
    for nodes, temperature in [*given, *(inside(domain, vessels) if vessels else [])]:
        fixed |= nodes
        value[nodes] = temperature
    coolant = case.applicators[0].coolant
    if coolant is not None and coolant.h is None:
        fixed |= domain.surface_nodes["coolant"]
        value[domain.surface_nodes["coolant"]] = coolant.temperature
    return fixed, value


def _electrodes(case: Case, domain: Domain) -> list[Electrode]:
    """Return the electrodes of a case with several electrodes; empty for a single one. Collective."""
    roles = electrode_roles(case.applicators)
    if len(roles) == 1:
        return []
    outputs = outputs_of(case.applicators, case.channels, case.generator)
    regions: dict[str, Collection[str]] = {each.name: device_materials(each) for each in case.applicators}
    return [
        Electrode(
            domain.surface_nodes[electrode_surface(name)],
            domain.nodes_of_cells(domain.cells_of(*regions.get(name, [name]))),
            tuple(each.roles[number] for each in outputs),
        )
        for number, name in enumerate(roles)
    ]


def _coolant(case: Case, domain: Domain) -> list[WallConvection]:
    """Return the coolant's convection condition; empty without one, or if the wall temperature is fixed. Collective."""
    coolant = case.applicators[0].coolant
    if coolant is None or coolant.h is None:
        return []
    return [surface_convection(domain, "coolant", coolant.h, coolant.temperature)]


def _surface(case: Case, domain: Domain) -> PrescribedSurface | None:
    g = case.generator
    if not isinstance(g, SurfaceTemperature):
        return None
    ramp = device.Ramp(case.body.temperature, g.target, g.ramp)
    return PrescribedSurface(domain.surface_nodes["active"], ramp, g.ramp + g.hold)


def without_guard(problem: Problem) -> device.Generator:
    """Return the generator of the first channel without its impedance guard."""
    first = problem.generator.generators[0]
    return first.generator if isinstance(first, device.ImpedanceGuard) else first


def describe_mesh(domain: Domain) -> str:
    """Return a summary of a mesh: size, region volumes, notes. Collective."""
    volume = np.bincount(domain.region, domain.elements.volume, max(domain.region_names) + 1).astype(np.float64)
    volume = domain.nodes.total_of(*volume)
    kind = "axisymmetric" if domain.axisymmetric else "3-D"
    ranks = f"{domain.comm.size} rank{'s' if domain.comm.size > 1 else ''}"
    regions = ", ".join(f"{name} {volume[tag] * 1e9:.4g} mm3" for tag, name in domain.region_names.items())
    lines = [f"{kind} mesh of {domain.nodes.total} nodes and {domain.n_cells} cells on {ranks}", f"regions: {regions}"]
    return "\n".join([*lines, *domain.remarks, *domain.notes])


def describe(problem: Problem) -> str:
    """Return a summary of the problem in a few lines. Collective."""
    tissues = ", ".join(f"{name} is {tissue.name}" for name, tissue in problem.tissue_of_region.items())
    count = len(problem.generator.generators)
    directed = ["sigma is anisotropic: its matrix is assembled separately from that of k"]
    petsc = ["linear systems are solved by PETSc"] if problem.solvers.heat.solver.own_preconditioner else []
    channels = "" if count == 1 else f", {count} channels"
    lines = [describe_mesh(problem.domain), tissues, *(directed if problem.solvers.pattern.directed else []), *petsc]
    return "\n".join([*lines, f"treatment of {problem.generator.end:g} s{channels}"])
