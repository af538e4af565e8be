"""Effect of each candidate explanation on the gauge effect.

Compared are the monopolar width at 22 and 16 G and the largest bipolar spacing with one lesion at 22 and 18 G.

python cases/ex_vivo_gauge/gauge_question.py            (writes gauge_question.csv; monopolar 2 min, bipolar 10 min)
python cases/ex_vivo_gauge/gauge_question.py monopolar  (without the bipolar runs)

The base is the case of this folder: solid blunt cannula, 10 mm tip, 80 degC for 2 min, start at 22 degC, lesion at
50 degC.
"""

from __future__ import annotations

import csv
import math
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.simulation.run import run

HERE = Path(__file__).parent
TABLE = HERE / "gauge_question.csv"
COLUMNS = (
    "group", "candidate", "width_22G_mm", "width_16G_mm", "gain_percent", "difference_mm",
    "spacing_22G_mm", "spacing_18G_mm", "spacing_gain_percent",
)  # fmt: skip
DIAMETER = {"22": 0.718, "18": 1.270, "16": 1.651}
RULES = ("isotherm_50C", "isotherm_45C", "isotherm_55C", "isotherm_60C", "isotherm_65C", "arrhenius", "cem43_240")
QUICK = (
    "output.report=false", "output.error_bar=false", "output.fields_interval_s=60",
    f"lesion.rules={list(RULES)}".replace("'", '"'),
)  # fmt: skip
RAMP_K_PER_S = 5.8
"""Rate of the set point in the ramp of 10 s from 22 to 80 degC."""
SPACINGS_MM = (8.0, 12.0, 16.0, 20.0)
BIPOLAR = (
    "domain.kind=cylinder", "domain.radius_mm=40", "domain.height_mm=90", "boundary.electric=insulated",
    "mesh.accuracy=draft", "generator.ramp_s=15", "generator.hold_s=90",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A candidate explanation: changes for all gauges and for each gauge."""

    group: str
    name: str
    common: Sequence[str] = ()
    own: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Changes for one gauge."""
    rule: str = "isotherm_50C"
    measure: str = ""
    """How the width is read: "" as modelled, "without hole" or "closed hole"."""
    bipolar: bool = False
    """Whether the bipolar runs are made."""


def first(**values: object) -> list[str]:
    """Return changes to the applicator."""
    return [f"applicators.0.{key}={value}" for key, value in values.items()]


def staged(overshoot_K: float) -> list[str]:
    """Return a protocol whose ramp ends above the set point, as with a sensor that lags behind the metal."""
    stages = (
        f'{{ kind = "ramp", duration_s = 10, target_degC = {80 + overshoot_K:g} }}, '
        f'{{ kind = "hold", duration_s = 120, target_degC = 80 }}'
    )
    return [f'generator={{ kind = "staged", max_power_W = 100, stages = [{stages}] }}']


def leaking(fraction: float) -> list[str]:
    """Return the set point of a metal whose sensor reads low by a fraction of its excess over 22 degC."""
    return [f"generator.target_degC={22 + 58 / (1 - fraction):.2f}"]


def tissue(laws: str) -> list[str]:
    """Return the tissue of the case with other laws of sigma and k."""
    rest = 'density_kg_per_m3 = 1060, heat_capacity_J_per_kgK = 3600, perfusion_per_s = 0, source = "assumed"'
    return [f"tissues.liver_ex_vivo={{ {rest}, {laws} }}"]


def sigma_table(factor: float) -> list[str]:
    """Return a conductivity that rises by a factor between 45 and 60 degC, on top of 1.5 %/K."""
    points = [(t, 0.4 * (1 + 0.015 * (t - 37)) * (1 + (factor - 1) * min(max((t - 45) / 15, 0), 1)))
              for t in (10, 45, 50, 55, 60, 80, 100)]  # fmt: skip
    temperatures, values = [t for t, _ in points], [round(s, 4) for _, s in points]
    return tissue(f"k_W_per_mK = 0.5, sigma_table_degC = {temperatures}, sigma_table_S_per_m = {values}")


def k_table(*values: float) -> list[str]:
    """Return thermal conductivities at 22, 50, 70 and 100 degC."""
    table = f"k_table_degC = [22, 50, 70, 100], k_table_W_per_mK = {list(values)}"
    return tissue(f"sigma_S_per_m = 0.4, sigma_slope_per_K = 0.015, {table}")


def start_at(degC: float) -> list[str]:
    """Return the start temperature."""
    return [f"body.temperature_degC={degC}", f"body.blood_temperature_degC={degC}"]


def candidates() -> list[Candidate]:
    """Return all candidates, the base first."""
    wall = {"22": first(wall_mm=0.152), "16": first(wall_mm=0.229), "18": first(wall_mm=0.216)}
    leaks = {"22": leaking(0.01), "16": leaking(0.053), "18": leaking(0.031)}
    own_tissue = "tissues.liver_ex_vivo"
    return [
        Candidate("base", "solid blunt cylinder, 50 degC", bipolar=True),
        *(Candidate("sensor", f"position: {x:g} mm from the tip", first(sensor_offset_mm=x)) for x in (0.3, 3, 5)),
        Candidate(
            "sensor", "position: 2 diameters from the tip (behind a bevel)",
            own={g: first(sensor_offset_mm=round(2 * d, 3)) for g, d in DIAMETER.items()},
        ),
        Candidate(
            "sensor", "position: 0.3 mm at 22 G, mid tip at 16 and 18 G (extreme)",
            own={"22": first(sensor_offset_mm=0.3), "16": first(sensor_offset_mm=5), "18": first(sensor_offset_mm=5)},
        ),
        Candidate("sensor", "response: 1 s at all gauges", staged(RAMP_K_PER_S)),
        Candidate(
            "sensor", "response: 0.5 s at 22 G, 3 s at 16 G",
            own={"22": staged(0.5 * RAMP_K_PER_S), "16": staged(3 * RAMP_K_PER_S)},
        ),
        Candidate("sensor", "heat leak: 3 % at all gauges", leaking(0.03)),
        Candidate(
            "sensor", "heat leak with the metal's area: 1 % at 22 G, 5.3 % at 16 G (3.1 % at 18 G)",
            own=leaks, bipolar=True,
        ),
        Candidate("contact", "contact resistance of 100 ohm mm2", first(contact_ohm_mm2=100)),
        Candidate("contact", "contact resistance of 500 ohm mm2", first(contact_ohm_mm2=500)),
        Candidate("contact", "width read without the hole of the needle", measure="without hole"),
        Candidate("contact", "displaced tissue closes the hole, volume kept", measure="closed hole"),
        Candidate("cannula", "tube, air in the lumen", own=wall),
        Candidate("cannula", "tube, steel stylet", first(lumen_material="stainless_steel"), own=wall),
        Candidate("cannula", "cone of 30 degrees", first(tip_shape="conical", bevel_angle_deg=30)),
        Candidate("cannula", "coat of 0.04 mm on the shaft", first(insulation_mm=0.04)),
        Candidate(
            "cannula", "diameters at the ends of a tolerance of 0.05 mm: 22 G thin, 16 G thick",
            own={"22": first(outer_diameter_mm=0.668), "16": first(outer_diameter_mm=1.701)},
        ),
        Candidate("tissue", "sigma constant", [f"{own_tissue}.sigma_slope_per_K=0"]),
        Candidate("tissue", "sigma 2 %/K", [f"{own_tissue}.sigma_slope_per_K=0.02"]),
        Candidate("tissue", "sigma doubles from 45 to 60 degC (membranes break)", sigma_table(2), bipolar=True),
        Candidate("tissue", "sigma halves from 45 to 60 degC (water lost)", sigma_table(0.5), bipolar=True),
        Candidate("tissue", "k rises 0.3 %/K", [f"{own_tissue}.k_slope_per_K=0.003"]),
        Candidate("tissue", "k falls to 0.3 W/mK at 100 degC (water lost)", k_table(0.5, 0.5, 0.4, 0.3), bipolar=True),
        Candidate("tissue", "k of 0.6 W/mK", [f"{own_tissue}.k_W_per_mK=0.6"]),
        *(
            Candidate("reading", rule.replace("isotherm_", "isotherm ").replace("C", " degC"), rule=rule, bipolar=True)
            for rule in RULES[1:5]
        ),
        Candidate("reading", "Arrhenius of liver, Omega = 1", rule="arrhenius", bipolar=True),
        Candidate("reading", "CEM43 = 240 min", rule="cem43_240", bipolar=True),
        Candidate("control", "ramp of 30 s", ["generator.ramp_s=30"]),
        Candidate("control", "step, 1 s ramp", ["generator.ramp_s=1"]),
        Candidate("control", "PI controller with the default gains", ["generator.control=pi"]),
        Candidate("control", "PI controller, weak (0.05 W/K, 0.01 W/K s): slow at 16 G", [
            "generator.control=pi", "generator.proportional_W_per_K=0.05", "generator.integral_W_per_K_s=0.01"]),
        Candidate("control", "overshoot of 10 K at the end of the ramp", staged(10)),
        Candidate("control", "time counted from the start of the ramp", ["generator.hold_s=110"]),
        Candidate("start", "10 degC", start_at(10), bipolar=True),
        Candidate("start", "37 degC", start_at(37), bipolar=True),
        Candidate("start", "insulated sample of 50 mm diameter", [
            "domain.radius_mm=25", "boundary.thermal=insulated"]),
        Candidate("combined", "heat leak with the metal's area, 55 degC", own=leaks, rule="isotherm_55C"),
        Candidate("combined", "contact resistance of 500 ohm mm2, 55 degC", first(contact_ohm_mm2=500),
                  rule="isotherm_55C"),
        Candidate("combined", "heat leak with the metal's area, contact resistance of 500 ohm mm2, 50 degC",
                  first(contact_ohm_mm2=500), own=leaks),
        Candidate("combined", "heat leak with the metal's area, contact resistance of 100 ohm mm2, 55 degC",
                  first(contact_ohm_mm2=100), own=leaks, rule="isotherm_55C"),
    ]  # fmt: skip


def model(number: int, gauge: str) -> str:
    """Return the change that sets the cannula of a gauge."""
    return f"applicators.{number}.model=cannula-{gauge}g-10mm-blunt"


def lesions(changes: Sequence[str]) -> dict[str, Any]:
    """Run the case with changes and return its lesions by rule."""
    case = load_case(HERE, [*QUICK, *changes])
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = run(case, Path(folder) / "run", MPI.COMM_SELF).summary["lesion"]
    return found


class Results:
    """Lesions of runs, each made once."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], dict[str, Any]] = {}

    def of(self, changes: Sequence[str]) -> dict[str, Any]:
        """Return the lesions of the case with changes."""
        key = tuple(changes)
        if key not in self._seen:
            self._seen[key] = lesions(changes)
        return self._seen[key]

    def width(self, each: Candidate, gauge: str) -> float:
        """Return the width of the monopolar lesion [mm]."""
        found = self.of([model(0, gauge), *each.common, *each.own.get(gauge, ())])
        width = float(found[each.rule]["width_mm"])
        if each.measure == "without hole":
            return width - DIAMETER[gauge]
        if each.measure == "closed hole":
            return math.sqrt(width**2 - DIAMETER[gauge] ** 2)
        return width

    def spacing(self, each: Candidate, gauge: str) -> float:
        """Return the largest spacing with one lesion [mm], between the spacings that were run; NaN outside them."""
        levels = []
        for spacing in SPACINGS_MM:
            levels.append(float(self.of(pair(each, gauge, spacing))[each.rule]["bridge_level"]))
            if levels[-1] < 0.0:
                break
        for n in range(1, len(levels)):
            if levels[n - 1] >= 0.0 > levels[n]:
                part = levels[n - 1] / (levels[n - 1] - levels[n])
                return SPACINGS_MM[n - 1] + part * (SPACINGS_MM[n] - SPACINGS_MM[n - 1])
        return math.nan


def pair(each: Candidate, gauge: str, spacing_mm: float) -> list[str]:
    """Return the changes that make the case a bipolar pair: the second cannula is the return electrode."""
    tables = ", ".join(
        f'{{ name = "{name}", model = "cannula-{gauge}g-10mm-blunt", electrode = "{role}", tip_mm = [{x}, 0, 0] }}'
        for name, role, x in (("left", "active", -spacing_mm / 2), ("right", "return", spacing_mm / 2))
    )
    own = [*each.common, *each.own.get(gauge, ())]
    return [f"applicators=[{tables}]", *BIPOLAR, *own]


def row_of(each: Candidate, results: Results, *, bipolar: bool) -> dict[str, str]:
    """Return the row of a candidate."""
    thin, thick = results.width(each, "22"), results.width(each, "16")
    row = {
        "group": each.group,
        "candidate": each.name,
        "width_22G_mm": f"{thin:.2f}",
        "width_16G_mm": f"{thick:.2f}",
        "gain_percent": f"{100 * (thick / thin - 1):.1f}",
        "difference_mm": f"{thick - thin:.2f}",
    }
    if bipolar and each.bipolar:
        near, far = results.spacing(each, "22"), results.spacing(each, "18")
        row |= {
            "spacing_22G_mm": f"{near:.1f}",
            "spacing_18G_mm": f"{far:.1f}",
            "spacing_gain_percent": f"{100 * (far / near - 1):.1f}",
        }
    return row


def main() -> None:
    """Run all candidates and write the table."""
    results, bipolar = Results(), "monopolar" not in sys.argv[1:]
    target = TABLE if bipolar else TABLE.with_name("gauge_question_monopolar.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for each in candidates():
            row = row_of(each, results, bipolar=bipolar)
            writer.writerow(row)
            file.flush()
            print("  ".join(row.values()), flush=True)


if __name__ == "__main__":
    main()
