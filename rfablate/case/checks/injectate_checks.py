"""Checks of the injected fluid: volume against spread, position on the axis, and the lumped mass matrix."""

from __future__ import annotations

from collections.abc import Iterator

from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.errors import Fault
from rfablate.physics.injectate import least_spread


def injectate_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults of the injectates."""
    domain = parts.domain
    flat = domain is not None and (domain.kind == "axisymmetric" or (domain.kind == "mesh" and domain.axisymmetric))
    for where, each in parts.injectates:
        least = least_spread(each.volume)
        if each.spread < least:
            yield Fault(
                f"{where}.spread_mm",
                f"found {each.spread * 1e3:g} for {each.volume * 1e6:g} mL",
                f"at least {least * 1e3:.3g} [mm]: with a smaller spread the fluid fraction exceeds 1",
                "a larger spread or a smaller volume",
            )
        if flat and each.centre is not None and (each.centre[0] or each.centre[1]):
            expected = "a point on the axis: x = y = 0 in an axisymmetric case"
            yield Fault(f"{where}.centre_mm", f"found {[1e3 * x for x in each.centre]}", expected)
        if parts.solver is not None and parts.solver.mass == "consistent":
            yield Fault(where, 'found with solver.mass = "consistent"', 'solver.mass = "lumped"', "remove solver.mass")
