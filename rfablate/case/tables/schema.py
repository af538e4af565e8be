"""The case: every table a user can write, frozen, in SI inside and clinic units in the file's keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.channel_tables import Channel, Sharing
from rfablate.case.tables.credibility_table import CredibilityTable
from rfablate.case.tables.generator_tables import Generator
from rfablate.case.tables.geometry_tables import Applicator, Domain, Structure
from rfablate.case.tables.liquids import Injectate
from rfablate.case.tables.numerics_tables import Mesh, Solver, Time
from rfablate.case.tables.units import Celsius, Fraction, NotNegative, Number, Positive
from rfablate.errors import CaseError, Fault
from rfablate.physics.laws import LawName


class Boundary(Table):
    """The outer surface of a generated domain; a user's mesh states its own surfaces."""

    thermal: Literal["fixed_temperature", "insulated"] = "fixed_temperature"
    """Thermal condition: "fixed_temperature" holds the outer surface at body temperature, "insulated" is a zero heat
    flux."""
    electric: Literal["return", "insulated"] = "return"
    """Electric condition: "return" puts the outer surface at zero potential, as a dispersive pad far away; "insulated"
    is a zero current density and requires a return electrode."""


class BodyTable(Table):
    """Start temperature, and blood: what perfusion brings in."""

    temperature: Celsius = Field(default=37.0, alias="temperature_degC")
    """Temperature of all tissue at the start and of surfaces at body temperature [degC]; at most 200."""
    blood_temperature: Celsius = Field(default=37.0, alias="blood_temperature_degC")
    """Temperature of the blood that perfusion brings in [degC]; at most 200."""
    blood_density: Positive = Field(default=1050.0, alias="blood_density_kg_per_m3")
    """Density of blood [kg/m3]."""
    blood_heat_capacity: Positive = Field(default=3617.0, alias="blood_heat_capacity_J_per_kgK")
    """Specific heat capacity of blood [J/(kg K)]."""


Samples = Annotated[tuple[Number, ...], Field(min_length=2)]


class TissueOverride(Table):
    """A tissue of the user's own, or changes to a library tissue (`base`, or the table's name)."""

    base: str | None = Field(default=None, examples=["muscle"])
    """Library tissue whose values apply to all keys that are not given. By default the one with the table's name; if
    there is none, density, heat capacity, k, sigma and perfusion are needed."""
    density: Positive | None = Field(default=None, alias="density_kg_per_m3", examples=[1090])
    """Density [kg/m3]. By default that of the library tissue."""
    heat_capacity: Positive | None = Field(default=None, alias="heat_capacity_J_per_kgK", examples=[3421])
    """Specific heat capacity [J/(kg K)]. By default that of the library tissue."""
    k: Positive | None = Field(default=None, alias="k_W_per_mK", examples=[0.49])
    """Thermal conductivity at 37 degC [W/(m K)]. By default that of the library tissue."""
    k_law: LawName = "linear"
    """How k changes with temperature: 1 + slope (T - 37), or exp(slope (T - 37)); constant above 100 degC."""
    k_slope: Number | None = Field(default=None, alias="k_slope_per_K", examples=[0.002])
    """Relative change of k per kelvin at 37 degC [1/K]. By default that of the library tissue, else 0."""
    k_table_T: Samples | None = Field(default=None, alias="k_table_degC", examples=[[37, 60, 100]])
    """Temperatures, rising, at which `k_table_W_per_mK` gives k [degC]. By default there is no table."""
    k_table: Samples | None = Field(default=None, alias="k_table_W_per_mK", examples=[[0.49, 0.51, 0.55]])
    """Thermal conductivity at the temperatures `k_table_degC` [W/(m K)], above 0; linear between them, constant
    outside. It replaces value, law and slope."""
    sigma: NotNegative | None = Field(default=None, alias="sigma_S_per_m", examples=[0.45])
    """Electric conductivity at 37 degC and the generator's frequency [S/m]. By default that of the library tissue."""
    sigma_law: LawName = "linear"
    """How sigma changes with temperature: 1 + slope (T - 37), or exp(slope (T - 37)); constant above 100 degC."""
    sigma_slope: Number | None = Field(default=None, alias="sigma_slope_per_K", examples=[0.02])
    """Relative change of sigma per kelvin at 37 degC [1/K]. By default that of the library tissue, else 0."""
    sigma_table_T: Samples | None = Field(default=None, alias="sigma_table_degC", examples=[[37, 60, 100]])
    """Temperatures, rising, at which `sigma_table_S_per_m` gives sigma [degC]. By default there is no table."""
    sigma_table: Samples | None = Field(default=None, alias="sigma_table_S_per_m", examples=[[0.45, 0.66, 1.02]])
    """Electric conductivity at the temperatures `sigma_table_degC` [S/m], above 0; linear between them, constant
    outside. It replaces value, law and slope."""
    sigma_dry: Fraction = Field(default=1.0, alias="sigma_dry_fraction")
    """Fraction of sigma that is left in dry tissue, e.g. 0.001 for charring; sigma falls as the water boils
    (`water_fraction`), else from 100 to 105 degC. The default 1 means no drying."""
    perfusion: NotNegative | None = Field(default=None, alias="perfusion_per_s", examples=[6.7e-4])
    """Blood perfusion omega_b, volume of blood per second and volume of tissue [1/s]; at most 0.1. Give it in one unit.
    By default that of the library tissue."""
    perfusion_kg: NotNegative | None = Field(default=None, alias="perfusion_mL_per_min_per_kg", examples=[37])
    """Blood perfusion, volume of blood per minute and mass of tissue [mL/min/kg]. Give it in one unit. By default that
    of the library tissue."""
    perfusion_100g: NotNegative | None = Field(default=None, alias="perfusion_mL_per_min_per_100g", examples=[3.7])
    """Blood perfusion, volume of blood per minute and 100 g of tissue [mL/min/100 g]. Give it in one unit. By default
    that of the library tissue."""
    perfusion_mass: NotNegative | None = Field(default=None, alias="perfusion_kg_per_m3_s", examples=[0.7])
    """Blood perfusion, mass of blood per second and volume of tissue [kg/m3/s]; divided by the body's blood density it
    is omega_b. Give it in one unit. By default that of the library tissue."""
    perfusion_rise: Annotated[float, Field(strict=True, ge=1, le=20)] | None = Field(default=None, examples=[8.9])
    """Perfusion at 45 degC and above divided by that at 37 degC, before damage stops it: muscle 8.9, fat 2 (Lang 1999).
    By default perfusion does not rise, unless that of the library tissue does."""
    metabolic_heat: NotNegative | None = Field(default=None, alias="metabolic_heat_W_per_m3", examples=[1000])
    """Metabolic heat production [W/m3]. By default that of the library tissue, else 0."""
    water_fraction: Fraction | None = Field(default=None, examples=[0.76])
    """Volume fraction of water, which boils at 100 degC with a latent heat of 2.26e9 J/m3; 0.68 in liver. By default
    nothing boils."""
    damage_set: str | None = Field(default=None, examples=["liver"])
    """Arrhenius set of the library for this tissue (`rfablate library damage`). By default that of [damage]."""
    source: str | None = Field(default=None, examples=["measured at 500 kHz, 2024"])
    """Where the values come from, as free text; it is shown in the report."""


# --- numerics and results -------------------------------------------------------------------------


class Damage(Table):
    """Arrhenius damage: a set of the library, or `A` and `Ea`; blood stops at `perfusion_stop_omega`."""

    set: str = "liver"
    """Arrhenius parameters of the library (`rfablate library damage`). Not used where `A_per_s` and `Ea_J_per_mol` are
    given."""
    A: Positive | None = Field(default=None, alias="A_per_s", examples=[7.39e39])
    """Frequency factor of the Arrhenius integral [1/s], together with `Ea_J_per_mol`. By default that of `set`."""
    Ea: Positive | None = Field(default=None, alias="Ea_J_per_mol", examples=[2.577e5])
    """Activation energy of the Arrhenius integral [J/mol], together with `A_per_s`. By default that of `set`."""
    perfusion_stops: bool = True
    """Whether damage stops perfusion."""
    perfusion_stop_omega: Positive = 1.0
    """Arrhenius integral Omega, dimensionless, at which perfusion has stopped (`perfusion_law = "fade"`)."""
    perfusion_fade: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.5
    """Fraction of `perfusion_stop_omega` over which perfusion falls linearly to zero; 0 stops it at once. The default
    is assumed."""
    perfusion_law: Literal["fade", "stasis"] = "fade"
    """How damage stops perfusion: "fade" linearly up to `perfusion_stop_omega`; "stasis" with the degree of stasis
    1 - exp(-Omega): it first rises to 1.6 times, then falls to zero, without a threshold."""


class LesionTable(Table):
    """Rules that say where tissue is lesion; the first, or `verdict_rule`, decides about structures."""

    rules: tuple[str, ...] = ("isotherm_50C", "arrhenius", "cem43_240")
    """Lesion rules that are reported, at least one: isotherm_<T>C, arrhenius, arrhenius_<Omega>, cem43_<minutes>,
    cell_death, cell_death_<fraction>."""
    verdict_rule: str | None = Field(default=None, examples=["arrhenius"])
    """The rule of `rules` that decides whether targets are reached. By default the first."""


class OutputTable(Table):
    """What is written and how often."""

    fields_interval: Positive | None = Field(default=None, alias="fields_interval_s", examples=[10])
    """Simulated time between frames of fields.vtkhdf [s]. By default a tenth of the treatment."""
    observe_at: tuple[Positive, ...] = Field(default=(), alias="observe_at_s", examples=[[30, 60]])
    """Simulated times, at most the end of the treatment, at which all numbers of lesion, structures, electrodes and
    energy are also written to summary.json [s]. By default only those at the end are written."""
    checkpoint_every: NotNegative = Field(default=0.0, alias="checkpoint_every_s")
    """Simulated time between checkpoints [s]; each is written after the step that reaches it. The default 0 writes
    checkpoints by wall time only."""
    checkpoint_wall: NotNegative = Field(default=60.0, alias="checkpoint_wall_s")
    """Wall time between checkpoints [s]; longer where writing one takes more than a hundredth of it. 0 writes none by
    wall time."""
    report: bool = True
    """Whether report.html is written at the end of the run."""
    error_bar: bool = True
    """Whether the case is run a second time on a coarser mesh with longer steps, for the numerical error bars."""
    check_machine: bool = True
    """Whether a run that needs more memory or disk space than this machine has is rejected, by an estimate before
    meshing and before the solve; false is the same as `rfablate run --force`."""


class Case(Table):
    """Everything that defines one run. Lengths in m, temperatures in degC, otherwise SI."""

    title: str = "untitled"
    """Title of the case, shown in log, card and report."""
    start_from: str | None = Field(default=None, examples=["../runs/first"])
    """Directory of a finished run that treated the same tissue before: its damage is carried over. A relative path
    starts from the case file's folder. By default the tissue is untreated."""
    allow_paths: tuple[str, ...] = Field(default=(), examples=[["../images", "../../runs"]])
    """Folders, besides the case file's own, in which the case may name files; relative paths start from its folder. A
    path outside them is rejected unless it is set on the command line. A run writes the folders of all its files."""
    cooled: bool = True
    """Whether tissue has cooled to body temperature since the run `start_from`; false starts with its final
    temperatures. Only with `start_from`."""
    domain: Domain
    """The simulated block of tissue: a generated shape, or a user's mesh."""
    boundary: Boundary = Boundary()
    """Conditions on the outer surface of a generated domain."""
    body: BodyTable = BodyTable()
    """Start temperature of tissue, and properties of blood."""
    tissue_file: str | None = Field(default=None, examples=["my_tissues.toml"])
    """TOML file of [tissues.NAME] tables, which the case's own override; a relative path starts from the case file's
    folder. By default there is none."""
    tissues: dict[str, TissueOverride] = {}
    """Tissues of the user's own, or changes to library tissues, each a [tissues.NAME] table."""
    structures: tuple[Structure, ...] = ()
    """Anatomy in the domain, each a [[structures]] table; where two overlap, the later one has priority."""
    injectates: tuple[Injectate, ...] = ()
    """Saline injected before the treatment, each a [[injectates]] table."""
    applicators: tuple[Applicator, ...] = Field(min_length=1)
    """Cannulae and electrodes, each a [[applicators]] table; or the text "from mesh", which takes tip, direction,
    diameter and active length from the active surface of a user's mesh."""
    generator: Generator
    """Treatment protocol and limits of the generator."""
    channels: tuple[Channel, ...] = ()
    """Outputs of the generator, each a [[channels]] table. By default there is one, and each electrode has the role
    of its applicator."""
    sharing: Sharing = Sharing()
    """How channels share the generator."""
    mesh: Mesh = Mesh()
    """Element sizes of a generated mesh."""
    time: Time = Time()
    """Time steps and their accuracy."""
    solver: Solver = Solver()
    """Tolerances of the linear solvers."""
    damage: Damage = Damage()
    """Arrhenius parameters, and how damage stops perfusion."""
    lesion: LesionTable = LesionTable()
    """Criteria by which tissue counts as lesion."""
    output: OutputTable = OutputTable()
    """What a run writes, and how often."""
    credibility: CredibilityTable | None = None
    """Question, context of use and risk, for `rfablate credibility`; changes no result. By default not stated."""

    def with_changes(self, changes: Mapping[str, Any]) -> Case:
        """Return the case with other values for some keys; this one is unchanged.

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
        """Write the case as a TOML file and return its path; a missing folder is created.

        Raises:
            CaseError: the file cannot be written.
        """
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self.to_toml(), encoding="utf-8")
        except OSError as error:
            raise CaseError([Fault(str(file), error.strerror or str(error), "a writable file")], "save") from None
        return file


_FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""What reads and writes cases. `case.read` lies above the tables and registers itself here when it is imported."""


def register(*, change: Callable[..., Any], dump: Callable[..., Any]) -> None:
    """Let `Case.with_changes` and `Case.to_toml` use these functions."""
    _FUNCTIONS.update(change=change, dump=dump)
