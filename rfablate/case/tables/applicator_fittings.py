"""What an applicator may have beside its cannula, as the user writes it: tines, a coolant, a ring, a curved tip."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import Celsius, Fraction, MmNotNegative, MmPositive, Number


class Tines(Table):
    """Tines that come out of the cannula, evenly spaced around its axis, bare and at the tip's potential.

    Each starts `exit` from the tip along the shaft, `offset` from the axis, and points `exit_angle` away from
    straight ahead. It runs straight or, with a `bend_radius`, along a circle that turns it outwards and back.
    """

    count: Annotated[int, Field(strict=True, ge=1, le=24)] = Field(examples=[3])
    """Number of tines."""
    diameter: MmPositive = Field(alias="diameter_mm", examples=[0.3])
    """Diameter of a tine [mm]; it must fit into the cannula."""
    length: MmPositive = Field(alias="length_mm", examples=[15])
    """Length of a fully deployed tine along its centre line [mm]."""
    deployment: Fraction = 1.0
    """Fraction of `length_mm` that is deployed. The default is full deployment."""
    bend_radius: MmPositive | None = Field(default=None, alias="bend_radius_mm", examples=[10])
    """Radius of the circle that the tine's centre line follows, outwards and back [mm]. By default it is straight."""
    exit_angle: Annotated[float, Field(strict=True, ge=0, le=120)] = Field(default=0.0, alias="exit_angle_deg")
    """Angle between the tine's start and the axis ahead of the tip [degrees]; 0 is straight ahead."""
    exit: MmNotNegative = Field(default=0.0, alias="exit_mm")
    """Distance along the shaft from the tip to where the tines start [mm]; at most the active tip. Only tines straight
    ahead from a blunt tip can have 0."""
    offset: MmNotNegative = Field(default=0.0, alias="offset_mm")
    """Distance of a tine's start from the cannula's axis [mm]; the tine must start inside the cannula."""
    first_azimuth: Number = Field(default=0.0, alias="first_azimuth_deg")
    """Direction of the first tine about the shaft [degrees]; 0 is the x axis made perpendicular to the shaft (y where
    the shaft is along x)."""
    metal: str | None = Field(default=None, examples=["nitinol"])
    """Metal of the tines, a name of the library. By default that of the cannula."""


class Coolant(Table):
    """A liquid that flows through the lumen and cools its wall, at a fixed temperature or by convection.

    Given with a `model`, it replaces the model's coolant completely.
    """

    temperature: Celsius = Field(alias="temperature_degC", examples=[20])
    """Temperature of the coolant [degC]."""
    h: Annotated[float, Field(strict=True, gt=0, le=1e6)] | None = Field(
        default=None, alias="h_W_per_m2K", examples=[3000]
    )
    """Heat transfer coefficient at the lumen's wall [W/(m2 K)]. By default the wall has the coolant's temperature."""


class Ring(Table):
    """A second bare part of a bipolar needle, behind an insulating gap, at the other potential than the tip."""

    gap: MmPositive = Field(alias="gap_mm", examples=[4])
    """Length of the insulating gap between active tip and ring [mm]."""
    length: MmPositive = Field(alias="length_mm", examples=[4])
    """Length of the ring along the shaft [mm]."""


class Bend(Table):
    """A curved tip: the cannula's end follows a circle that is tangent to its straight shaft. 3-D only."""

    angle: Annotated[float, Field(strict=True, gt=0, le=90)] = Field(alias="angle_deg", examples=[15])
    """Angle between the shaft and the cannula's end [degrees]. The radius of the bend must be at least 1.5 outer
    diameters."""
    length: MmPositive | None = Field(default=None, alias="length_mm", examples=[10])
    """Length of the curved part along the cannula, from the tip [mm]. By default the active tip."""
    azimuth: Number = Field(default=0.0, alias="azimuth_deg")
    """Side that the tip is bent to, about the shaft [degrees]; 0 is the x axis made perpendicular to the shaft (y where
    the shaft is along x)."""
