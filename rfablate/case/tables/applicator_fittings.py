"""What an applicator may have beside its cannula, as the user writes it: tines, a coolant, a ring, a curved tip."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import Celsius, Fraction, MmNotNegative, MmPositive, Number


class Tines(Table):
    """Tines that come out of the cannula, evenly spaced around its axis, bare and at the tip's potential.

    Each starts `exit` from the tip along the shaft, `offset` beside the axis, and points `exit_angle` away from
    straight ahead. It runs straight or, with a `bend_radius`, along a circle that turns it outwards and back.
    """

    count: Annotated[int, Field(strict=True, ge=1, le=24)]
    diameter: MmPositive = Field(alias="diameter_mm")
    length: MmPositive = Field(alias="length_mm")
    """Length of a tine pushed out in full [m]."""
    deployment: Fraction = 1.0
    """Part of `length` that is pushed out."""
    bend_radius: MmPositive | None = Field(default=None, alias="bend_radius_mm")
    """Radius of the tine's centre line [m]; None: straight."""
    exit_angle: Annotated[float, Field(strict=True, ge=0, le=120)] = Field(default=0.0, alias="exit_angle_deg")
    """Angle between the tine's start and the axis ahead of the tip [degree]."""
    exit: MmNotNegative = Field(default=0.0, alias="exit_mm")
    offset: MmNotNegative = Field(default=0.0, alias="offset_mm")
    first_azimuth: Number = Field(default=0.0, alias="first_azimuth_deg")
    metal: str | None = None
    """None: the cannula's."""


class Coolant(Table):
    """A liquid that flows through the lumen: its wall has its temperature, or a film `h` between them.

    Given beside a `model` it takes the place of the model's coolant as a whole.
    """

    temperature: Celsius = Field(alias="temperature_degC")
    h: Annotated[float, Field(strict=True, gt=0, le=1e6)] | None = Field(default=None, alias="h_W_per_m2K")
    """Heat transfer coefficient at the lumen's wall [W/(m2 K)]; None: the wall has the coolant's temperature."""


class Ring(Table):
    """A second bare part of a bipolar needle, behind an insulating gap, at the other potential than the tip."""

    gap: MmPositive = Field(alias="gap_mm")
    length: MmPositive = Field(alias="length_mm")


class Bend(Table):
    """A curved tip: the cannula's end follows a circle that is tangent to its straight shaft. 3-D only."""

    angle: Annotated[float, Field(strict=True, gt=0, le=90)] = Field(alias="angle_deg")
    """Between the shaft and the cannula's end [degree]."""
    length: MmPositive | None = Field(default=None, alias="length_mm")
    """Length along the cannula, from the tip, that is bent [m]; None: the active tip."""
    azimuth: Number = Field(default=0.0, alias="azimuth_deg")
    """Side that the tip is bent to, about the shaft [degree]; 0: x made perpendicular to the shaft."""
