"""Runs the shipped cases and generates docs/gallery.md, docs/applicators.md and their pictures.

    python -m docs.gallery [CASE ...] [--kept]

Runs are written to `runs/gallery`; --kept reuses the runs that exist there. Results are stored in docs/gallery.json,
one entry per case. The pages are generated from this file, so that single cases can be updated.
"""

from __future__ import annotations

import argparse
import json
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageColor
from scipy.spatial import cKDTree

from docs.applicators import write_applicators
from docs.pages import HERE, gallery_page
from rfablate.case.read.case_file import load_case
from rfablate.report import figure_style as style
from rfablate.report.scene_3d import LESION
from rfablate.report.summary_picture import write_summary_picture
from rfablate.results.run_reader import load_run
from rfablate.results.summary_models import RunSummary, read_summary
from rfablate.results.wording import answer
from rfablate.toml import tomllib
from tests.shipped import CASES, EARLIER

RUNS = HERE.parent / "runs" / "gallery"
PICTURES = HERE / "pictures"
RECORD = HERE / "gallery.json"
APPLICATORS = "applicators"
"""Accepted in place of a case name: the page of the library's applicators."""
LARGEST = 60_000
"""Largest picture file that tests/pure/test_gallery.py allows [bytes]."""
NUMBERS = 3
"""Count of numbers shown for each case: the first entries of its expected.toml."""


def main() -> None:
    """Update the entries and pictures of the requested cases, and the page of the applicators."""
    names = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())
    parser = argparse.ArgumentParser(
        prog="python -m docs.gallery", description="Generate docs/gallery.md and docs/applicators.md."
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help="update only these cases (default: all)")
    parser.add_argument("--kept", action="store_true", help="reuse the runs in runs/gallery")
    args = parser.parse_args()
    if unknown := sorted({*args.cases} - {*names, APPLICATORS}):
        parser.error(f"unknown case: {', '.join(unknown)}; known: {', '.join([*names, APPLICATORS])}")
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    PICTURES.mkdir(exist_ok=True)
    asked = args.cases or [*names, APPLICATORS]
    for name in [name for name in asked if name != APPLICATORS]:
        study = (CASES / name / "study.toml").exists() and not (CASES / name / "case.toml").exists()
        record[name] = (_study if study else _case)(name, kept=args.kept)
        print(f"{name}: {record[name]['wall_s']:.0f} s", flush=True)
        _write({each: record[each] for each in names if each in record})
    if APPLICATORS in asked:
        write_applicators()


def _write(record: dict[str, Any]) -> None:
    """Write the record and its page; called after every case, so that an interruption loses at most one case."""
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (HERE / "gallery.md").write_text(gallery_page(record), encoding="utf-8")


def _rfablate(*arguments: str) -> None:
    command = [sys.executable, "-m", "rfablate", *arguments]
    if subprocess.run(command, cwd=HERE.parent).returncode not in (0, 5):  # 5: a structure exceeds its limit
        raise SystemExit(f"failed: {' '.join(command)}")


def _case(name: str, *, kept: bool) -> dict[str, Any]:
    """Run a case after the cases it starts from, draw it, and return its entry."""
    files = {name: CASES / name / "case.toml"}
    files = {f"{name}_{Path(file).stem}": CASES / name / file for file in EARLIER.get(name, ())} | files
    start: list[str] = []
    for run, file in files.items():
        if not kept:
            _rfablate("run", str(file), "-o", str(RUNS / run), "--overwrite", "--quiet", *start)
        start = ["--set", f"start_from={RUNS / run}"]
    with tempfile.TemporaryDirectory() as folder:
        store(write_summary_picture(RUNS / name, Path(folder) / "plate.png"), PICTURES / f"{name}.png")
    data, summary = load_run(RUNS / name), read_summary(RUNS / name)
    expected = tomllib.loads((CASES / name / "expected.toml").read_text(encoding="utf-8"))["number"]
    return {
        "title": summary.title,
        "answer": answer(data),
        "numbers": [_number(entry["key"], summary) for entry in expected[:NUMBERS]],
        "axisymmetric": summary.case.axisymmetric,
        "accuracy": load_case(RUNS / name).mesh.accuracy,
        "nodes": summary.numerics.nodes,
        "ranks": summary.numerics.ranks,
        "simulated_s": summary.simulated_s,
        **_made([read_summary(RUNS / run) for run in files], summary),
    }


def _number(key: str, summary: RunSummary) -> dict[str, Any]:
    """Return a number of a summary with its error bar; None where the run reports no error bar."""
    value: Any = summary.model_dump()
    for part in key.split("."):
        value = value[part]
    return {"key": key, "value": value, "error": summary.numerics.error_bar.get(key.partition(".")[2])}


def _made(runs: Sequence[RunSummary], last: RunSummary) -> dict[str, Any]:
    """Return the wall time of all runs, and the day and the versions of one of them."""
    return {
        "wall_s": round(sum(run.timing_s["total"] for run in runs), 1),
        "day": last.provenance.started[:10],
        "versions": f"rfablate {last.provenance.rfablate}, DOLFINx {last.provenance.dolfinx}",
    }


def _study(name: str, *, kept: bool) -> dict[str, Any]:
    """Run a study that has a trends.py, draw its trends, and return its entry."""
    folder = RUNS / name
    if not kept:
        _rfablate("study", str(CASES / name), "-o", str(folder))
    trends = runpy.run_path(str(CASES / name / "trends.py"))
    found = trends["trends"](trends["Table"](folder / "table.csv"))
    with tempfile.TemporaryDirectory() as temporary:
        trends["draw"](found, Path(temporary) / "trends.png")
        store(Path(temporary) / "trends.png", PICTURES / f"{name}.png")
    members = [read_summary(file.parent) for file in sorted(folder.rglob("summary.json"))]
    shown = [(trend, [number for each in trend.seen.values() for number in each]) for trend in found]
    return {
        "title": tomllib.loads((CASES / name / "study.toml").read_text(encoding="utf-8"))["title"],
        "trends": [
            {"title": t.title, "unit": t.unit, "published": t.published, "seen": [min(seen), max(seen)]}
            for t, seen in shown
        ],
        "members": len(members),
        **_made(members, members[0]),
    }


def store(picture: Path, target: Path) -> None:
    """Write a picture with a palette of 256 colours, a third of the file size; colours of legends are kept exactly.

    A picture that is still too large gets fewer colours.
    """
    exact = ["#ffffff", style.INK, style.MUTED, style.METAL_ACTIVE, style.METAL_SHAFT, style.RING, LESION]
    exact += [*style.RULE_COLOURS, *(colour for colours in style.ROLE_COLOURS.values() for colour in colours)]
    image = Image.open(picture).convert("RGB")
    for others in (216, 110, 60):
        rare = image.quantize(min(40, others // 3), Image.Quantize.MAXCOVERAGE).getpalette() or []
        often = image.quantize(others - len(exact), Image.Quantize.MEDIANCUT, kmeans=2).getpalette() or []
        palette = np.array([*(value for colour in exact for value in ImageColor.getrgb(colour)), *rare, *often])
        nearest = cKDTree(palette.reshape(-1, 3)).query(np.asarray(image, dtype=float))[1]
        small = Image.fromarray(nearest.astype(np.uint8), mode="P")  # Pillow's nearest-colour search is not exact
        small.putpalette(palette.tolist())
        small.save(target, optimize=True)
        if target.stat().st_size < LARGEST:
            return


if __name__ == "__main__":
    main()
