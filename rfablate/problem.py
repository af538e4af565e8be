"""From a case and its mesh to what the time loop solves: laws, fixed nodes, sensor, generator, step control."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from rfablate.case.device import device_materials
from rfablate.case.geometry import MeshDomain
from rfablate.case.load import case_tissues
from rfablate.case.schema import Case, ConstantPower, ConstantVoltage, SurfaceTemperature, TemperatureControl
from rfablate.errors import MeshError
from rfablate.fem.coefficients import Coefficients, region_law
from rfablate.fem.domain import Domain
from rfablate.fem.electric import ElectricProblem
from rfablate.fem.film import Film, make_film
from rfablate.fem.heat import HeatProblem
from rfablate.fem.locate import Probe, make_probe
from rfablate.fem.mass import ConsistentMass, LumpedMass, Mass
from rfablate.fem.matrix import Pattern
from rfablate.physics import generator as device
from rfablate.physics.damage import Arrhenius
from rfablate.physics.library import damage_set
from rfablate.physics.tissue import Tissue, linear_factor
from rfablate.stepping import StepControl

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


SENSOR_RING = np.sqrt(7.0 / 12.0)
"""Radius of six sensor points over the disc's: with the centre their plain mean is the disc's for a quadratic field."""


@dataclass(frozen=True)
class Surface:
    """Prescribed temperature of the active tip's surface while the generator is on."""

    nodes: BoolArray
    ramp: device.Ramp
    on: float
    """Time it is held [s]."""


@dataclass(frozen=True)
class Problem:
    """Everything the time loop needs and never changes."""

    domain: Domain
    pattern: Pattern
    electric: ElectricProblem | None
    heat: HeatProblem
    coefficients: Coefficients
    tissue_cells: BoolArray
    fixed: BoolArray
    """Nodes whose temperature is given throughout."""
    fixed_value: FloatArray
    sensor: Probe
    generator: device.Generator
    surface: Surface | None
    arrhenius: Arrhenius
    perfusion_stop_omega: float | None
    """Omega at which perfusion is gone; None: it never stops."""
    perfusion_fade: float
    initial: FloatArray
    """Temperature at the start [degC]."""
    control: StepControl
    tissue_of_region: dict[str, Tissue]

    def assemble(self, T: FloatArray) -> None:
        """Take the coefficients at nodal temperature T [degC] and assemble both stiffness matrices from them."""
        self.coefficients.update(T)
        electric = self.electric.matrix if self.electric is not None else None
        self.pattern.assemble(self.coefficients.values, electric, self.heat.stiffness)

    def alive(self, omega: FloatArray) -> FloatArray:
        """Return the fraction of perfusion left at each node: 1, falling to 0 as Omega reaches its limit."""
        stop = self.perfusion_stop_omega
        if stop is None:
            return np.ones_like(omega)
        if self.perfusion_fade == 0.0:
            return np.asarray(np.where(omega < stop, 1.0, 0.0))
        return np.clip((stop - omega) / (self.perfusion_fade * stop), 0.0, 1.0)


def region_tissues(case: Case) -> dict[str, Tissue]:
    """Return the tissue of every region name of the case's mesh."""
    library = case_tissues(case)
    if isinstance(case.domain, MeshDomain):
        return {region.name: library[region.tissue] for region in case.domain.regions}
    names = {"domain": case.domain.tissue}
    names.update({structure.name: structure.tissue for structure in case.structures})
    for applicator in case.applicators:
        names.update(device_materials(applicator))
    return {name: library[tissue] for name, tissue in names.items()}


def build_problem(case: Case, domain: Domain) -> Problem:
    """Return the problem of `case` on its distributed mesh. Collective."""
    tissues = {name: t for name, t in region_tissues(case).items() if name in domain.tag_of}
    missing = set(domain.tag_of) - set(tissues)
    if missing:
        raise MeshError(f"regions without a tissue: {', '.join(sorted(missing))}")
    pattern = Pattern(domain)
    device = set() if isinstance(case.domain, MeshDomain) else set().union(*map(device_materials, case.applicators))
    tissue_cells = domain.per_cell({name: float(t.is_metal or name in device) for name, t in tissues.items()}) == 0.0
    coefficients = _coefficients(domain, tissues)
    heat = HeatProblem(
        domain,
        pattern,
        _mass(case, domain, pattern, tissues),
        blood_temperature=case.body.blood_temperature,
        rtol=case.solver.heat_rtol,
        max_iterations=case.solver.max_iterations,
        film=_film(case, domain),
    )
    fixed, fixed_value = _fixed_temperatures(case, domain)
    generator, surface = _generator(case, domain)
    electric = None
    if surface is None:
        electric = ElectricProblem(
            domain,
            pattern,
            conducting=coefficients.sigma.value[domain.region] > 0.0,
            rtol=case.solver.potential_rtol,
            max_iterations=case.solver.max_iterations,
            consistent=case.solver.mass == "consistent",
        )
    damage = case.damage
    A, Ea, _ = damage_set(damage.set)
    return Problem(
        domain=domain,
        pattern=pattern,
        electric=electric,
        heat=heat,
        coefficients=coefficients,
        tissue_cells=tissue_cells,
        fixed=fixed,
        fixed_value=fixed_value,
        sensor=make_probe(domain, sensor_points(case), "temperature sensor"),
        generator=generator,
        surface=surface,
        arrhenius=Arrhenius(damage.A or A, damage.Ea or Ea),
        perfusion_stop_omega=damage.perfusion_stop_omega if damage.perfusion_stops else None,
        perfusion_fade=damage.perfusion_fade,
        initial=np.where(fixed, fixed_value, case.body.temperature),
        control=step_control(case),
        tissue_of_region=tissues,
    )


def _coefficients(domain: Domain, tissues: dict[str, Tissue]) -> Coefficients:
    """Return sigma, zero in metal, and k; tissues with the same law share it."""
    slopes = sorted({slope for t in tissues.values() for slope in (t.k_slope, t.sigma_slope)})
    number = {slope: i for i, slope in enumerate(slopes)}
    return Coefficients(
        domain,
        [partial(linear_factor, slope=slope) for slope in slopes],
        sigma=region_law(
            domain,
            {name: 0.0 if t.is_metal else t.sigma for name, t in tissues.items()},
            {name: number[t.sigma_slope] for name, t in tissues.items()},
        ),
        k=region_law(
            domain,
            {name: t.k for name, t in tissues.items()},
            {name: number[t.k_slope] for name, t in tissues.items()},
        ),
    )


def _mass(case: Case, domain: Domain, pattern: Pattern, tissues: dict[str, Tissue]) -> Mass:
    blood = case.body.blood_density * case.body.blood_heat_capacity
    capacity = domain.by_region({name: t.volumetric_heat_capacity for name, t in tissues.items()})
    perfusion = domain.by_region({name: t.perfusion * blood for name, t in tissues.items()})
    in_cells = capacity[domain.stencil_region], perfusion[domain.stencil_region]
    return (
        ConsistentMass(domain, pattern, *in_cells)
        if case.solver.mass == "consistent"
        else LumpedMass(domain, *in_cells)
    )


def step_control(case: Case) -> StepControl:
    """Return the step control the case asks for."""
    time = case.time
    return StepControl(
        tolerance=time.tolerance,
        first=time.first_step,
        minimum=time.min_step,
        maximum=time.max_step,
        fixed=time.step if time.stepping == "fixed" else None,
        order=time.order,
    )


def sensor_points(case: Case) -> FloatArray:
    """Return where the first applicator measures [m]: one point or a disc of seven; (r, z, 0) when axisymmetric."""
    applicator = case.applicators[0]
    direction = np.array(applicator.direction) / np.linalg.norm(applicator.direction)
    centre: FloatArray = np.array(applicator.tip) + applicator.sensor_offset * direction
    if is_axisymmetric(case):
        radii = [0.0] if applicator.sensor_radius == 0.0 else [0.0, *[SENSOR_RING * applicator.sensor_radius] * 6]
        return np.array([[radius, centre[2], 0.0] for radius in radii])
    if applicator.sensor_radius == 0.0:
        return centre[None]
    first = np.cross(direction, np.eye(3)[int(np.argmin(np.abs(direction)))])
    first /= np.linalg.norm(first)
    second = np.cross(direction, first)
    angles = np.arange(6) * np.pi / 3.0
    ring = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second)
    return np.concatenate([centre[None], centre + SENSOR_RING * applicator.sensor_radius * ring])


def is_axisymmetric(case: Case) -> bool:
    """Return whether the case is solved in the (r, z) half plane."""
    return case.domain.kind == "axisymmetric" or (isinstance(case.domain, MeshDomain) and case.domain.axisymmetric)


def _fixed_temperatures(case: Case, domain: Domain) -> tuple[BoolArray, FloatArray]:
    """Return which nodes hold a given temperature throughout, and the temperatures [degC]. Collective."""
    fixed = np.zeros(domain.nodes.local, dtype=bool)
    value = np.full(domain.nodes.local, case.body.temperature)
    if "body_temperature" in domain.surface_nodes:
        fixed |= domain.surface_nodes["body_temperature"]
    regions = case.domain.regions if isinstance(case.domain, MeshDomain) else case.structures
    for region in regions:
        if region.held is not None:
            inside = domain.nodes_of_cells(domain.cells_of(region.name))
            fixed |= inside
            value[inside] = region.held
    coolant = case.applicators[0].coolant
    if coolant is not None and coolant.h is None:
        fixed |= domain.surface_nodes["coolant"]
        value[domain.surface_nodes["coolant"]] = coolant.temperature
    return fixed, value


def _film(case: Case, domain: Domain) -> Film | None:
    """Return the coolant's film; None without, or where the coolant holds the wall's temperature. Collective."""
    coolant = case.applicators[0].coolant
    if coolant is None or coolant.h is None:
        return None
    return make_film(domain, "coolant", coolant.h, coolant.temperature)


def _generator(case: Case, domain: Domain) -> tuple[device.Generator, Surface | None]:
    g = case.generator
    start = case.body.temperature
    if isinstance(g, SurfaceTemperature):
        ramp = device.Ramp(start, g.target, g.ramp)
        on = g.ramp + g.hold
        off = device.Off(ramp.duration, on, g.cooldown)
        return off, Surface(domain.surface_nodes["active"], ramp, on)
    limits = device.Limits(g.max_power, g.max_voltage, g.max_current)
    if isinstance(g, ConstantPower):
        return device.ConstantPower(limits, g.duration, g.cooldown, g.power), None
    if isinstance(g, ConstantVoltage):
        return device.ConstantVoltage(limits, g.duration, g.cooldown, g.voltage), None
    return _temperature_control(g, limits, device.Ramp(start, g.target, g.ramp)), None


def _temperature_control(g: TemperatureControl, limits: device.Limits, ramp: device.Ramp) -> device.Generator:
    on = g.ramp + g.hold
    if g.control == "ideal":
        return device.IdealControl(limits, on, g.cooldown, ramp, g.horizon)
    if g.control == "sampled":
        return device.SampledControl(
            limits, on, g.cooldown, ramp, g.sampled_proportional, g.sampled_integral, g.sampled_start
        )
    return device.PIControl(limits, on, g.cooldown, ramp, g.proportional, g.integral)


def describe_mesh(domain: Domain) -> str:
    """Return what a mesh is made of: size, region volumes, surfaces. Collective."""
    volume = np.bincount(domain.region, domain.elements.volume, max(domain.region_names) + 1).astype(np.float64)
    volume = domain.nodes.total_of(*volume)
    kind = "axisymmetric" if domain.axisymmetric else "3-D"
    ranks = f"{domain.comm.size} rank{'s' if domain.comm.size > 1 else ''}"
    regions = ", ".join(f"{name} {volume[tag] * 1e9:.4g} mm3" for tag, name in domain.region_names.items())
    lines = [f"{kind} mesh of {domain.nodes.total} nodes and {domain.n_cells} cells on {ranks}", f"regions: {regions}"]
    return "\n".join([*lines, *domain.notes])


def describe(problem: Problem) -> str:
    """Return what the run is about to do, in a few lines. Collective."""
    tissues = ", ".join(f"{name} is {tissue.name}" for name, tissue in problem.tissue_of_region.items())
    generator = f"{type(problem.generator).__name__} for {problem.generator.end:g} s"
    return "\n".join([describe_mesh(problem.domain), tissues, generator])
