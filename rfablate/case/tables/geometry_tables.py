"""The geometry tables of a case: domain, structures and applicators, as the user writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rfablate.case.tables.applicator_fittings import Bend, Coolant, Ring, Tines
from rfablate.case.tables.base import Table
from rfablate.case.tables.liquids import Flow
from rfablate.case.tables.structure_kinds import Box, Cylinder, Ellipsoid, HalfSpace, Slab, Sphere, Structure, Tube
from rfablate.case.tables.units import (
    Celsius,
    Direction,
    Fraction,
    MmNotNegative,
    MmPositive,
    Number,
    OhmMm2,
    PointMm,
    SizesMm,
)
from rfablate.physics.library import applicator_model, applicator_names

__all__ = [
    "Applicator", "AxisymmetricDomain", "Box", "BoxDomain", "Cylinder", "CylinderDomain", "Domain", "Ellipsoid",
    "HalfSpace", "MeshDomain", "MeshRegion", "MeshSurface", "Slab", "Sphere", "Structure", "Tube",
]  # fmt: skip

# --- domain ---------------------------------------------------------------------------------------


class CylinderDomain(Table):
    """A block of tissue: upright circular cylinder, axis z."""

    kind: Literal["cylinder"] = "cylinder"
    radius: MmPositive = Field(alias="radius_mm")
    height: MmPositive = Field(alias="height_mm")
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    tissue: str


class AxisymmetricDomain(Table):
    """The same cylinder solved in the (r, z) half plane; all of it must be a body of revolution about z."""

    kind: Literal["axisymmetric"] = "axisymmetric"
    radius: MmPositive = Field(alias="radius_mm")
    height: MmPositive = Field(alias="height_mm")
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    tissue: str


class BoxDomain(Table):
    """A block of tissue: box with edges along x, y, z."""

    kind: Literal["box"] = "box"
    size: SizesMm = Field(alias="size_mm")
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    tissue: str


class MeshRegion(Table):
    """A volume of the user's mesh: its tag or physical name, and the tissue it is made of."""

    tag: int | str
    name: str
    tissue: str
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    limit: Celsius | None = Field(default=None, alias="limit_degC")
    required_fraction: Fraction = 1.0
    held: Celsius | None = Field(default=None, alias="held_degC")
    flow: Flow | None = None


class MeshSurface(Table):
    """A surface of the user's mesh and what it does: energised, return, at body temperature, or nothing."""

    tag: int | str
    name: str
    roles: tuple[Literal["active", "return", "body_temperature", "insulated"], ...]


class MeshDomain(Table):
    """The user's own mesh: 3-D, or the (r, z) half plane when `axisymmetric`."""

    kind: Literal["mesh"] = "mesh"
    file: str
    length_unit: Literal["m", "cm", "mm", "um"]
    axisymmetric: bool = False
    regions: tuple[MeshRegion, ...]
    surfaces: tuple[MeshSurface, ...]


Domain = Annotated[CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain, Field(discriminator="kind")]

# --- applicators ----------------------------------------------------------------------------------


class Applicator(Table):
    """A cannula: metal cylinder or tube, straight or with a curved tip, bare (active) at its tip, insulated above.

    `model` names a library entry whose values any key here overrides. `tip` is the most distal point;
    `direction` points from there along the shaft, of a curved one along its straight part. The metal ends
    `shaft_length` from the tip, by default at the domain's boundary.
    """

    name: str = Field(default="cannula", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    model: str | None = None
    outer_diameter: MmPositive = Field(alias="outer_diameter_mm")
    active_tip: MmPositive = Field(alias="active_tip_mm")
    tip_shape: Literal["blunt", "bevel", "conical"] = "blunt"
    bevel_angle: Annotated[float, Field(strict=True, ge=10, lt=90)] = Field(default=30.0, alias="bevel_angle_deg")
    """Angle between the bevel plane, or the cone's side, and the axis [degree]."""
    bevel_azimuth: Number = Field(default=0.0, alias="bevel_azimuth_deg")
    electrode: Literal["active", "return"] = "active"
    """Potential of the bare tip: the generator's voltage, or 0 as on the return; a bipolar pair has one of each."""
    ring: Ring | None = None
    bend: Bend | None = None
    tip: PointMm = Field(default=(0.0, 0.0, 0.0), alias="tip_mm")
    direction: Direction = (0.0, 0.0, 1.0)
    shaft_length: MmPositive | None = Field(default=None, alias="shaft_length_mm")
    sensor_offset: MmNotNegative = Field(default=1e-3, alias="sensor_offset_mm")
    """Distance of the temperature sensor from the tip, on the axis [m]."""
    sensor_radius: MmNotNegative = Field(default=0.0, alias="sensor_radius_mm")
    """Radius of the disc the sensor averages over, 0 for a point [m]."""
    metal: str = "stainless_steel"
    shaft_material: str | None = None
    """What the insulated shaft is made of, a metal or an insulator; None: the metal of the tip."""
    tines: Tines | None = None
    wall: MmPositive | None = Field(default=None, alias="wall_mm")
    """Thickness of the tube's wall [m]; None: solid metal."""
    lumen_material: str = "air"
    """What fills the lumen of a tube without coolant."""
    lumen_start: MmPositive | None = Field(default=None, alias="lumen_start_mm")
    """Distance of the lumen's closed end from the tip [m]; None: a wall's thickness behind the bevel, cone or face."""
    insulation: MmPositive | None = Field(default=None, alias="insulation_mm")
    """Thickness of the insulating coat on the shaft, outside the outer diameter [m]; None: too thin to matter."""
    insulation_material: str = "ptfe"
    coolant: Coolant | None = None
    contact: OhmMm2 = Field(default=0.0, alias="contact_ohm_mm2")
    """Resistance of a thin layer between active tip and tissue, times its area [ohm m2]; 0: none."""

    @model_validator(mode="before")
    @classmethod
    def _take_from_model(cls, data: Any) -> Any:
        """Put the values of the library's model under the applicator's own."""
        if isinstance(data, dict) and data.get("model") in applicator_names():
            return {**applicator_model(data["model"]), **data}
        return data
