"""Typed results of a run: `RunSummary`, the content of summary.json, and its parts. Pure.

Numbers are in clinical units, given in the names; `quantities.py` defines each number. None marks a number that does
not exist, such as the time to cover of a target that was not covered.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from rfablate.errors import CaseError, Fault
from rfablate.results.device_results import ChannelResult, Electric, PulseResult, ReplayResult
from rfablate.results.result_base import Result

SCHEMA_VERSION = 1
"""Format version of summary.json; increased when a key is renamed, removed or changes its meaning."""


class WithErrorBars(Result):
    """Numbers with their numerical error bars."""

    error_bars: dict[str, float] = Field(default={}, exclude=True)
    """Error bars by key, for the numbers that have one."""

    def error_bar(self, key: str) -> float | None:
        """Return the numerical error bar of a number in its unit; None where it has none.

        Raises:
            KeyError: there is no number of this name.
        """
        if key not in type(self).model_fields:
            raise KeyError(f"{type(self).__name__} has no number {key!r}")
        return self.error_bars.get(key)


class LesionMeasures(WithErrorBars):
    """Size of the lesion by one rule; lengths relative to the axis and the tip of the cannula."""

    width_mm: float
    width_min_mm: float
    length_mm: float
    depth_distal_mm: float
    depth_proximal_mm: float
    effective_radius_mm: float
    roundness: float
    volume_mm3: float
    bridge_level: float | None = None
    bridge_margin_mm: float | None = None


class TemperatureLimit(Result):
    """Temperature limit of a protected structure."""

    max_degC: float


class DoseVolumeHistogram(Result):
    """Fraction of a structure's volume at or above each threshold."""

    thresholds: tuple[float, ...]
    """Increasing, in the unit of the key in `dose_volume`."""
    fractions: tuple[float, ...]
    """From 0 to 1, one for each threshold."""


class StructureResult(WithErrorBars):
    """Results of one structure."""

    kind: str
    tissue: str
    role: Literal["target", "protect", "anatomy"]
    rule: str
    """Lesion rule of the verdict on the structure."""
    volume_mm3: float
    required_fraction: float
    covered_fraction: float
    covered_fraction_5mm: float | None = None
    covered_fraction_10mm: float | None = None
    max_degC: float
    hottest_point_mm: tuple[float, float, float]
    min_margin_mm: float | None
    min_margin_point_mm: tuple[float, float, float] | None = None
    time_to_cover_s: float | None
    length_mm: float | None
    coagulated_length_mm: float | None
    limit: TemperatureLimit | None
    limit_margin_mm: float | None = None
    verdict: str
    """See `results.quantities.TERMS`; empty for anatomy that is neither target nor protected."""
    within_error_bar: bool | None = None
    """Whether the verdict could change within its error bar; None without a verdict or an error bar."""
    dose_volume: dict[str, DoseVolumeHistogram] = {}
    """Dose-volume histograms; `results.quantities.DOSE_VOLUME` defines the keys."""


class EnergyBalance(Result):
    """Energy balance [J]: joule + metabolic = stored + latent + perfused + boundary + residual."""

    joule_J: float
    stored_J: float
    perfused_J: float
    boundary_J: float
    latent_J: float
    metabolic_J: float
    residual_J: float
    residual_percent: float


class RepeatVolume(Result):
    """Volume of a rule's lesion in a repeat treatment [mm3]."""

    before: float
    after: float
    added: float
    in_its_own_run: float | None = None
    """Before this treatment, on the mesh of the prior run."""


class RepeatResult(Result):
    """The prior treatment that a run starts from, and what this one added."""

    start_from: str
    """Its run directory."""
    cooled: bool
    """Whether the tissue had cooled to body temperature."""
    same_mesh: bool
    volume_mm3: dict[str, RepeatVolume]
    """By lesion rule."""


class ApplicatorResult(Result):
    """Position and size of an applicator, as the pictures show it."""

    name: str
    model: str | None = None
    tip_mm: tuple[float, float, float]
    direction: tuple[float, float, float]
    """Unit vector along the shaft."""
    active_tip_mm: float
    outer_diameter_mm: float


class CaseKind(Result):
    """Kind of the simulated domain."""

    domain_kind: str
    axisymmetric: bool


class Numerics(Result):
    """Size and cost of the computation."""

    nodes: int
    cells: int
    smallest_edge_mm: float
    interfaces: Literal["conforming", "cells"]
    """Whether the surfaces of structures are surfaces of the mesh or those of cells."""
    steps: int
    rejects: int
    heat_iterations: int
    potential_iterations: int
    potentials_extrapolated: int = 0
    """Potentials that needed no solve."""
    ranks: int
    error_bar: dict[str, float] = {}
    """Error bars by `<rule>.<number>` and `<structure>.<number>`; also in `error_bars` of lesions and structures."""


class Resumed(Result):
    """A time at which a run was resumed."""

    at: str
    """Date and time, ISO 8601, UTC."""
    from_s: float
    """Simulated time of the checkpoint [s]."""
    ranks: int


class Provenance(Result):
    """Versions, machine and start of the run."""

    rfablate: str
    dolfinx: str
    gmsh: str
    python: str
    ranks: int
    started: str
    """Date and time, ISO 8601, UTC."""
    case_sha256: str
    peak_MiB: float
    """Peak memory, summed over ranks [MiB]."""
    resumed: tuple[Resumed, ...] = ()
    extensions: dict[str, str] = {}
    """Types of the user's objects by the part that they replace."""


class Observed(Result):
    """The results at a time of `output.observe_at_s`."""

    time_s: float
    lesion: dict[str, LesionMeasures]
    structures: dict[str, StructureResult]
    energy: EnergyBalance
    electric: Electric


class ResultCheck(Result):
    """A check of the results that found something; `simulation/result_checks.py` defines the checks."""

    check: Literal[
        "model_range",
        "covered_by_range",
        "generator_limit",
        "domain_boundary",
        "lesion_resolution",
        "energy_balance",
        "error_bar",
    ]
    subject: str = ""
    """Lesion rule or structure; empty for the whole run."""
    value: float
    limit: float | None = None
    unit: str
    text: str
    """The warning: what was found, what it means, what to try."""


class RunSummary(Result):
    """All results of a run: the content of summary.json."""

    schema_version: int = SCHEMA_VERSION
    title: str
    status: Literal["completed", "stopped", "failed"]
    reason: str
    simulated_s: float
    case: CaseKind
    applicators: tuple[ApplicatorResult, ...] = ()
    lesion: dict[str, LesionMeasures]
    """Size of the lesion by rule."""
    structures: dict[str, StructureResult]
    energy: EnergyBalance
    electric: Electric
    channels: dict[str, ChannelResult] = {}
    """Output of each channel of a case with several."""
    pulses: PulseResult | None = None
    replay: ReplayResult | None = None
    repeat: RepeatResult | None = None
    observed: tuple[Observed, ...] = ()
    numerics: Numerics
    warnings: tuple[str, ...]
    checks: tuple[ResultCheck, ...] = ()
    """The checks of the results that found something; their texts are also in `warnings`."""
    timing_s: dict[str, float] = {}
    """Wall time by stage [s]."""
    provenance: Provenance

    def tree(self) -> dict[str, Any]:
        """Return the content of summary.json."""
        return self.model_dump(mode="json", exclude_unset=True)

    def with_entries(self, **sections: Any) -> RunSummary:
        """Return the summary with other sections, given as in summary.json."""
        return RunSummary.model_validate({**self.tree(), **sections})

    @model_validator(mode="before")
    @classmethod
    def _assign_error_bars(cls, data: Any) -> Any:
        """Assign the error bars, which summary.json has in one table, to their lesions and structures."""
        if not isinstance(data, dict):
            return data
        numerics = data.get("numerics")
        bars = numerics.get("error_bar") if isinstance(numerics, dict) else None
        data = dict(data)
        for section in ("lesion", "structures"):
            entries = data.get(section) or {}
            if not isinstance(entries, dict) or not isinstance(bars, dict):
                continue  # of a damaged file; the types of the fields report it
            data[section] = {
                name: {**entry, "error_bars": _of(name, bars)} if isinstance(entry, dict) else entry
                for name, entry in entries.items()
            }
        return data


def read_summary(directory: Path) -> RunSummary:
    """Return the summary of a finished run.

    Raises:
        CaseError: summary.json is missing or not a summary of rfablate.
    """
    file = directory / "summary.json"
    try:
        return RunSummary.model_validate_json(file.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "an interrupted run has no summary; continue it with rfablate resume"
        raise CaseError([Fault(str(file), reason, "the summary of a finished run", hint)], "results") from None
    except ValidationError as error:
        first = error.errors()[0]
        found = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
        raise CaseError([Fault(str(file), found, "a summary of rfablate")], "results") from None


def _of(name: str, bars: dict[str, float]) -> dict[str, float]:
    """Return the error bars whose keys start with `<name>.`, without this prefix."""
    return {key[len(name) + 1 :]: bar for key, bar in bars.items() if str(key).startswith(f"{name}.")}
