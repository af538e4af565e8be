"""Heat transfer between a vessel wall and the liquid that flows in the vessel.

    h = Nu k / D        Re = rho v D / mu        Pr = mu c / k        Gz = Re Pr D / L

D inner (or hydraulic) diameter of the vessel, L heated length of its wall, v mean velocity.

    Re <= 2300   Nu = (3.66^3 + 0.7^3 + (1.615 Gz^(1/3) - 0.7)^3)^(1/3)
    Re >= 4000   Nu = (f/8)(Re - 1000) Pr / (1 + 12.7 (f/8)^(1/2) (Pr^(2/3) - 1)),    f = (0.79 ln Re - 1.64)^-2
    between      linear interpolation in Re

Laminar: VDI Heat Atlas, 2nd ed. 2010, section G1, mean over L for a developed velocity profile at the start of the
heated wall; within 2 % of the Graetz solution. Turbulent: Gnielinski, Int Chem Eng 1976;16:359, with the friction
factor of Petukhov 1970. Transition: Gnielinski, Int J Heat Mass Transfer 2013;63:134. All are from memory, not verified
against the sources; the turbulent formula was compared with that of another program.
Valid for a smooth, straight, isothermal wall and a Newtonian liquid in steady flow; pulsation is neglected. One h for a
whole vessel is adequate for ablations of more than one or two minutes: dos Santos 2008, Biomed Eng Online 7:21.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

LAMINAR, TURBULENT = 2300.0, 4000.0
"""Reynolds numbers below which the flow is laminar and above which it is turbulent."""
HIGHEST = 5e6
"""Highest Reynolds number for which Gnielinski's formula was fitted."""


@dataclass(frozen=True)
class TubeFlow:
    """A steady flow along a heated wall."""

    velocity: float
    """Mean velocity over the cross section [m/s], above 0."""
    diameter: float
    """[m]"""
    length: float
    """Length of the heated wall [m]."""
    k: float
    """Thermal conductivity of the liquid [W/(m K)]."""
    heat_capacity: float
    """Volumetric heat capacity of the liquid, rho c [J/(m3 K)]."""
    density: float
    """[kg/m3]"""
    viscosity: float
    """Dynamic viscosity [Pa s]."""

    @property
    def reynolds(self) -> float:
        """Re [1]."""
        return self.density * self.velocity * self.diameter / self.viscosity

    @property
    def prandtl(self) -> float:
        """Pr [1]."""
        return self.viscosity * self.heat_capacity / (self.density * self.k)

    @property
    def nusselt(self) -> float:
        """Nu [1]."""
        return nusselt(self.reynolds, self.prandtl, self.diameter / self.length)

    @property
    def h(self) -> float:
        """Heat transfer coefficient [W/(m2 K)]."""
        return self.nusselt * self.k / self.diameter


def nusselt(Re: float, Pr: float, slenderness: float) -> float:
    """Return the mean Nusselt number for D / L = `slenderness`; see the module docstring."""
    if Re <= LAMINAR:
        return laminar(Re * Pr * slenderness)
    if Re >= TURBULENT:
        return gnielinski(Re, Pr)
    part = (Re - LAMINAR) / (TURBULENT - LAMINAR)
    return (1.0 - part) * laminar(LAMINAR * Pr * slenderness) + part * gnielinski(TURBULENT, Pr)


def laminar(Gz: float) -> float:
    """Return the mean Nusselt number of laminar flow at the Graetz number `Gz`."""
    entry = max(1.615 * Gz ** (1.0 / 3.0) - 0.7, 0.0)
    return float((3.66**3 + 0.7**3 + entry**3) ** (1.0 / 3.0))


def gnielinski(Re: float, Pr: float, f: float | None = None) -> float:
    """Return the Nusselt number of turbulent flow; `f` is the Darcy friction factor, by default of a smooth wall."""
    eighth = (petukhov(Re) if f is None else f) / 8.0
    return float(eighth * (Re - 1000.0) * Pr / (1.0 + 12.7 * eighth**0.5 * (Pr ** (2.0 / 3.0) - 1.0)))


def petukhov(Re: float) -> float:
    """Return the Darcy friction factor of a smooth wall."""
    return (0.79 * log(Re) - 1.64) ** -2
