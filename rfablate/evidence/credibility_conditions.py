"""The conditions of a case and of experiments, and which of them the validation covers. Pure apart from reading cases.

After P. Pathmanathan et al., J Verif Valid Uncert 2:021005 (2017): what differs between the setting in which a model
was validated and that in which it is used is listed item by item, so that each difference can be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rfablate.case.geometry.applicator_axes import applicator_frame
from rfablate.case.read.case_file import parse_case, read_case_file
from rfablate.case.resolve.tissues import case_tissues
from rfablate.case.tables.generator_tables import Staged, on_time
from rfablate.case.tables.geometry_tables import Applicator, MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError
from rfablate.evidence.experiment_file import FOLDER, Experiment, experiment_names, load_experiment
from rfablate.evidence.experiment_runs import NOMINAL, Variant, case_of
from rfablate.physics.library import tissue_names

VARIED = re.compile(r"-input\d+-(low|high)$")
"""Ending of the directory of a run at one end of an uncertain input."""
KIND = ("applicator", "electrodes", "tissue", "blood flow", "generator")
"""Characteristics by which an experiment is compared with a case, in order of weight."""
NEEDED = ("applicator", "electrodes")
"""Characteristics that an experiment must share to count as validation of a case."""
SET_POINTS = {
    "temperature": ("target", "degC"),
    "surface_temperature": ("target", "degC"),
    "power": ("power", "W"),
    "voltage": ("voltage", "V"),
    "current": ("current", "A"),
    "pulsed": ("voltage", "V"),
}
"""Generator kind -> field of its set point, unit."""


@dataclass(frozen=True)
class Conditions:
    """What characterises a run; texts for kinds, numbers with the unit in the name."""

    applicator: str
    electrodes: str
    tissue: str
    """Library tissue at the middle of the first active tip, or the case's own."""
    blood_flow: str
    """Whether any tissue of the case is perfused."""
    generator: str
    rule: str
    """Lesion rule of the verdicts."""
    diameter_mm: float
    active_tip_mm: float
    start_degC: float
    duration_s: float
    set_point: float | None
    """None for a protocol of stages or a replay."""
    set_point_unit: str
    features: frozenset[str]
    """Parts of the model beyond tissue and applicator."""

    def kind(self, name: str) -> str:
        """Return a characteristic of KIND, or "lesion rule"."""
        return str(getattr(self, {"lesion rule": "rule"}.get(name, name.replace(" ", "_"))))


@dataclass(frozen=True)
class Coverage:
    """Whether the validation covers one characteristic of a case."""

    name: str
    here: str
    validated: str
    """Values or range in the experiments."""
    inside: bool


def conditions_of(case: Case) -> Conditions:
    """Return the conditions of a case."""
    first = next((each for each in case.applicators if each.electrode == "active"), case.applicators[0])
    field, unit = SET_POINTS.get(case.generator.kind, ("", ""))
    perfused = any(each.perfusion > 0.0 for each in case_tissues(case).values())
    return Conditions(
        applicator=_applicator(first),
        electrodes=_electrodes(case),
        tissue=_tissue_at_tip(case, first),
        blood_flow="perfused (in vivo)" if perfused else "not perfused (ex vivo)",
        generator=case.generator.kind.replace("_", " "),
        rule=case.lesion.verdict_rule or case.lesion.rules[0],
        diameter_mm=first.outer_diameter * 1e3,
        active_tip_mm=first.active_tip * 1e3,
        start_degC=case.body.temperature,
        duration_s=_duration(case),
        set_point=float(getattr(case.generator, field)) if field else _highest_stage(case),
        set_point_unit=unit or "degC",
        features=frozenset(_features(case)),
    )


def experiment_conditions(name: str, directory: Path | None) -> tuple[Conditions, ...]:
    """Return the conditions of the nominal runs of an experiment; none where its cases are not known.

    Args:
        name: name of the experiment.
        directory: directory of a validation, whose runs are read; None: the experiments of the package.
    """
    runs = sorted((directory / "runs" / name).glob("*/case.toml")) if directory is not None else []
    cases = [_read(file) for file in runs if not VARIED.search(file.parent.name)]
    known = [case for case in cases if case is not None]
    if not known and (FOLDER / f"{name}.toml").is_file():
        known = list(_package_cases(load_experiment(name)))
    return tuple(dict.fromkeys(conditions_of(case) for case in known))


def package_conditions() -> dict[str, tuple[Conditions, ...]]:
    """Return the conditions of all experiments of the package by name; other models are no experiments."""
    measured = [name for name in experiment_names() if load_experiment(name).table.kind == "experiment"]
    return {name: experiment_conditions(name, None) for name in measured}


def shared(here: Conditions, runs: Iterable[Conditions]) -> tuple[str, ...]:
    """Return the characteristics of KIND that the case shares with the run that is most like it."""
    matches = [tuple(name for name in KIND if here.kind(name) == run.kind(name)) for run in runs]
    return max(matches, key=len, default=())


def applies(here: Conditions, runs: Iterable[Conditions]) -> bool:
    """Return whether runs of an experiment have the kind of applicator and of current path of a case."""
    return any(all(here.kind(name) == run.kind(name) for name in NEEDED) for run in runs)


def coverage(here: Conditions, runs: Sequence[Conditions]) -> list[Coverage]:
    """Return for each characteristic of a case whether the runs cover it.

    Ranges are over the runs with the applicator kind of the case; that of the set point over those with its generator
    as well. A number covers what lies between the smallest and the largest value.
    """
    alike = [run for run in runs if run.applicator == here.applicator]
    driven = [run for run in alike if (run.generator, run.set_point_unit) == (here.generator, here.set_point_unit)]
    found = []
    for name in (*KIND, "lesion rule"):
        values = sorted({run.kind(name) for run in (runs if name == "applicator" else alike)})
        found.append(Coverage(name, here.kind(name), "; ".join(values) or "none", here.kind(name) in values))
    nearest = shared(here, runs)
    together = f"{', '.join(nearest)} in one run" if nearest else "none"
    found.append(Coverage("combination", f"{', '.join(KIND)} in one run", together, len(nearest) == len(KIND)))
    unit = here.set_point_unit
    for name, value, numbers, mark in (
        ("diameter", here.diameter_mm, [run.diameter_mm for run in alike], "mm"),
        ("active tip", here.active_tip_mm, [run.active_tip_mm for run in alike], "mm"),
        ("start temperature", here.start_degC, [run.start_degC for run in alike], "degC"),
        ("set point", here.set_point, [run.set_point for run in driven if run.set_point is not None], unit),
        ("duration", here.duration_s, [run.duration_s for run in alike], "s"),
    ):
        found.append(_range(name, value, numbers, mark))
    known = {feature for run in alike for feature in run.features}
    found += [
        Coverage("model part", feature, feature if feature in known else "none", feature in known)
        for feature in sorted(here.features)
    ]
    return found


def _range(name: str, value: float | None, numbers: Sequence[float], unit: str) -> Coverage:
    here = "none" if value is None else f"{value:.4g} {unit}"
    if not numbers:
        return Coverage(name, here, "none", inside=value is None)
    low, high = min(numbers), max(numbers)
    text = f"{low:.4g} {unit}" if low == high else f"{low:.4g} to {high:.4g} {unit}"
    tolerance = 1e-6 * max(abs(low), abs(high))
    return Coverage(name, here, text, inside=value is None or low - tolerance <= value <= high + tolerance)


def _applicator(each: Applicator) -> str:
    if each.tines is not None:
        return "expandable electrode"
    if each.coolant is not None:
        return "internally cooled electrode"
    return "ring needle" if each.ring is not None else "uncooled cannula"


def _electrodes(case: Case) -> str:
    bipolar = any(each.electrode == "return" or each.ring is not None for each in case.applicators)
    bipolar = bipolar or any(channel.returns for channel in case.channels)
    path = "bipolar" if bipolar else "monopolar"
    return f"{path}, {'one applicator' if len(case.applicators) == 1 else 'several applicators'}"


def _tissue_at_tip(case: Case, applicator: Applicator) -> str:
    """Return the library name of the tissue around the middle of the active tip."""
    if isinstance(case.domain, MeshDomain):
        return "regions of a mesh"
    point = applicator_frame(applicator).centre_line(np.array([0.5 * applicator.active_tip]))
    inside = [each.tissue for each in case.structures if each.has_shape and bool(each.contains(point)[0])]
    name = inside[-1] if inside else case.domain.tissue
    own = case.tissues.get(name)
    base = own.base if own is not None and own.base else name
    return base if base in tissue_names() else f"{name} (of the case)"


def _features(case: Case) -> list[str]:
    tissues = case_tissues(case).values()
    mesh = isinstance(case.domain, MeshDomain)
    bodies = case.domain.regions if isinstance(case.domain, MeshDomain) else case.structures
    around = set() if isinstance(case.domain, MeshDomain) else {case.domain.tissue}
    flags = {
        "flow in a vessel": any(each.flow is not None for each in bodies),
        "structure held at a temperature": any(each.held is not None and each.flow is None for each in bodies),
        "structures of other tissues": len(around | {each.tissue for each in bodies}) > 1,
        "injected fluid": bool(case.injectates),
        "prior treatment": case.start_from is not None,
        "boiling": any(each.water_fraction > 0.0 for each in tissues),
        "curved tip": any(each.bend is not None for each in case.applicators),
        "several channels": len(case.channels) > 1,
        "user's mesh": mesh,
    }
    return [name for name, present in flags.items() if present]


def _duration(case: Case) -> float:
    try:
        return float(on_time(case.generator))
    except (OSError, ValueError):
        return 0.0


def _highest_stage(case: Case) -> float | None:
    """Return the highest set point of a protocol of stages [degC]; None where there is none."""
    if not isinstance(case.generator, Staged):
        return None
    targets = [target for stage in case.generator.stages if (target := getattr(stage, "target", None)) is not None]
    return max(targets, default=None)


def _package_cases(experiment: Experiment) -> Iterable[Case]:
    used = dict.fromkeys(name for row in experiment.rows for name in (row.run, row.against) if name)
    return [case_of(experiment, name, Variant(NOMINAL)) for name in used]


def _read(file: Path) -> Case | None:
    try:
        return parse_case(read_case_file(file), file.parent, str(file), check=False)
    except CaseError:
        return None
