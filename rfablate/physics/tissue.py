"""Tissue: its constants, their sources, and the laws of their temperature dependence."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.physics.laws import Law, Linear


@dataclass(frozen=True)
class Tissue:
    """A tissue or a metal. Metals conduct heat only: they are equipotential and excluded from the electric problem."""

    name: str
    density: float
    """[kg/m3]"""
    heat_capacity: float
    """[J/(kg K)]"""
    k: float
    """Thermal conductivity at 37 degC [W/(m K)]."""
    sigma: float
    """Electric conductivity at 37 degC near 500 kHz [S/m]."""
    perfusion: float
    """omega_b at 37 degC, volume of blood per second and volume of tissue [1/s]."""
    k_law: Law = Linear()
    """k(T) / k(37)."""
    sigma_law: Law = Linear()
    """sigma(T) / sigma(37)."""
    perfusion_rise: float = 1.0
    """Perfusion of living tissue at 45 degC and above relative to that at 37 degC [1] (`laws.Rising`)."""
    metabolic_heat: float = 0.0
    """q_m [W/m3]; damage does not reduce it."""
    water_fraction: float = 0.0
    """Volume fraction of water that boils at 100 degC [1]; 0 disables boiling."""
    damage_set: str | None = None
    """Arrhenius set of the library; None for the set of the case."""
    is_metal: bool = False
    source: str = ""
    checked: bool = False
    """Whether the values were verified against their source."""

    @property
    def volumetric_heat_capacity(self) -> float:
        """rho c [J/(m3 K)]."""
        return self.density * self.heat_capacity

    @property
    def sigma_slope(self) -> float:
        """Relative change of sigma per kelvin at 37 degC [1/K]."""
        return self.sigma_law.slope

    @property
    def k_slope(self) -> float:
        """Relative change of k per kelvin at 37 degC [1/K]."""
        return self.k_law.slope
