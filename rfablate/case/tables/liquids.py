"""The liquids of a case, as the user writes them: one that flows through a structure, one that was injected."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import MlPositive, MmPositive, MPasPositive, PointMm


class Flow(Table):
    """A liquid, the structure's own tissue, that flows through it: it cools the wall through a film.

    Its temperature is the structure's `held_degC`, by default the blood's. How the film follows from the flow:
    `rfablate.physics.tube_flow`.
    """

    velocity: Annotated[float, Field(strict=True, ge=0, le=10)] = Field(alias="velocity_m_per_s")
    """Mean over the cross section [m/s]; 0: nothing flows, and the structure is not held either."""
    diameter: MmPositive | None = Field(default=None, alias="diameter_mm")
    """Hydraulic diameter [m]; None: that of the tube or cylinder."""
    length: MmPositive | None = Field(default=None, alias="length_mm")
    """Length of the warm wall [m]; None: that of the tube or cylinder. The shorter, the thinner the film."""
    viscosity: MPasPositive = Field(default=3.5e-3, alias="viscosity_mPa_s")
    """3.5 mPa s: blood at high shear, assumed; CSF about 0.7. It decides where flow turns turbulent."""


class Injectate(Table):
    """Saline injected before the treatment: it raises sigma about `centre`, by default the first applicator's tip."""

    volume: MlPositive = Field(alias="volume_mL")
    NaCl: Annotated[float, Field(strict=True, ge=0, le=17)] = Field(default=0.9, alias="NaCl_percent")
    """Grams in 100 mL."""
    spread: MmPositive = Field(alias="spread_mm")
    """Standard deviation of the Gaussian that the fluid spreads in [m]: 68 % of it lie within 1.9 spreads."""
    centre: PointMm | None = Field(default=None, alias="centre_mm")
