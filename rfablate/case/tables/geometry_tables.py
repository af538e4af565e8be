"""The geometry tables of a case: domain, structures and applicators, as the user writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from rfablate.case.tables.applicator_fittings import Bend, Coolant, Ring, Tines
from rfablate.case.tables.base import Table
from rfablate.case.tables.liquids import Flow
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


LabelValue = Annotated[int, Field(strict=True, ge=1, le=65535)]


class LabelEntry(Table):
    """A label of a segmentation: its value or values, or its name in the image, and what it becomes."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    label: LabelValue | tuple[LabelValue, ...] | None = None
    """None: the value that `segment`, or the entry's own name, has in the image or in `label_names`."""
    segment: str | None = None
    image: str | None = None
    """Which of several images, by its file name; needed where more than one has the value."""
    tissue: str
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    limit: Celsius | None = Field(default=None, alias="limit_degC")
    required_fraction: Fraction = 1.0
    held: Celsius | None = Field(default=None, alias="held_degC")


class LabelsDomain(Table):
    """A segmentation: reading the case makes it a box and a structure for each label (`case.read.label_domain`)."""

    kind: Literal["labels"] = "labels"
    image: str | None = None
    images: tuple[str, ...] = ()
    """Instead of `image`: several, of which a later one wins where it has a label."""
    coordinates: Literal["RAS", "LPS"] | None = None
    """World coordinates of the case; None: those of the image's format."""
    tissue: str
    """Outside all labels."""
    labels: tuple[LabelEntry, ...]
    label_names: str | None = None
    """A label description file of ITK-SNAP."""
    ignore: tuple[LabelValue, ...] = ()
    """Values that are tissue like the background."""
    crop: tuple[PointMm, PointMm] | None = Field(default=None, alias="crop_mm")
    """Two opposite corners of the box that is kept."""
    margin: MmNotNegative = Field(default=0.0, alias="margin_mm")
    """Tissue around the image, or around the crop box."""


if TYPE_CHECKING:  # a case that is read holds no LabelsDomain
    Domain = CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain
else:
    Domain = Annotated[
        CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain | LabelsDomain, Field(discriminator="kind")
    ]

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

    kind: Literal["ellipsoid"] = "ellipsoid"
    centre: PointMm = Field(alias="centre_mm")
    semi_axes: SizesMm = Field(alias="semi_axes_mm")


class Sphere(_Structure):
    """Sphere."""

    kind: Literal["sphere"] = "sphere"
    centre: PointMm = Field(alias="centre_mm")
    radius: MmPositive = Field(alias="radius_mm")


class Tube(_Structure):
    """Nerve or vessel: all points within half a diameter of a polyline, with flat ends."""

    kind: Literal["tube"] = "tube"
    path: tuple[PointMm, ...] = Field(alias="path_mm", min_length=2)
    diameter: MmPositive = Field(alias="diameter_mm")
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m"
    )
    """Conductivity at 37 degC along the axis [S/m], as in a nerve; the tissue's is that across. None: the same."""


class HalfSpace(_Structure):
    """All points on the side of a plane that `normal` points to."""

    kind: Literal["half_space"] = "half_space"
    point: PointMm = Field(alias="point_mm")
    normal: Direction


class Slab(_Structure):
    """All points within half a `thickness` of the plane through `point` across `normal`."""

    kind: Literal["slab"] = "slab"
    point: PointMm = Field(alias="point_mm")
    normal: Direction
    thickness: MmPositive = Field(alias="thickness_mm")


class Box(_Structure):
    """Box with edges along x, y, z."""

    kind: Literal["box"] = "box"
    centre: PointMm = Field(alias="centre_mm")
    size: SizesMm = Field(alias="size_mm")


class Cylinder(_Structure):
    """Circular cylinder between the centres of its two ends."""

    kind: Literal["cylinder"] = "cylinder"
    start: PointMm = Field(alias="start_mm")
    end: PointMm = Field(alias="end_mm")
    diameter: MmPositive = Field(alias="diameter_mm")
    sigma_along: Annotated[float, Field(strict=True, gt=0, le=100)] | None = Field(
        default=None, alias="sigma_along_S_per_m"
    )
    """Conductivity at 37 degC along the axis [S/m], as in a nerve; the tissue's is that across. None: the same."""


class Label(_Structure):
    """All voxels of a label image that have one of some values; `domain.kind = "labels"` makes them."""

    kind: Literal["label"] = "label"
    file: str
    values: tuple[LabelValue, ...] = Field(min_length=1)
    coordinates: Literal["RAS", "LPS"]


Structure = Annotated[
    Ellipsoid | Sphere | Tube | HalfSpace | Slab | Box | Cylinder | Label, Field(discriminator="kind")
]

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
    entry_at: PointMm | None = Field(default=None, alias="entry_mm")
    target_at: PointMm | None = Field(default=None, alias="target_mm")
    """The tip, and a point on the straight shaft: reading the case makes them `tip_mm` and `direction`."""
    markups: str | None = None
    """A markups file of 3D Slicer (.mrk.json), whose points `entry` and `target` name."""
    entry: str | None = None
    target: str | None = None
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
