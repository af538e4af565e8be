"""The shipped cases, and the cases that start from the run of another file in their folder. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rfablate.case.read.case_file import load_case, read_case_file
from rfablate.case.tables.schema import Case

CASES = Path(__file__).parents[1] / "cases"
NAMES = sorted(folder.name for folder in CASES.iterdir() if (folder / "case.toml").is_file())
QUICK = ("output.report=false", "output.error_bar=false", "mesh.accuracy=draft")
"""Changes with which the shipped cases run on draft meshes, without error bar and report."""
EARLIER = {"repeat_rhizotomy": ("first.toml",), "track_withdrawal": ("stage1.toml", "stage2.toml")}
"""Files to run, in this order, before the case.toml of a folder; each starts from the run of the previous one."""


def stand_in(folder: Path, status: str = "completed") -> Path:
    """Make a placeholder of a finished run directory that passes the checks; no run can start from it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("case.toml", "checkpoint.h5", "fields.vtkhdf"):
        (folder / name).touch()
    (folder / "summary.json").write_text(json.dumps({"status": status}), encoding="utf-8")
    return folder


def load_shipped(file: Path, folder: Path, changes: Sequence[str] = ()) -> Case:
    """Return a shipped case with a placeholder in `folder` for the run that it starts from."""
    starts = "start_from" in read_case_file(file)
    return load_case(file, [*changes, f"start_from={stand_in(folder)}"] if starts else changes)
