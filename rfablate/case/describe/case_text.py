"""Description of a case as text and tables, printed by `rfablate check` without a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rfablate.case.describe.applicator_text import describe_applicator
from rfablate.case.describe.channel_text import describe_channels, describe_electrodes
from rfablate.case.describe.generator_text import describe_generator
from rfablate.case.describe.label_text import LABEL_HEAD, image_texts, label_rows
from rfablate.case.describe.surface_text import SURFACE_HEAD, surface_rows
from rfablate.case.geometry.run_size import estimated_size
from rfablate.case.resolve.structure_flow import bodies_of, held_at, liquid_temperature, tube_flow
from rfablate.case.resolve.tissues import case_tissues
from rfablate.case.tables.geometry_tables import (
    AxisymmetricDomain,
    BoxDomain,
    Cylinder,
    Domain,
    Label,
    MeshDomain,
    MeshRegion,
    Structure,
    Tube,
)
from rfablate.case.tables.liquids import Injectate
from rfablate.case.tables.schema import BodyTable, Case
from rfablate.case.tables.units import in_mm
from rfablate.physics.injectate import Bolus, saline_sigma
from rfablate.physics.laws import Drying, Rising
from rfablate.physics.library import damage_set, tissue_entry, tissue_names
from rfablate.physics.perfusion import in_all_units, per_mass
from rfablate.physics.tissue import Tissue


def describe_case(case: Case) -> str:
    """Return a page that describes what a run of the case would simulate, in clinical units."""
    pairs = [
        ("domain", _domain(case)),
        *(("start", line) for line in _start(case)),
        *(("cannula", line) for each in case.applicators for line in describe_applicator(each)),
        *(("electrodes", line) for line in describe_electrodes(case)),
        *(("generator", line) for line in describe_generator(case.generator)),
        *(("channels", line) for line in describe_channels(case)),
        *(("injectate", _injectate(each)) for each in case.injectates),
        ("body", _body(case)),
        ("lesion", _lesion(case)),
        ("numerics", _numerics(case)),
        *(("size", line) for line in _size(case)),
    ]
    lines = [case.title, ""]
    shown = ""
    for head, text in pairs:
        lines.append(f"  {'' if head == shown else head:<10} {text}")
        shown = head
    bodies = bodies_of(case)
    if bodies:
        rows = _structure_rows(bodies, case_tissues(case), case.body)
        lines += [
            "",
            *_indent(format_table(rows, "structure kind tissue role requirements".split())),
        ]
    if any(isinstance(each, Label) for each in case.structures):
        lines += ["", *_indent([*image_texts(case), *format_table(label_rows(case), LABEL_HEAD)])]
    if rows := surface_rows(case):
        lines += ["", *_indent(format_table(rows, SURFACE_HEAD))]
    tissues = list(case_tissues(case).values())
    lines += ["", *_indent(tissue_table(tissues)), "", *_indent(tissue_laws(tissues, case.body.blood_density))]
    lines += ["", *_indent(tissue_sources(tissues))]
    return "\n".join(lines)


def _start(case: Case) -> list[str]:
    if case.start_from is None:
        return []
    how = "cooled to body temperature" if case.cooled else "at its final temperature"
    return [f"from the tissue of {case.start_from}, {how}"]


def format_table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> list[str]:
    """Return the lines of a table whose columns are as wide as their longest cell, with `head` as the first row."""
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return [lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]]


def tissue_table(tissues: Sequence[Tissue]) -> list[str]:
    """Return the lines of a table of tissue constants at 37 degC, with perfusion in two units."""
    head = ["tissue", "sigma S/m", "k W/mK", "rho kg/m3", "c J/kgK", "perfusion mL/min/kg = 1/s", "checked"]
    rows = [
        [
            each.name,
            _sigma(each),
            f"{each.k:g}",
            f"{each.density:g}",
            f"{each.heat_capacity:g}",
            f"{per_mass(each.perfusion, each.density):.4g} = {each.perfusion:.3g}" if each.perfusion else "0",
            "yes" if each.checked else "no",
        ]
        for each in tissues
    ]
    return format_table(rows, head)


def tissue_laws(tissues: Sequence[Tissue], blood_density: float) -> list[str]:
    """Return the temperature laws of each tissue, and its perfusion in all units.

    Args:
        tissues: the tissues of the case.
        blood_density: density of blood, for the conversion of perfusion [kg/m3].
    """
    lines = []
    for each in tissues:
        laws = [] if each.is_metal else [f"sigma {each.sigma_law}", f"k {each.k_law}"]
        if each.perfusion:
            laws.append(f"perfusion {in_all_units(each.perfusion, each.density, blood_density)}")
        if each.perfusion_rise > 1.0:
            laws.append(f"perfusion {Rising(each.perfusion_rise)}")
        if each.metabolic_heat:
            laws.append(f"metabolic heat {each.metabolic_heat:g} W/m3")
        if each.water_fraction:
            dries = "; sigma decreases as water evaporates" if isinstance(each.sigma_law, Drying) else ""
            laws.append(f"water {100 * each.water_fraction:g} %, boils at 100 degC{dries}")
        if each.damage_set is not None:
            laws.append(f"damage set {each.damage_set}")
        lines += [f"{each.name:<18} {laws[0]}", *(f"{'':<18} {line}" for line in laws[1:])] if laws else []
    return lines


def tissue_sources(tissues: Sequence[Tissue]) -> list[str]:
    """Return one line per tissue with the source of its constants."""
    width = max((len(each.name) for each in tissues), default=0)
    return [f"{each.name:<{width}}  {each.source}" for each in tissues]


def _sigma(each: Tissue) -> str:
    if each.is_metal:
        return "metal"
    known = tissue_entry(each.name) if each.name in tissue_names() else None
    if known is not None and known.sigma_range is not None and known.tissue.sigma == each.sigma:
        low, high = known.sigma_range
        return f"{each.sigma:g} ({low:g} to {high:g})"
    return f"{each.sigma:g}"


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _domain(case: Case) -> str:
    edges = {"return": "return electrode", "insulated": "electrically insulated"}[case.boundary.electric]
    walls = {
        "fixed_temperature": f"held at {case.body.temperature:g} degC",
        "insulated": "thermally insulated",
    }[case.boundary.thermal]
    return _block(case.domain) + ("" if isinstance(case.domain, MeshDomain) else f"; outer surface {walls}, {edges}")


def _block(domain: Domain) -> str:
    match domain:
        case MeshDomain():
            dimension = "axisymmetric (r, z)" if domain.axisymmetric else "3-D"
            return f"mesh {domain.file}, {dimension}, lengths in {domain.length_unit}"
        case BoxDomain():
            return f"3-D, box {in_mm(*domain.size)} of {domain.tissue} around {in_mm(*domain.centre)}"
    dimension = "axisymmetric" if isinstance(domain, AxisymmetricDomain) else "3-D"
    size = f"radius {in_mm(domain.radius)}, height {in_mm(domain.height)}"
    return f"{dimension}, cylinder of {domain.tissue}, {size}, around {in_mm(*domain.centre)}"


def _injectate(each: Injectate) -> str:
    sigma = saline_sigma(each.NaCl)
    bolus = Bolus(each.volume, each.spread, sigma)
    where = "the tip" if each.centre is None else in_mm(*each.centre)
    return (
        f"{each.volume * 1e6:g} mL of {each.NaCl:g} % NaCl ({sigma:.3g} S/m at 37 degC) about {where}, "
        f"spread {in_mm(each.spread)}: {100 * bolus.peak:.0f} % fluid at the centre"
    )


def _body(case: Case) -> str:
    body = case.body
    blood = f"{body.blood_density:g} kg/m3, {body.blood_heat_capacity:g} J/kgK"
    return f"starts at {body.temperature:g} degC; blood at {body.blood_temperature:g} degC, {blood}"


def _lesion(case: Case) -> str:
    damage = case.damage
    own = damage.A is not None and damage.Ea is not None
    A, Ea = (damage.A, damage.Ea) if own else damage_set(damage.set)[:2]
    name = "parameters of the case" if own else f"set {damage.set}"
    stops = "perfusion remains"
    if damage.perfusion_stops:
        at = f"at Omega = {damage.perfusion_stop_omega:g}"
        stops = "perfusion stops " + (at if damage.perfusion_law == "fade" else "with the degree of stasis")
    rules = ", ".join(case.lesion.rules)
    decides = case.lesion.verdict_rule or case.lesion.rules[0]
    return f"{rules} (verdict by {decides}); Arrhenius {name}: A {A:.4g} 1/s, Ea {Ea:.4g} J/mol; {stops}"


def _size(case: Case) -> list[str]:
    size = estimated_size(case)
    return [] if size is None else [size.text()]


def _numerics(case: Case) -> str:
    time = case.time
    steps = (
        f"steps of {time.step:g} s"
        if time.stepping == "fixed"
        else f"adaptive steps, error {time.tolerance:g} K per step"
    )
    wanted = case.mesh.width_percent
    refined = f", refined until the error bar of the width is at most {wanted:g} %" if wanted is not None else ""
    return f"mesh {case.mesh.accuracy}{refined}; {steps}"


def _structure_rows(
    bodies: Sequence[Structure | MeshRegion], tissues: Mapping[str, Tissue], body: BodyTable
) -> list[list[str]]:
    rows = []
    for each in bodies:
        required = []
        if each.role == "target":
            required.append(f"{100 * each.required_fraction:g} % covered")
        if each.role == "protect" and each.limit is not None:
            required.append(f"at most {each.limit:g} degC")
        if held_at(each) is not None:
            required.append(f"held at {held_at(each):g} degC")
        flow = tube_flow(each, tissues[each.tissue])
        if flow is not None:
            required.append(
                f"flows at {flow.velocity:g} m/s and {liquid_temperature(each, body):g} degC: Re {flow.reynolds:.3g}, "
                f"Nu {flow.nusselt:.3g}, h {flow.h:.3g} W/(m2 K)"
            )
        if isinstance(each, (Tube, Cylinder)) and each.sigma_along is not None:
            required.append(f"sigma {each.sigma_along:g} S/m along the axis, {tissues[each.tissue].sigma:g} across")
        kind = f"tag {each.tag}" if isinstance(each, MeshRegion) else each.text()
        rows.append([each.name, kind, each.tissue, each.role, ", ".join(required)])
    return rows
