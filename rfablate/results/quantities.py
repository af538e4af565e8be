"""The quantities that a run reports: label, unit, decimals and definition of each. Pure.

Card, report, tables, glossary and the typed results (`summary_models.py`) take labels, units and definitions from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """A reported number."""

    key: str
    """Key in summary.json, with the unit."""
    label: str
    unit: str
    """Unit as printed; empty for a dimensionless number."""
    decimals: int
    definition: str
    """Definition in one sentence."""
    signed: bool = False
    """Whether a plus sign is printed."""

    def show(self, value: float | None, error_bar: float | None = None) -> str:
        """Return the number as text, with its error bar where there is one; a dash where there is no value."""
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
        "Extent of the lesion beyond the tip, along the axis; negative where the lesion ends before the tip.",
        signed=True,
    ),
    Quantity(
        "depth_proximal_mm", "proximal", "mm", 2,
        "Extent of the lesion along the shaft beyond the proximal end of the active tip; negative where the lesion ends"
        " before it.",
        signed=True,
    ),
    Quantity(
        "effective_radius_mm", "eff. radius", "mm", 2,
        "Radius of the sphere with the lesion's volume.",
    ),
    Quantity(
        "roundness", "roundness", "", 2,
        "Ratio of the smaller to the larger of width and length.",
    ),
    Quantity(
        "volume_mm3", "volume", "mm3", 1,
        "Volume of tissue inside the lesion, without the metal of the cannula.",
    ),
)  # fmt: skip

JOINING = (
    Quantity(
        "bridge_level", "lowest level between tips", "", 3,
        "Lowest level of the rule on the straight line between two active tips: kelvin above the isotherm, or the "
        "logarithm of damage over its threshold; negative where the lesions are separate.",
    ),
    Quantity(
        "bridge_margin_mm", "continuity margin", "mm", 2,
        "Depth inside the lesion of the line between two active tips; negative where the lesions are separate.",
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
        "Fraction of a target that must lie inside the lesion for the target to count as reached.",
    ),
    Quantity(
        "covered_fraction", "covered fraction", "", 3,
        "Fraction of the structure's volume that lies inside the lesion of the verdict rule.",
    ),
    Quantity(
        "covered_fraction_5mm", "covered fraction with 5 mm margin", "", 3,
        "Target: fraction of the tissue within 5 mm of it, target included, that lies inside the lesion of the verdict "
        "rule.",
    ),
    Quantity(
        "covered_fraction_10mm", "covered fraction with 10 mm margin", "", 3,
        "Target: fraction of the tissue within 10 mm of it, target included, that lies inside the lesion of the "
        "verdict rule.",
    ),
    Quantity(
        "max_degC", "maximum temperature", "degC", 1,
        "Highest temperature in the structure over space and time.",
    ),
    Quantity(
        "min_margin_mm", "margin", "mm", 2,
        "Target: shortest distance from the structure to the lesion surface; negative where part of it lies "
        "outside. Other structures: shortest distance to the lesion; negative where they extend into it.",
        signed=True,
    ),
    Quantity(
        "limit_margin_mm", "distance to the limit isotherm", "mm", 2,
        "Protected structure: shortest distance to the isotherm of its temperature limit; negative where the "
        "structure extends into it.",
        signed=True,
    ),
    Quantity(
        "time_to_cover_s", "reached after", "s", 1,
        "Time at which the covered fraction first reached the required fraction.",
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
        "Joule heat: energy delivered by the generator to the tissue.",
    ),
    Quantity(
        "metabolic_J", "metabolic", "J", 1,
        "Metabolic heat produced in the tissue.",
    ),
    Quantity(
        "stored_J", "stored", "J", 1,
        "Heat stored in tissue and metal at the end of the run.",
    ),
    Quantity(
        "latent_J", "latent", "J", 1,
        "Latent heat of the vaporised water.",
    ),
    Quantity(
        "perfused_J", "to blood", "J", 1,
        "Net heat removed by blood perfusion.",
    ),
    Quantity(
        "boundary_J", "through the boundary", "J", 1,
        "Heat removed through surfaces and structures of fixed temperature, coolant and flowing blood.",
    ),
    Quantity(
        "residual_J", "residual", "J", 3,
        "Error of the energy balance: delivered and metabolic heat minus all other terms.",
        signed=True,
    ),
    Quantity(
        "residual_percent", "residual", "%", 3,
        "The residual in percent of the largest term of the energy balance.",
    ),
)  # fmt: skip

COVERED_WITH_MARGIN = ("covered_fraction_5mm", "covered_fraction_10mm")
"""Keys of a target's covered fractions with a margin, in the order of `lesion.target_cover.MARGINS`."""

DOSE_VOLUME = (
    Quantity(
        "peak_temperature_degC", "maximum temperature", "degC", 0,
        "Fraction of the structure's volume whose highest temperature over time is at or above each threshold.",
    ),
    Quantity(
        "cem43_min", "thermal dose CEM43", "min", 1,
        "Fraction of the structure's volume whose cumulative equivalent minutes at 43 degC are at or above each "
        "threshold.",
    ),
    Quantity(
        "omega", "Arrhenius integral", "", 2,
        "Fraction of the structure's volume whose Arrhenius integral is at or above each threshold; for an Arrhenius "
        "verdict rule.",
    ),
    Quantity(
        "dead_fraction", "fraction of dead cells", "", 2,
        "Fraction of the structure's volume whose fraction of dead cells is at or above each threshold; for a "
        "cell-death verdict rule.",
    ),
)  # fmt: skip

HISTOGRAM_KEYS = {
    "isotherm": "peak_temperature_degC", "cem43": "cem43_min", "arrhenius": "omega", "cell_death": "dead_fraction",
}  # fmt: skip
"""Key in `dose_volume` of the histogram for each kind of lesion rule."""

TERMS = {
    "error bar": "Numerical error of a number, printed after ±: its change on a mesh twice as coarse with longer time "
    "steps. It does not include the uncertainty of tissue values.",
    "verdict": "Target: REACHED where the covered fraction is at least the required fraction, PARTLY REACHED or MISSED "
    "otherwise. Protected structure: SAFE where it stays at or below its temperature limit, LIMIT EXCEEDED otherwise.",
    "dose-volume histogram": "Fraction of a structure's volume whose highest temperature or thermal dose is at or "
    "above each of a list of thresholds (`dose_volume` in `summary.json`).",
    "lesion rule": "Criterion for dead tissue: an isotherm of the highest temperature over time, an Arrhenius integral "
    "(1 unless the rule names another value), a thermal dose (CEM43), or a fraction of dead cells.",
}
"""Terms of the card and the report that are not quantities."""
