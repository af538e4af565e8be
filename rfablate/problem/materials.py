"""Material data for the solvers, from the tissues of a case: coefficients, heat capacity, blood flow, damage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rfablate.arrays import BoolArray, FloatArray
from rfablate.case.geometry.applicator_parts import device_materials
from rfablate.case.geometry.half_plane import half_plane_of
from rfablate.case.geometry.shapes import axis_at
from rfablate.case.read.case_file import case_tissues
from rfablate.case.resolve.structure_flow import bodies_of
from rfablate.case.tables.geometry_tables import Cylinder, MeshDomain, Tube
from rfablate.case.tables.schema import Case
from rfablate.fem.anisotropy import directed_stiffness
from rfablate.fem.boiling_water import BoilingWater
from rfablate.fem.coefficients import Coefficients, region_law
from rfablate.fem.mass_matrix import ConsistentMass, LumpedMass, Mass
from rfablate.fem.region_fractions import node_shares
from rfablate.linalg.matrix import Pattern
from rfablate.mesh.domain import Domain
from rfablate.physics.boiling import WATER
from rfablate.physics.damage import Arrhenius, Kinetics, Mixed
from rfablate.physics.injectate import Bolus, saline_sigma
from rfablate.physics.laws import Rising
from rfablate.physics.library import damage_set
from rfablate.physics.perfusion import BloodFlow
from rfablate.physics.tissue import Tissue
from rfablate.problem.extensions import NO_EXTENSIONS, Extensions


def region_tissues(case: Case, extensions: Extensions = NO_EXTENSIONS) -> dict[str, Tissue]:
    """Return the tissue of each region name of the mesh of a case."""
    own = {name: replace(tissue, name=name) for name, tissue in extensions.tissues.items()}
    library = {**case_tissues(case), **own}
    if isinstance(case.domain, MeshDomain):
        return {each.name: library[each.tissue] for each in bodies_of(case)}
    names = {"domain": case.domain.tissue}
    names.update({structure.name: structure.tissue for structure in case.structures})
    for applicator in case.applicators:
        names.update(device_materials(applicator))
    return {name: library[tissue] for name, tissue in names.items()}


def make_coefficients(domain: Domain, tissues: dict[str, Tissue]) -> Coefficients:
    """Return sigma (zero in metal) and k; tissues with equal laws share one law object."""
    laws = list(dict.fromkeys(law for t in tissues.values() for law in (t.k_law, t.sigma_law)))
    number = {law: i for i, law in enumerate(laws)}
    return Coefficients(
        domain,
        laws,
        sigma=region_law(
            domain,
            {name: 0.0 if t.is_metal else t.sigma for name, t in tissues.items()},
            {name: number[t.sigma_law] for name, t in tissues.items()},
        ),
        k=region_law(
            domain,
            {name: t.k for name, t in tissues.items()},
            {name: number[t.k_law] for name, t in tissues.items()},
        ),
    )


def make_directions(case: Case, domain: Domain, tissues: dict[str, Tissue]) -> FloatArray | None:
    """Return g_ij of the stencil for the potential; None if sigma is isotropic. Collective."""
    directed = [
        (each, each.sigma_along)
        for each in case.structures
        if isinstance(each, (Tube, Cylinder)) and each.sigma_along is not None and each.name in domain.tag_of
    ]
    if not directed:
        return None
    x = domain.x[domain.stencil.cells].mean(axis=1)
    ratio, direction = np.ones(len(x)), np.zeros((len(x), 3))
    for each, along in directed:
        own = np.flatnonzero(domain.stencil_region == domain.tag_of[each.name])
        ratio[own] = along / tissues[each.name].sigma
        direction[own] = np.array([0.0, 1.0, 0.0]) if domain.axisymmetric else axis_at(each, x[own])
    if domain.nodes.max_of(float(np.abs(ratio - 1.0).max(initial=0.0)))[0] == 0.0:
        return None
    return directed_stiffness(domain.x, domain.stencil, ratio, direction)


def inject(case: Case, domain: Domain, coefficients: Coefficients) -> None:
    """Multiply sigma by the factor of the injected saline."""
    if not case.injectates:
        return
    x = domain.x[domain.stencil.cells].mean(axis=1)
    sigma = coefficients.sigma.value[domain.stencil_region]
    factor, plane = np.ones(len(x)), half_plane_of(case)
    for each in case.injectates:
        centre = np.array([each.centre if each.centre is not None else case.applicators[0].tip])
        distance = np.linalg.norm(x - (centre if plane is None else plane.from_space(centre)), axis=1)
        factor *= Bolus(each.volume, each.spread, saline_sigma(each.NaCl)).factor(distance, sigma * factor)
    coefficients.sigma_factor = factor


def make_mass(case: Case, domain: Domain, pattern: Pattern, tissues: dict[str, Tissue]) -> Mass:
    """Return heat capacity and perfusion as a lumped or consistent mass matrix, as the case specifies."""
    blood = case.body.blood_density * case.body.blood_heat_capacity
    capacity = domain.by_region({name: t.volumetric_heat_capacity for name, t in tissues.items()})
    perfusion = domain.by_region({name: t.perfusion * blood for name, t in tissues.items()})
    in_cells = capacity[domain.stencil_region], perfusion[domain.stencil_region]
    return (
        ConsistentMass(domain, pattern, *in_cells)
        if case.solver.mass == "consistent"
        else LumpedMass(domain, *in_cells)
    )


def make_kinetics(
    case: Case, domain: Domain, tissues: dict[str, Tissue], extensions: Extensions = NO_EXTENSIONS
) -> Kinetics:
    """Return the damage kinetics: that of the case, or of each tissue where a tissue has its own. Collective."""
    damage = case.damage
    own = None if damage.A is None or damage.Ea is None else Arrhenius(damage.A, damage.Ea)
    groups: dict[Kinetics, list[str]] = {}
    for name, t in tissues.items():
        model: Kinetics | None = extensions.damage.get(t.name) or (own if t.damage_set is None else None)
        model = model or Arrhenius(*damage_set(t.damage_set or damage.set)[:2])
        if not _is_device(t):
            groups.setdefault(model, []).append(name)
    if len(groups) == 1:
        return next(iter(groups))
    weight = {name: 0.0 if _is_device(t) else 1.0 for name, t in tissues.items()}
    return Mixed(tuple(groups), node_shares(domain, weight, list(groups.values())))


def _is_device(t: Tissue) -> bool:
    """Return whether the material is metal or an electric insulator, in which there is no tissue damage."""
    return t.is_metal or t.sigma == 0.0


def make_blood_flow(case: Case, domain: Domain, tissues: dict[str, Tissue]) -> BloodFlow:
    """Return the dependence of perfusion on temperature and damage. Collective."""
    damage = case.damage
    stop = damage.perfusion_stop_omega if damage.perfusion_stops else None
    by_stasis = damage.perfusion_law == "stasis"
    rising = {name: t.perfusion_rise for name, t in tissues.items() if t.perfusion_rise > 1.0 and t.perfusion > 0.0}
    if not rising:
        return BloodFlow(stop, damage.perfusion_fade, by_stasis)
    mosts = sorted(set(rising.values()))
    groups = [[name for name in tissues if name not in rising]]
    groups += [[name for name, most in rising.items() if most == each] for each in mosts]
    shares = node_shares(domain, {name: t.perfusion for name, t in tissues.items()}, groups)
    return BloodFlow(stop, damage.perfusion_fade, by_stasis, tuple(Rising(most) for most in mosts), shares[1:])


def make_vapour(domain: Domain, tissues: dict[str, Tissue], mass: Mass, fixed: BoolArray) -> BoilingWater | None:
    """Return the latent heat of the nodes; None if no tissue contains water that boils."""
    if not any(t.water_fraction for t in tissues.values()):
        return None
    latent = domain.by_region({name: t.water_fraction * WATER for name, t in tissues.items()})
    return BoilingWater(domain, latent, mass.capacity, fixed)


def make_metabolic(domain: Domain, tissues: dict[str, Tissue]) -> FloatArray:
    """Return the metabolic heat of each owned node, zero at ghosts [W]."""
    q_m = domain.by_region({name: t.metabolic_heat for name, t in tissues.items()})
    heat = domain.stencil.to_nodes(q_m[domain.stencil_region], domain.nodes.local)
    heat[domain.nodes.owned :] = 0.0
    return heat
