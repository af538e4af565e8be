"""The liquids of a case, as the user writes them: one that flows through a structure, one that was injected."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import MlPositive, MmPositive, MPasPositive, PointMm


class Flow(Table):
    """A liquid, the structure's own tissue, that flows through it: it cools the wall by convection.

    Its temperature is the structure's `held_degC`, by default the blood's. Heat transfer coefficient:
    `rfablate.physics.tube_flow`.
    """

    velocity: Annotated[float, Field(strict=True, ge=0, le=10)] = Field(alias="velocity_m_per_s", examples=[0.15])
    """Mean velocity over the cross section [m/s]; with 0 nothing flows, and the structure is not held at a temperature
    either."""
    diameter: MmPositive | None = Field(default=None, alias="diameter_mm", examples=[10])
    """Hydraulic diameter of the cross section [mm]. By default that of the tube or cylinder; required for other
    shapes and regions of a mesh."""
    length: MmPositive | None = Field(default=None, alias="length_mm", examples=[40])
    """Length of heated wall that the flow passes [mm]; a shorter one has a larger heat transfer coefficient. By default
    that of the tube or cylinder; required for other shapes and regions of a mesh."""
    viscosity: MPasPositive = Field(default=3.5e-3, alias="viscosity_mPa_s")
    """Dynamic viscosity [mPa s]; it determines whether the flow is laminar or turbulent. The default is blood at high
    shear, assumed; CSF has about 0.7."""


class Injectate(Table):
    """Saline injected before the treatment: it raises the electric conductivity of the tissue around `centre`."""

    volume: MlPositive = Field(alias="volume_mL", examples=[0.5])
    """Volume of the injected fluid [mL]."""
    NaCl: Annotated[float, Field(strict=True, ge=0, le=17)] = Field(default=0.9, alias="NaCl_percent")
    """Concentration of sodium chloride, grams in 100 mL [%]. The default is physiological saline."""
    spread: MmPositive = Field(alias="spread_mm", examples=[5])
    """Standard deviation of the Gaussian distribution of the fluid [mm]; 68 % of the fluid lie within 1.9 of it. It
    must be large enough for the volume: the fluid fraction is at most 1."""
    centre: PointMm | None = Field(default=None, alias="centre_mm", examples=[[0, 0, 3]])
    """Centre of the fluid, x, y, z [mm]. By default the tip of the first applicator."""
