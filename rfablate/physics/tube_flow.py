"""Heat transfer between the wall of a vessel and the liquid that flows in it.

    h = Nu k / D        Re = rho v D / mu        Pr = mu c / k        Gz = Re Pr D / L

D the vessel's inner (else its hydraulic) diameter, L the length along which its wall is warmed, v the mean velocity.

    Re <= 2300   Nu = (3.66^3 + 0.7^3 + (1.615 Gz^(1/3) - 0.7)^3)^(1/3)
    Re >= 4000   Nu = (f/8)(Re - 1000) Pr / (1 + 12.7 (f/8)^(1/2) (Pr^(2/3) - 1)),    f = (0.79 ln Re - 1.64)^-2
    between      on the straight line from one to the other

The first: VDI Heat Atlas, 2nd ed. 2010, section G1, mean over L for a developed velocity where the warm wall starts;
within 2 % of the solution of Graetz. The second: Gnielinski, Int Chem Eng 1976;16:359, friction after Petukhov 1970.
The third: Gnielinski, Int J Heat Mass Transfer 2013;63:134. All recalled, the second compared with another program's.
For a wall of one temperature, smooth and straight, and a Newtonian liquid in steady flow: pulsation is left out. That
one h for a whole vessel does for ablations of more than one or two minutes: dos Santos 2008, Biomed Eng Online 7:21.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

LAMINAR, TURBULENT = 2300.0, 4000.0
"""Reynolds numbers up to which and from which a flow is wholly so."""
HIGHEST = 5e6
"""Reynolds number up to which Gnielinski's formula was fitted."""


@dataclass(frozen=True)
class TubeFlow:
    """A steady flow along a warm wall."""

    velocity: float
    """Mean over the cross section [m/s], above 0."""
    diameter: float
    """[m]"""
    length: float
    """Of the warm wall [m]."""
    k: float
    """Thermal conductivity of the liquid [W/(m K)]."""
    heat_capacity: float
    """Of the liquid by volume, rho c [J/(m3 K)]."""
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
    """Return the mean Nusselt number for D / L = `slenderness`; see the head of this module."""
    if Re <= LAMINAR:
        return laminar(Re * Pr * slenderness)
    if Re >= TURBULENT:
        return gnielinski(Re, Pr)
    part = (Re - LAMINAR) / (TURBULENT - LAMINAR)
    return (1.0 - part) * laminar(LAMINAR * Pr * slenderness) + part * gnielinski(TURBULENT, Pr)


def laminar(Gz: float) -> float:
    """Return the mean Nusselt number of a laminar flow at the Graetz number `Gz`."""
    entry = max(1.615 * Gz ** (1.0 / 3.0) - 0.7, 0.0)
    return float((3.66**3 + 0.7**3 + entry**3) ** (1.0 / 3.0))


def gnielinski(Re: float, Pr: float, f: float | None = None) -> float:
    """Return the Nusselt number of a turbulent flow; `f` is Darcy's friction factor, by default a smooth wall's."""
    eighth = (petukhov(Re) if f is None else f) / 8.0
    return float(eighth * (Re - 1000.0) * Pr / (1.0 + 12.7 * eighth**0.5 * (Pr ** (2.0 / 3.0) - 1.0)))


def petukhov(Re: float) -> float:
    """Return Darcy's friction factor of a smooth wall."""
    return (0.79 * log(Re) - 1.64) ** -2
