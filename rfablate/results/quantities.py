"""The quantities that a run reports, each defined once: label, unit, decimals and definition. Pure.

Card, report, tables, glossary and the typed results (`summary_models.py`) take labels, units and definitions from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A reported number."""

    key: str
    """Its key in summary.json, with the unit."""
    label: str
    unit: str
    """As it is printed; empty for a pure number."""
    decimals: int
    definition: str
    """What it is, in one sentence."""
    signed: bool = False
    """Whether a plus sign is printed."""

    def show(self, value: float | None, error_bar: float | None = None) -> str:
        """Return the number as text, with its error bar where there is one; a dash where there is no number."""
        if value is None:
            return "-"
        text = f"{value:{'+' if self.signed else ''}.{self.decimals}f}"
        return text if error_bar is None else f"{text} ±{error_bar:.1g}"


LESION = (
    Quantity(
        "width_mm", "width", "mm", 2,
        "Largest extent of the lesion across the cannula's axis.",
    ),
    Quantity(
        "width_min_mm", "smallest width", "mm", 2,
        "Smallest extent of the lesion across the cannula's axis, over all directions.",
    ),
    Quantity(
        "length_mm", "length", "mm", 2,
        "Extent of the lesion along the cannula's axis.",
    ),
    Quantity(
        "depth_distal_mm", "distal", "mm", 2,
        "Reach of the lesion beyond the tip, along the axis; negative where it ends before the tip.",
        signed=True,
    ),
    Quantity(
        "depth_proximal_mm", "proximal", "mm", 2,
        "Reach of the lesion along the shaft beyond the active tip; negative where it ends before the tip's upper"
        " edge.",
        signed=True,
    ),
    Quantity(
        "effective_radius_mm", "eff. radius", "mm", 2,
        "Radius of the sphere with the lesion's volume.",
    ),
    Quantity(
        "roundness", "roundness", "", 2,
        "Width divided by length, or the inverse where that is below 1.",
    ),
    Quantity(
        "volume_mm3", "volume", "mm3", 1,
        "Volume of tissue inside the lesion; the cannula's metal does not count.",
    ),
)  # fmt: skip

JOINING = (
    Quantity(
        "bridge_level", "weakest level between tips", "", 3,
        "Least level of the rule on the straight line between two active tips: kelvin above the isotherm, or the "
        "logarithm of damage over its threshold; negative where the lesions are apart.",
    ),
    Quantity(
        "bridge_margin_mm", "continuity margin", "mm", 2,
        "Depth inside the lesion of the line between two active tips; negative where the lesions are apart.",
        signed=True,
    ),
)  # fmt: skip

STRUCTURE = (
    Quantity(
        "volume_mm3", "volume", "mm3", 1,
        "Volume of the structure on the mesh.",
    ),
    Quantity(
        "required_fraction", "required fraction", "", 2,
        "Fraction of a target that must lie inside the lesion for it to count as reached.",
    ),
    Quantity(
        "covered_fraction", "covered fraction", "", 3,
        "Fraction of the structure's volume that lies inside the lesion of the deciding rule.",
    ),
    Quantity(
        "max_degC", "hottest", "degC", 1,
        "Highest temperature reached anywhere in the structure at any time.",
    ),
    Quantity(
        "min_margin_mm", "margin", "mm", 2,
        "Target: shortest distance from the structure to the lesion surface; negative where part of it lies "
        "outside. Other structures: shortest distance to the lesion; negative where they reach into it.",
        signed=True,
    ),
    Quantity(
        "limit_margin_mm", "distance to the limit isotherm", "mm", 2,
        "Protected structure: shortest distance to the isotherm of its temperature limit; negative where the "
        "structure reaches into it.",
        signed=True,
    ),
    Quantity(
        "time_to_cover_s", "reached after", "s", 1,
        "Time at which the covered fraction first met the required fraction.",
    ),
    Quantity(
        "length_mm", "length", "mm", 1,
        "Length of a tube along its path.",
    ),
    Quantity(
        "coagulated_length_mm", "coagulated length", "mm", 1,
        "Length of a tube's path that lies inside the lesion.",
    ),
)  # fmt: skip

ENERGY = (
    Quantity(
        "joule_J", "delivered", "J", 1,
        "Joule heat: energy that the generator delivered to the tissue.",
    ),
    Quantity(
        "metabolic_J", "metabolic", "J", 1,
        "Metabolic heat produced in the tissue.",
    ),
    Quantity(
        "stored_J", "stored", "J", 1,
        "Heat stored in tissue and metal at the end.",
    ),
    Quantity(
        "latent_J", "in steam", "J", 1,
        "Latent heat of the water that has boiled.",
    ),
    Quantity(
        "perfused_J", "to blood", "J", 1,
        "Heat carried away by perfusion, net of what blood brings.",
    ),
    Quantity(
        "boundary_J", "through the boundary", "J", 1,
        "Heat that left through surfaces and structures of fixed temperature, coolant and flowing blood.",
    ),
    Quantity(
        "residual_J", "residual", "J", 3,
        "What the balance lacks: delivered and metabolic heat less all the others.",
        signed=True,
    ),
    Quantity(
        "residual_percent", "residual", "%", 3,
        "The residual as a percentage of the largest energy of the balance.",
    ),
)  # fmt: skip

TERMS = {
    "error bar": "Numerical error of a number, printed after ±: how far it moves on a mesh twice as coarse with longer "
    "steps. It does not include the uncertainty of tissue values.",
    "verdict": "Target: REACHED where the covered fraction meets the required fraction, PARTLY REACHED or MISSED "
    "otherwise. Protected structure: SAFE where it stays at or below its temperature limit, LIMIT EXCEEDED otherwise.",
    "lesion rule": "The criterion for dead tissue: an isotherm of the highest temperature reached, an Arrhenius "
    "integral of 1, a thermal dose (CEM43), or a fraction of dead cells.",
}
"""Terms that are no numbers."""
