"""The geometry tables of a case: domain, structures and applicators, as the user writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rfablate.case.units import (
    Celsius,
    Direction,
    Fraction,
    MlPositive,
    MmNotNegative,
    MmPositive,
    MPasPositive,
    Number,
    OhmMm2,
    PointMm,
    SizesMm,
)


class Table(BaseModel):
    """A table of a case file: frozen, finite numbers only, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, validate_default=False)


class Flow(Table):
    """A liquid, the structure's own tissue, that flows through it: it cools the wall through a film.

    Its temperature is the structure's `held_degC`, by default the blood's. How the film follows from the flow:
    `rfablate.physics.vessel`.
    """

    velocity: Annotated[float, Field(strict=True, ge=0, le=10)] = Field(alias="velocity_m_per_s")
    """Mean over the cross section [m/s]; 0: nothing flows, and the structure is not held either."""
    diameter: MmPositive | None = Field(default=None, alias="diameter_mm")
    """Hydraulic diameter [m]; None: that of the tube or cylinder."""
    length: MmPositive | None = Field(default=None, alias="length_mm")
    """Length of the warm wall [m]; None: that of the tube or cylinder. The shorter, the thinner the film."""
    viscosity: MPasPositive = Field(default=3.5e-3, alias="viscosity_mPa_s")
    """3.5 mPa s: blood at high shear, assumed; CSF about 0.7. It decides where flow turns turbulent."""


# --- domain ---------------------------------------------------------------------------------------


class CylinderDomain(Table):
    """A block of tissue: upright circular cylinder, axis z."""

    kind: Literal["cylinder"]
    radius: MmPositive = Field(alias="radius_mm")
    height: MmPositive = Field(alias="height_mm")
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    tissue: str


class AxisymmetricDomain(Table):
    """The same cylinder solved in the (r, z) half plane; all of it must be a body of revolution about z."""

    kind: Literal["axisymmetric"]
    radius: MmPositive = Field(alias="radius_mm")
    height: MmPositive = Field(alias="height_mm")
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    tissue: str


class BoxDomain(Table):
    """A block of tissue: box with edges along x, y, z."""

    kind: Literal["box"]
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

    kind: Literal["mesh"]
    file: str
    length_unit: Literal["m", "cm", "mm", "um"]
    axisymmetric: bool = False
    regions: tuple[MeshRegion, ...]
    surfaces: tuple[MeshSurface, ...]


Domain = Annotated[CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain, Field(discriminator="kind")]

# --- structures -----------------------------------------------------------------------------------


class _Structure(Table):
    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    tissue: str
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    limit: Celsius | None = Field(default=None, alias="limit_degC")
    required_fraction: Fraction = 1.0
    held: Celsius | None = Field(default=None, alias="held_degC")
    flow: Flow | None = None
    shell: MmPositive | None = Field(default=None, alias="shell_mm")
    """Thickness of a shell inside the shape, which reading the case makes a structure of its own (`case.shells`)."""
    shell_tissue: str | None = None
    """What the shell is made of, by default cortical_bone."""


class Ellipsoid(_Structure):
    """Ellipsoid with axes along x, y, z."""

    kind: Literal["ellipsoid"]
    centre: PointMm = Field(alias="centre_mm")
    semi_axes: SizesMm = Field(alias="semi_axes_mm")


class Sphere(_Structure):
    """Sphere."""

    kind: Literal["sphere"]
    centre: PointMm = Field(alias="centre_mm")
    radius: MmPositive = Field(alias="radius_mm")


class Tube(_Structure):
    """Nerve or vessel: all points within half a diameter of a polyline, with flat ends."""

    kind: Literal["tube"]
    path: tuple[PointMm, ...] = Field(alias="path_mm", min_length=2)
    diameter: MmPositive = Field(alias="diameter_mm")
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m"
    )
    """Conductivity at 37 degC along the axis [S/m], as in a nerve; the tissue's is that across. None: the same."""


class HalfSpace(_Structure):
    """All points on the side of a plane that `normal` points to."""

    kind: Literal["half_space"]
    point: PointMm = Field(alias="point_mm")
    normal: Direction


class Slab(_Structure):
    """All points within half a `thickness` of the plane through `point` across `normal`."""

    kind: Literal["slab"]
    point: PointMm = Field(alias="point_mm")
    normal: Direction
    thickness: MmPositive = Field(alias="thickness_mm")


class Box(_Structure):
    """Box with edges along x, y, z."""

    kind: Literal["box"]
    centre: PointMm = Field(alias="centre_mm")
    size: SizesMm = Field(alias="size_mm")


class Cylinder(_Structure):
    """Circular cylinder between the centres of its two ends."""

    kind: Literal["cylinder"]
    start: PointMm = Field(alias="start_mm")
    end: PointMm = Field(alias="end_mm")
    diameter: MmPositive = Field(alias="diameter_mm")
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m"
    )
    """Conductivity at 37 degC along the axis [S/m], as in a nerve; the tissue's is that across. None: the same."""


Structure = Annotated[Ellipsoid | Sphere | Tube | HalfSpace | Slab | Box | Cylinder, Field(discriminator="kind")]

# --- injectate ------------------------------------------------------------------------------------


class Injectate(Table):
    """Saline injected before the treatment: it raises sigma about `centre`, by default the first applicator's tip."""

    volume: MlPositive = Field(alias="volume_mL")
    NaCl: Annotated[float, Field(strict=True, ge=0, le=17)] = Field(default=0.9, alias="NaCl_percent")
    """Grams in 100 mL."""
    spread: MmPositive = Field(alias="spread_mm")
    """Standard deviation of the Gaussian that the fluid spreads in [m]: 68 % of it lie within 1.9 spreads."""
    centre: PointMm | None = Field(default=None, alias="centre_mm")


# --- applicators ----------------------------------------------------------------------------------


BevelAngle = Annotated[float, Field(strict=True, ge=10, lt=90)]


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
    bevel_angle: BevelAngle = Field(default=30.0, alias="bevel_angle_deg")
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
