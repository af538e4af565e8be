"""The geometry tables of a case: domain, structures and applicators, as the user writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from rfablate.case.tables.applicator_fittings import Bend, Coolant, Ring, Tines
from rfablate.case.tables.base import Table
from rfablate.case.tables.file_structures import Label, Surface
from rfablate.case.tables.flat_structures import Box, HalfSpace, Slab
from rfablate.case.tables.liquids import Flow
from rfablate.case.tables.round_structures import Cylinder, Ellipsoid, Sphere, Tube
from rfablate.case.tables.structure_kinds import Structure
from rfablate.case.tables.structure_object import ObjectStructure
from rfablate.case.tables.units import (
    Celsius,
    Direction,
    Fraction,
    LabelValue,
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
    "HalfSpace", "MeshDomain", "MeshRegion", "MeshSurface", "ObjectStructure", "Slab", "Sphere", "Structure", "Surface",
    "Tube", "Label",
]  # fmt: skip

# --- domain ---------------------------------------------------------------------------------------


class CylinderDomain(Table):
    """A block of tissue: upright circular cylinder, axis z."""

    kind: Literal["cylinder"] = "cylinder"
    """Selects a block of tissue in 3-D, an upright circular cylinder with its axis along z."""
    radius: MmPositive = Field(alias="radius_mm", examples=[30])
    """Radius of the cylinder [mm]."""
    height: MmPositive = Field(alias="height_mm", examples=[60])
    """Height of the cylinder along z [mm]."""
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    """Centre of the cylinder, x, y, z [mm]."""
    tissue: str = Field(examples=["muscle"])
    """Tissue around all structures: a name of the library or of [tissues]."""


class AxisymmetricDomain(Table):
    """The same cylinder solved in the (r, z) half plane; all of it must be a body of revolution about z."""

    kind: Literal["axisymmetric"] = "axisymmetric"
    """Selects a cylinder of tissue solved in the (r, z) half plane; applicator and structures must be bodies of
    revolution about its axis."""
    radius: MmPositive = Field(alias="radius_mm", examples=[30])
    """Radius of the cylinder [mm]."""
    height: MmPositive = Field(alias="height_mm", examples=[60])
    """Height of the cylinder along z [mm]."""
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    """Centre of the cylinder, x, y, z [mm]; x and y are the axis of revolution."""
    tissue: str = Field(examples=["muscle"])
    """Tissue around all structures: a name of the library or of [tissues]."""


class BoxDomain(Table):
    """A block of tissue: box with edges along x, y, z."""

    kind: Literal["box"] = "box"
    """Selects a block of tissue in 3-D, a box with edges along x, y, z."""
    size: SizesMm = Field(alias="size_mm", examples=[[60, 60, 80]])
    """Lengths of the edges along x, y, z [mm]."""
    centre: PointMm = Field(default=(0.0, 0.0, 0.0), alias="centre_mm")
    """Centre of the box, x, y, z [mm]."""
    tissue: str = Field(examples=["muscle"])
    """Tissue around all structures: a name of the library or of [tissues]."""


class MeshRegion(Table):
    """A volume of the user's mesh: its tag or physical name, and the tissue it is made of."""

    tag: int | str = Field(examples=["tissue"])
    """Tag of the region in the mesh file: its number or its physical name."""
    name: str = Field(examples=["tissue"])
    """Name of the region in all results; unique."""
    tissue: str = Field(examples=["muscle"])
    """Tissue or metal the region is made of: a name of the library or of [tissues]."""
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    """Role in the report: "target" for a volume to be ablated, "protect" for a region that must remain below
    `limit_degC`, "anatomy" for a region without a verdict."""
    limit: Celsius | None = Field(default=None, alias="limit_degC", examples=[45])
    """Highest temperature a protected region may reach [degC]; above body temperature. Needed with role "protect"."""
    required_fraction: Fraction = 1.0
    """Fraction of a target's volume that must lie inside the lesion for it to be reached. The default is all of it."""
    held: Celsius | None = Field(default=None, alias="held_degC", examples=[37])
    """Fixed temperature of the region, or of its liquid where it has a `flow` [degC]. By default it is not held."""
    flow: Flow | None = None
    """Flow of liquid through the region, which cools its wall by convection. By default there is none."""


class MeshSurface(Table):
    """A surface of the user's mesh and its boundary conditions."""

    tag: int | str = Field(examples=["active"])
    """Tag of the surface in the mesh file: its number or its physical name."""
    name: str = Field(examples=["active_tip"])
    """Name of the surface in messages; unique."""
    roles: tuple[Literal["active", "return", "body_temperature", "insulated"], ...] = Field(
        examples=[["return", "body_temperature"]]
    )
    """Boundary conditions: "active" the bare tip at the generator's voltage, "return" zero potential,
    "body_temperature" fixed at body temperature, "insulated" neither current nor heat."""


class MeshDomain(Table):
    """The user's own mesh: 3-D, or the (r, z) half plane when `axisymmetric`."""

    kind: Literal["mesh"] = "mesh"
    """Selects a user's mesh, whose regions are structures; those of the case are laid over it by cell."""
    file: str = Field(examples=["needle.msh"])
    """Mesh file: Gmsh, or VTU, XDMF, MED, Abaqus, Medit or VTK. A relative path starts from the case file's folder."""
    length_unit: Literal["m", "cm", "mm", "um"] = Field(examples=["mm"])
    """Unit of the coordinates in the mesh file."""
    axisymmetric: bool = False
    """Whether a 2-D mesh is the (r, z) half plane of a body of revolution. The default is a 3-D mesh."""
    regions: tuple[MeshRegion, ...]
    """Volumes of the mesh with their tissues, each a [[domain.regions]] table; at least one."""
    surfaces: tuple[MeshSurface, ...]
    """Surfaces of the mesh with their roles, each a [[domain.surfaces]] table; one must be "active"."""


class LabelEntry(Table):
    """A label of a segmentation: its value or values, or its name in the image, and the structure it becomes."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", examples=["tumour"])
    """Name of the structure in all results; unique, a letter followed by letters, digits or _."""
    label: LabelValue | tuple[LabelValue, ...] | None = Field(default=None, examples=[3])
    """Value or values of the voxels. By default the value that `segment`, or the entry's own name, has in the image or
    in `label_names`."""
    segment: str | None = Field(default=None, examples=["Tumor 1"])
    """Name of the segment in the image or in `label_names`. By default the entry's own name."""
    image: str | None = Field(default=None, examples=["tumour.nii.gz"])
    """File name of one of several `images`; needed where more than one has the value."""
    tissue: str = Field(examples=["nerve"])
    """Tissue of the voxels: a name of the library or of [tissues]."""
    role: Literal["target", "protect", "anatomy"] = "anatomy"
    """What is reported, as for structures."""
    limit: Celsius | None = Field(default=None, alias="limit_degC", examples=[45])
    """Highest temperature a protected structure may reach [degC]. Needed with role "protect"."""
    required_fraction: Fraction = 1.0
    """Fraction of a target's volume that must lie inside the lesion for it to be reached. The default is all of it."""
    held: Celsius | None = Field(default=None, alias="held_degC", examples=[37])
    """Fixed temperature of the structure [degC]. By default it is not held."""


class LabelsDomain(Table):
    """A segmentation: reading the case makes it a box and a structure for each label (`case.read.label_domain`)."""

    kind: Literal["labels"] = "labels"
    """Selects a label image, whose voxels become structures."""
    image: str | None = Field(default=None, examples=["vertebra.nii.gz"])
    """Label image: NIfTI, NRRD or MetaImage. A relative path starts from the case file's folder. Needed without
    `images`."""
    images: tuple[str, ...] = Field(default=(), examples=[["organs.nii.gz", "tumour.nii.gz"]])
    """Instead of `image`: several images. Where labels overlap, the later image has priority."""
    coordinates: Literal["RAS", "LPS"] | None = Field(default=None, examples=["RAS"])
    """World coordinates of the case: x to the right and y to anterior ("RAS"), or to left and posterior ("LPS"). By
    default those of the image's format: RAS for NIfTI, LPS for the others."""
    tissue: str = Field(examples=["muscle"])
    """Tissue outside all labels: a name of the library or of [tissues]."""
    labels: tuple[LabelEntry, ...]
    """What the labels become, each a [[domain.labels]] table; at least one."""
    label_names: str | None = Field(default=None, examples=["labels.txt"])
    """Label description file of ITK-SNAP, which names the values. By default the names in the image are used."""
    ignore: tuple[LabelValue, ...] = Field(default=(), examples=[[7, 8]])
    """Values that are `tissue`, as the background. All other values must be listed in `labels`."""
    crop: tuple[PointMm, PointMm] | None = Field(
        default=None, alias="crop_mm", examples=[[[-30, -30, -20], [30, 30, 20]]]
    )
    """Two opposite corners of the box that is simulated [mm]. By default the complete image."""
    margin: MmNotNegative = Field(default=0.0, alias="margin_mm")
    """Thickness of `tissue` around the image, or around the crop box [mm]."""


if TYPE_CHECKING:  # a case that is read holds no LabelsDomain
    Domain = CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain
else:
    Domain = Annotated[
        CylinderDomain | AxisymmetricDomain | BoxDomain | MeshDomain | LabelsDomain, Field(discriminator="kind")
    ]

# --- applicators ----------------------------------------------------------------------------------


class Applicator(Table):
    """A cannula: metal cylinder or tube, straight or with a curved tip, bare (active) at its tip, insulated above.

    `model` names a library entry whose values any key here overrides.
    """

    name: str = Field(default="cannula", pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name of the applicator; unique, a letter followed by letters, digits or _."""
    model: str | None = Field(default=None, examples=["cannula-22g-5mm"])
    """Model of the library (`rfablate library applicators`) whose values apply to all keys that are not given. By
    default none: `outer_diameter_mm` and `active_tip_mm` are then needed."""
    outer_diameter: MmPositive = Field(alias="outer_diameter_mm", examples=[0.718])
    """Outer diameter of the cannula's metal [mm]. Needed without a `model`."""
    active_tip: MmPositive = Field(alias="active_tip_mm", examples=[5])
    """Length of the bare tip along the shaft, from the most distal point [mm]. Needed without a `model`."""
    tip_shape: Literal["blunt", "bevel", "conical"] = "blunt"
    """Shape of the tip: "blunt" ends in a plane across the axis, "bevel" in an oblique plane, "conical" in a cone."""
    bevel_angle: Annotated[float, Field(strict=True, ge=10, lt=90)] = Field(default=30.0, alias="bevel_angle_deg")
    """Angle between the bevel plane, or the cone's side, and the axis [degrees]. The default is assumed."""
    bevel_azimuth: Number = Field(default=0.0, alias="bevel_azimuth_deg")
    """Direction of the bevel about the shaft [degrees]; 0 is the x axis made perpendicular to the shaft (y where
    the shaft is along x)."""
    electrode: Literal["active", "return"] = "active"
    """Potential of the bare tip: "active" has the generator's voltage, "return" is at zero potential. A bipolar pair
    has one of each."""
    ring: Ring | None = None
    """A second bare part behind an insulating gap, which makes a bipolar needle. By default there is none."""
    bend: Bend | None = None
    """A curved tip (3-D only). By default the cannula is straight."""
    entry_at: PointMm | None = Field(default=None, alias="entry_mm", examples=[[0, -60, 40]])
    """Point on the straight shaft, for example the entry point of the skin, x, y, z [mm]. With `target_mm` it
    replaces `tip_mm` and `direction`. By default these are used."""
    target_at: PointMm | None = Field(default=None, alias="target_mm", examples=[[0, 0, 0]])
    """Position of the tip, x, y, z [mm]; with `entry_mm`."""
    markups: str | None = Field(default=None, examples=["plan.mrk.json"])
    """Markups file of 3D Slicer (.mrk.json) with the points that `entry` and `target` name. A relative path starts from
    the case file's folder."""
    entry: str | None = Field(default=None, examples=["F-1"])
    """Label of the control point in `markups` that lies on the straight shaft."""
    target: str | None = Field(default=None, examples=["F-2"])
    """Label of the control point in `markups` that is the tip."""
    tip: PointMm = Field(default=(0.0, 0.0, 0.0), alias="tip_mm")
    """Most distal point of the applicator, x, y, z [mm]."""
    direction: Direction = (0.0, 0.0, 1.0)
    """Vector from the tip along the (straight part of the) shaft; its length does not matter. The default is upwards,
    along z."""
    shaft_length: MmPositive | None = Field(default=None, alias="shaft_length_mm", examples=[60])
    """Distance from the tip to the end of the metal [mm]. By default the metal ends at the domain's boundary."""
    sensor_offset: MmNotNegative = Field(default=1e-3, alias="sensor_offset_mm")
    """Distance of the temperature sensor from the tip, on the axis [mm]; it must lie in the metal. The default is
    assumed."""
    sensor_radius: MmNotNegative = Field(default=0.0, alias="sensor_radius_mm")
    """Radius of the disc over which the sensor averages [mm]; at most that of the cannula. The default is a point."""
    metal: str = "stainless_steel"
    """Metal of the cannula: a name of the library."""
    shaft_material: str | None = Field(default=None, examples=["insulation"])
    """Material of the insulated shaft, a metal or an insulator. By default the metal of the tip."""
    tines: Tines | None = None
    """Tines that come out of the cannula. By default there are none."""
    wall: MmPositive | None = Field(default=None, alias="wall_mm", examples=[0.152])
    """Thickness of the wall of a tubular cannula [mm]; below the radius. By default the cannula is solid metal."""
    lumen_material: str = "air"
    """Material in the lumen of a tube without coolant: an insulator."""
    lumen_start: MmPositive | None = Field(default=None, alias="lumen_start_mm", examples=[1])
    """Distance of the lumen's closed end from the tip [mm]. By default one wall thickness behind the bevel, cone or
    face."""
    insulation: MmPositive | None = Field(default=None, alias="insulation_mm", examples=[0.05])
    """Thickness of the insulating coat on the shaft, outside the outer diameter [mm]; axisymmetric domains only. By
    default its thickness is neglected."""
    insulation_material: str = "ptfe"
    """Material of the coat of thickness `insulation_mm`: an insulator."""
    coolant: Coolant | None = None
    """A liquid that cools the lumen of a tube (`wall_mm`); a single applicator only. By default there is none."""
    contact: OhmMm2 = Field(default=0.0, alias="contact_ohm_mm2")
    """Contact resistance between active tip and tissue, times its area [ohm mm2]; a single applicator only. The default
    is none."""

    @model_validator(mode="before")
    @classmethod
    def _take_from_model(cls, data: Any) -> Any:
        """Put the values of the library's model under the applicator's own."""
        if isinstance(data, dict) and data.get("model") in applicator_names():
            return {**applicator_model(data["model"]), **data}
        return data
