"""Stands in for `rfablate run CASE -o DIR ...`: numbers by a formula, files in the order of a real run, some faults."""

import json
import os
import sys
import time
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.summaries import complete, complete_run


def result(case: dict) -> dict:
    """Return a summary whose numbers depend on the case alone."""
    target, hold = case["generator"]["target_degC"], case["generator"]["hold_s"]
    tip, width = case["applicators"][0]["active_tip_mm"], 0.1 * (target - 37) * (hold / 60) ** 0.25
    lesion = {"width_mm": width, "length_mm": tip + 0.4 * width, "volume_mm3": 0.5 * width**2 * (tip + 0.4 * width)}
    structure = {"role": "protect", "max_degC": 37 + 0.2 * (target - 37) + 0.01 * hold, "verdict": "safe"}
    return {
        "status": "completed",
        "reason": "the end",
        "simulated_s": case["generator"]["ramp_s"] + hold,
        "lesion": {"isotherm_50C": lesion},
        "structures": {"motor_root": structure},
        "numerics": {"nodes": 100, "error_bar": {"isotherm_50C.width_mm": 0.1, "motor_root.max_degC": 0.2}},
        "timing_s": {"total": 0.0},
    }


def write(directory: Path, case: dict) -> None:
    """Write summary.json, whole or not at all."""
    summary = result(case)
    for time_s in case["output"].get("observe_at_s", ()):
        case["generator"]["hold_s"] = time_s - case["generator"]["ramp_s"]
        at = result(case)
        numbers = complete({k: at[k] for k in ("lesion", "structures")})
        summary.setdefault("observed", []).append({"time_s": time_s, **numbers})
    part = directory / "summary.json.part"
    part.write_text(json.dumps(complete_run(summary)))
    part.replace(directory / "summary.json")


def main() -> int:
    """Run one member; STUB_LOG tells what was started, STUB_SLEEP how long it takes."""
    file = Path(sys.argv[2])
    case = tomllib.loads(file.read_text())
    with open(os.environ["STUB_LOG"], "a") as log:
        log.write(f"{file.parent.name}\n")
    time.sleep(float(os.environ.get("STUB_SLEEP", "0.02")))
    if case["generator"]["target_degC"] == 66:
        print("error: the step at t = 1 s was rejected at the minimum length")
        return 4
    write(file.parent, case)
    return 0


if __name__ == "__main__":
    sys.exit(main())
