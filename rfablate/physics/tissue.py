"""Tissue: its constants, where they come from, and the laws by which they change with temperature."""

from __future__ import annotations

from dataclasses import dataclass

from rfablate.physics.laws import Law, Linear


@dataclass(frozen=True)
class Tissue:
    """A tissue or a metal. Metals conduct heat only: at constant potential, the electric problem leaves them out."""

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
    """omega_b at 37 degC, volume of blood a second and volume of tissue [1/s]."""
    k_law: Law = Linear()
    """k(T) / k(37)."""
    sigma_law: Law = Linear()
    """sigma(T) / sigma(37)."""
    perfusion_rise: float = 1.0
    """Perfusion at 45 degC and above over that at 37 degC, while the tissue lives (`laws.Rising`)."""
    metabolic_heat: float = 0.0
    """q_m [W/m3]; it does not stop."""
    water_fraction: float = 0.0
    """Volume of water that boils at 100 degC in a volume of tissue [1]; 0: nothing boils."""
    damage_set: str | None = None
    """Arrhenius set of the library; None: the case's own."""
    is_metal: bool = False
    source: str = ""
    checked: bool = False
    """True where the value was re-read at its source."""

    @property
    def volumetric_heat_capacity(self) -> float:
        """rho c [J/(m3 K)]."""
        return self.density * self.heat_capacity

    @property
    def sigma_slope(self) -> float:
        """Relative change of sigma a kelvin at 37 degC [1/K]."""
        return self.sigma_law.slope

    @property
    def k_slope(self) -> float:
        """Relative change of k a kelvin at 37 degC [1/K]."""
        return self.k_law.slope
