"""All checks of a case beyond its schema: faults that prevent a run, and warnings that do not."""

from __future__ import annotations

from dataclasses import replace

from rfablate.case.checks.axisymmetric_checks import axisymmetric_faults
from rfablate.case.checks.channel_checks import channel_faults, channel_warnings
from rfablate.case.checks.electrode_checks import electrode_faults
from rfablate.case.checks.generator_checks import hot_warnings
from rfablate.case.checks.geometry_checks import degenerate_faults, geometry_faults, partly_outside, size_faults
from rfablate.case.checks.injectate_checks import injectate_faults
from rfablate.case.checks.label_checks import is_readable, label_faults, label_warnings
from rfablate.case.checks.plausibility_checks import plausible_faults, plausible_warnings
from rfablate.case.checks.prior_treatment_checks import start_faults
from rfablate.case.checks.protocol_checks import cell_death_warnings, protocol_faults
from rfablate.case.checks.resource_checks import resource_faults
from rfablate.case.checks.structure_checks import limit_warnings, structure_faults
from rfablate.case.checks.surface_checks import is_usable, surface_faults, surface_warnings
from rfablate.case.checks.user_mesh_checks import mesh_faults
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.resolve.tissues import known_tissues, tissue_faults, unused_tissues
from rfablate.case.tables.geometry_tables import AxisymmetricDomain, Label, MeshDomain, Structure, Surface
from rfablate.case.tables.schema import Case
from rfablate.errors import Fault


def check_case(case: Case) -> list[Fault]:
    """Return the faults of a case that its schema does not detect; empty for a case that can be run."""
    return check_parts(CheckableCase.of(case))


def check_parts(parts: CheckableCase) -> list[Fault]:
    """Return the faults of the valid parts of a case."""
    faults = [*tissue_faults(parts), *injectate_faults(parts), *plausible_faults(parts)]
    faults += [*label_faults(parts), *surface_faults(parts)]
    faults += [*structure_faults(parts), *protocol_faults(parts), *start_faults(parts), *channel_faults(parts)]
    domain = parts.domain
    parts = replace(parts, structures=tuple(placed for placed in parts.structures if _has_shape(placed.shape)))
    if isinstance(domain, MeshDomain):
        return [*faults, *degenerate_faults(parts), *size_faults(parts), *mesh_faults(parts, domain)]
    degenerate = list(degenerate_faults(parts))
    faults += degenerate
    faults += size_faults(parts)
    if not degenerate:
        faults += resource_faults(parts)
    if domain is not None:
        faults += geometry_faults(parts, domain)
        faults += electrode_faults(parts, domain)
    if isinstance(domain, AxisymmetricDomain):
        faults += axisymmetric_faults(parts, domain)
    return faults


def _has_shape(shape: Structure) -> bool:
    """Return whether a structure's file, if it has one, can be used, or its object, if it is one, has been passed."""
    if isinstance(shape, Label):
        return is_readable(shape)
    return is_usable(shape) if isinstance(shape, Surface) else shape.has_shape


def case_warnings(case: Case) -> list[str]:
    """Return the warnings for a valid case, one line each."""
    parts = CheckableCase.of(case)
    warnings = [*hot_warnings(parts), *limit_warnings(parts), *cell_death_warnings(parts), *plausible_warnings(parts)]
    warnings += [*channel_warnings(parts), *label_warnings(parts), *surface_warnings(parts)]
    for name in unused_tissues(parts):
        warnings.append(f"tissues.{name}: not used in the case")
    tissues = known_tissues(parts)
    for placed in parts.structures:
        if tissues[placed.shape.tissue].is_metal:
            warnings.append(f"{placed.where}: metal conducts heat only; it is electrically insulated in the model")
    if not isinstance(case.domain, MeshDomain):
        warnings += partly_outside(parts, case.domain)
        for where, applicator in parts.applicators:
            if applicator.sensor_offset > applicator.active_tip:
                warnings.append(
                    f"{where}.sensor_offset_mm: the sensor is inside the insulated shaft, beyond the active tip"
                )
    return warnings
