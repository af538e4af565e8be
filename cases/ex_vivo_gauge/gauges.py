"""Computes lesion widths for 22 and 16 G with the parts of a real cannula added one by one: the tables of README.md.

python cases/ex_vivo_gauge/gauges.py            (minutes; argument "3d" for the bevels, which take longer)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from mpi4py import MPI

from rfablate.case.read.case_file import load_case
from rfablate.physics.library import applicator_model
from rfablate.simulation.run import run

HERE = Path(__file__).parent
QUICK = ("output.report=false", "output.error_bar=false", "output.fields_interval_s=60")
ISOTHERMS = ("isotherm_50C", "isotherm_55C", "isotherm_60C")


def keys(**values: object) -> list[str]:
    """Return `--set` changes to the first applicator."""
    return [f"applicators.0.{key}={value}" for key, value in values.items()]


def variants(gauge: str) -> dict[str, list[str]]:
    """Return the changes to the case for each variant of a gauge."""
    sharp = applicator_model(f"cannula-{gauge}g-10mm-tube")
    d, wall, behind = sharp["outer_diameter_mm"], sharp["wall_mm"], sharp["sensor_offset_mm"]
    tube, cone = keys(wall_mm=wall), keys(tip_shape="conical", bevel_angle_deg=30)
    return {
        "solid cylinder, sensor 1 mm from the tip": [],
        "sensor 0.3 mm from the tip": keys(sensor_offset_mm=0.3),
        "sensor 3 mm from the tip": keys(sensor_offset_mm=3),
        "sensor in the middle of the tip": keys(sensor_offset_mm=5),
        "sensor behind a bevel: 2 diameters from the tip": keys(sensor_offset_mm=1.982 * d),
        "tube, steel in the lumen": [*tube, *keys(lumen_material="stainless_steel")],
        "tube, plastic in the lumen": [*tube, *keys(lumen_material="ptfe")],
        "tube, air in the lumen": tube,
        "coat of 0.04 mm on the shaft": keys(insulation_mm=0.04),
        "30 degree cone": cone,
        "cone, the library's sensor of a bevel": [*cone, *keys(sensor_offset_mm=behind)],
        "cone, that sensor, tube with air, coat": [
            *cone,
            *tube,
            *keys(sensor_offset_mm=behind, insulation_mm=0.04),
        ],
        "tip of 5 mm": keys(active_tip_mm=5),
        "tip of 15 mm": keys(active_tip_mm=15),
        "1 min": ["generator.hold_s=60"],
    }


def bevels(gauge: str) -> dict[str, list[str]]:
    """Return the variants that need a 3-D domain."""
    return {
        "3-D: solid cylinder": ["domain.kind=cylinder"],
        "3-D: bevel, the library's sensor": ["domain.kind=cylinder", *keys(model=f"cannula-{gauge}g-10mm")],
        "3-D: bevel, tube with air": ["domain.kind=cylinder", *keys(model=f"cannula-{gauge}g-10mm-tube")],
    }


def widths(gauge: str, changes: list[str]) -> list[float]:
    """Return the width inside each isotherm [mm]."""
    case = load_case(HERE, [*QUICK, *keys(model=f"cannula-{gauge}g-10mm-blunt"), *changes])
    with tempfile.TemporaryDirectory() as folder:
        summary = run(case, Path(folder) / "run", MPI.COMM_SELF).summary
    assert summary["electric"]["limited_s"] == 0.0
    return [float(summary["lesion"][rule]["width_mm"]) for rule in ISOTHERMS]


def main() -> None:
    """Print the widths at 22 and 16 G and the gain for each isotherm, one line per variant."""
    make = bevels if "3d" in sys.argv[1:] else variants
    print(f"{'':<50} {'  '.join(f'{rule:<22}' for rule in ISOTHERMS)}")
    for name in make("22"):
        pairs = zip(*(widths(gauge, make(gauge)[name]) for gauge in ("22", "16")), strict=True)
        gains = [f"{a:5.2f} {b:5.2f} mm {100 * (b / a - 1):+5.1f} %" for a, b in pairs]
        print(f"{name:<50} {'  '.join(gains)}", flush=True)


if __name__ == "__main__":
    main()
