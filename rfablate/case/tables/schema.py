"""The case: every table a user can write, frozen, in SI inside and clinic units in the file's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.channel_tables import Channel, Sharing
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.geometry_tables import Applicator, Domain, Structure
from rfablate.case.tables.liquids import Injectate
from rfablate.case.tables.units import Celsius, Fraction, MmPositive, NotNegative, Number, Positive


class Boundary(Table):
    """The outer surface of a generated domain; a user's mesh states its own surfaces."""

    thermal: Literal["fixed_temperature", "insulated"] = "fixed_temperature"
    electric: Literal["return", "insulated"] = "return"


class Body(Table):
    """Start temperature, and blood: what perfusion brings in."""

    temperature: Celsius = Field(default=37.0, alias="temperature_degC")
    blood_temperature: Celsius = Field(default=37.0, alias="blood_temperature_degC")
    blood_density: Positive = Field(default=1050.0, alias="blood_density_kg_per_m3")
    blood_heat_capacity: Positive = Field(default=3617.0, alias="blood_heat_capacity_J_per_kgK")


Samples = Annotated[tuple[Number, ...], Field(min_length=2)]


class TissueOverride(Table):
    """A tissue of the user's own, or changes to a library tissue (`base`, or the table's name)."""

    base: str | None = None
    density: Positive | None = Field(default=None, alias="density_kg_per_m3")
    heat_capacity: Positive | None = Field(default=None, alias="heat_capacity_J_per_kgK")
    k: Positive | None = Field(default=None, alias="k_W_per_mK")
    k_law: Literal["linear", "exponential"] = "linear"
    k_slope: Number | None = Field(default=None, alias="k_slope_per_K")
    k_table_T: Samples | None = Field(default=None, alias="k_table_degC")
    k_table: Samples | None = Field(default=None, alias="k_table_W_per_mK")
    """k at the temperatures `k_table_degC`, instead of value, law and slope."""
    sigma: NotNegative | None = Field(default=None, alias="sigma_S_per_m")
    sigma_law: Literal["linear", "exponential"] = "linear"
    sigma_slope: Number | None = Field(default=None, alias="sigma_slope_per_K")
    sigma_table_T: Samples | None = Field(default=None, alias="sigma_table_degC")
    sigma_table: Samples | None = Field(default=None, alias="sigma_table_S_per_m")
    """sigma at the temperatures `sigma_table_degC`, instead of value, law and slope."""
    sigma_dry: Fraction = Field(default=1.0, alias="sigma_dry_fraction")
    """Fraction of sigma that is left where water has gone: 1e-3 chars, 1 does not dry.

    With a `water_fraction` ln sigma falls as that water boils, else with temperature from 100 to 105 degC.
    """
    perfusion: NotNegative | None = Field(default=None, alias="perfusion_per_s")
    perfusion_kg: NotNegative | None = Field(default=None, alias="perfusion_mL_per_min_per_kg")
    perfusion_100g: NotNegative | None = Field(default=None, alias="perfusion_mL_per_min_per_100g")
    perfusion_mass: NotNegative | None = Field(default=None, alias="perfusion_kg_per_m3_s")
    """Blood's mass: the body's blood density makes it omega_b."""
    perfusion_rise: Annotated[float, Field(strict=True, ge=1, le=20)] | None = None
    """Perfusion at 45 degC and above over that at 37 degC, before damage stops it: muscle 8.9, fat 2 (Lang 1999)."""
    metabolic_heat: NotNegative | None = Field(default=None, alias="metabolic_heat_W_per_m3")
    water_fraction: Fraction | None = None
    """Water in the tissue by volume, which boils at 100 degC and takes 2.26e9 J/m3 to do so: 0.68 in liver."""
    damage_set: str | None = None
    """Arrhenius set of the library for this tissue; by default that of [damage]."""
    source: str | None = None


# --- numerics and results -------------------------------------------------------------------------


class Mesh(Table):
    """Element sizes: `size_tip` on the active tip, growing with distance at `growth` (1/1) up to `size_far`.

    What is not given follows from `accuracy` and the cannula's diameter (see `rfablate.case.geometry.element_sizes`).
    """

    accuracy: Literal["draft", "standard", "fine"] = "standard"
    size_tip: MmPositive | None = Field(default=None, alias="size_tip_mm")
    size_structure: MmPositive | None = Field(default=None, alias="size_structure_mm")
    size_far: MmPositive | None = Field(default=None, alias="size_far_mm")
    growth: Annotated[float, Field(strict=True, gt=0.02, le=2)] | None = None
    scale: Annotated[float, Field(strict=True, ge=0.2, le=5)] = 1.0
    """Multiplies every size and the growth: 0.7 and 1.4 show how far the answers still move with the mesh."""
    max_cells: Annotated[float, Field(strict=True, gt=0)] = 2e7
    """A case whose mesh would have more cells, by an estimate from its sizes good to a factor of two, is refused."""
    interfaces: Literal["auto", "conforming", "cells"] = "auto"
    """`conforming`: structures' surfaces are mesh surfaces; `cells`: a cell takes what its centroid is in."""


class Time(Table):
    """Time stepping: adaptive with a local error of at most `tolerance` a step, or fixed steps; BDF of `order`."""

    stepping: Literal["adaptive", "fixed"] = "adaptive"
    tolerance: Positive = Field(default=0.1, alias="tolerance_K")
    first_step: Positive = Field(default=0.02, alias="first_step_s")
    min_step: Positive = Field(default=1e-4, alias="min_step_s")
    max_step: Positive = Field(default=10.0, alias="max_step_s")
    step: Positive = Field(default=0.5, alias="step_s")
    """Step of the fixed mode [s]."""
    order: Literal[1, 2, 3] = 3


class Solver(Table):
    """Relative tolerances of the two linear solves, in energy, their iteration limit, and how heat is stored.

    `mass = "lumped"` puts heat capacity and perfusion at the nodes; "consistent" integrates them, and the Joule heat,
    with linear elements in full, as other codes do (3-D only). The potential is solved anew when sigma has changed by
    more than the part `potential_change` since it was last, and extrapolated in time until then; 0: every step.
    """

    heat_rtol: Annotated[float, Field(strict=True, gt=0, le=1e-2)] = 1e-11
    potential_rtol: Annotated[float, Field(strict=True, gt=0, le=1e-2)] = 1e-10
    potential_change: Annotated[float, Field(strict=True, ge=0, le=0.2)] = 0.0
    mass: Literal["lumped", "consistent"] = "lumped"
    max_iterations: Annotated[int, Field(strict=True, gt=0)] = 2000


class Damage(Table):
    """Arrhenius damage: a set of the library, or `A` and `Ea`; blood stops at `perfusion_stop_omega`."""

    set: str = "liver"
    A: Positive | None = Field(default=None, alias="A_per_s")
    Ea: Positive | None = Field(default=None, alias="Ea_J_per_mol")
    perfusion_stops: bool = True
    perfusion_stop_omega: Positive = 1.0
    perfusion_fade: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    """Fraction of `perfusion_stop_omega` over which perfusion falls to none; 0 switches it off at once."""
    perfusion_law: Literal["fade", "stasis"] = "fade"
    """`stasis`: perfusion rises to 1.6 times, then stops, with the degree of stasis 1 - exp(-Omega); no threshold."""


class Lesion(Table):
    """Rules that say where tissue is lesion; the first, or `verdict_rule`, decides about structures."""

    rules: tuple[str, ...] = ("isotherm_50C", "arrhenius", "cem43_240")
    verdict_rule: str | None = None


class Output(Table):
    """What is written and how often."""

    fields_interval: Positive | None = Field(default=None, alias="fields_interval_s")
    """Time between frames of fields.vtkhdf [s]; by default a tenth of the treatment."""
    observe_at: tuple[Positive, ...] = Field(default=(), alias="observe_at_s")
    """Times [s] at which all numbers of lesion, structures, electrodes and energy are kept in summary.json, too."""
    checkpoint_every: NotNegative = Field(default=0.0, alias="checkpoint_every_s")
    """Simulated time between checkpoints [s]; 0: only by the clock. They are written after the step that reaches it."""
    checkpoint_wall: NotNegative = Field(default=60.0, alias="checkpoint_wall_s")
    """Wall time between checkpoints [s], longer where writing one takes more than a hundredth of it; 0: none."""
    report: bool = True
    error_bar: bool = True
    """Run once more on a coarser mesh with longer steps to see how far the answers move."""


class Case(Table):
    """Everything that defines one run. Lengths in m, temperatures in degC, otherwise SI."""

    title: str = "untitled"
    start_from: str | None = None
    """Directory of a finished run that treated the same tissue before: its damage is carried over."""
    cooled: bool = True
    """Whether tissue has cooled to body temperature since that run; False: it starts as warm as it was left."""
    domain: Domain
    boundary: Boundary = Boundary()
    body: Body = Body()
    tissue_file: str | None = None
    """A file of [tissues.NAME] tables, which the case's own override; its place is relative to the case."""
    tissues: dict[str, TissueOverride] = {}
    structures: tuple[Structure, ...] = ()
    injectates: tuple[Injectate, ...] = ()
    applicators: tuple[Applicator, ...] = Field(min_length=1)
    generator: Generator
    channels: tuple[Channel, ...] = ()
    """Outputs of the generator; none: a single one, whose electrodes are as their applicators say."""
    sharing: Sharing = Sharing()
    mesh: Mesh = Mesh()
    time: Time = Time()
    solver: Solver = Solver()
    damage: Damage = Damage()
    lesion: Lesion = Lesion()
    output: Output = Output()

    def with_changes(self, changes: Mapping[str, Any]) -> Case:
        """Return the case with other values for some keys; this one stays as it is.

        Args:
            changes: key paths with their new values in the units of the case file, `{"generator.target_degC": 75,
                "applicators.0.tip_mm": [1.5, 1.5, 0.6]}`; items of a list by number or name, as after `--set`.

        Raises:
            CaseError: a key or a value is wrong, or the case that results; carries all faults.
        """
        return _FUNCTIONS["change"](self, changes)  # type: ignore[no-any-return]

    def to_toml(self) -> str:
        """Return the case as the text of a case file, every default filled in; it reads back to an equal case."""
        return _FUNCTIONS["dump"](self)  # type: ignore[no-any-return]

    def save(self, path: str | Path) -> Path:
        """Write the case as a TOML file and return its path."""
        file = Path(path)
        file.write_text(self.to_toml(), encoding="utf-8")
        return file


_FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""What reads and writes cases. `case.read` lies above the tables and registers itself here when it is imported."""


def register(*, change: Callable[..., Any], dump: Callable[..., Any]) -> None:
    """Let `Case.with_changes` and `Case.to_toml` use these functions."""
    _FUNCTIONS.update(change=change, dump=dump)
