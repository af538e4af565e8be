"""The report of a run: one self-contained page from a synthetic run directory."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from rfablate.cli.main import main
from rfablate.report import figure_style as style
from rfablate.report import write_report
from rfablate.report.field_maps import draw_metal
from rfablate.report.interactive_scene import Interactive
from rfablate.report.scene_3d import Picture
from rfablate.results import field_slices as slices
from rfablate.results.fields_file import FieldsFile, FieldsMesh
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_reader import load_run
from rfablate.results.run_view import load_view
from rfablate.results.wording import answer, percent

CASE = """title = "Trigeminal rhizotomy: 22 G cannula, 5 mm tip"
[domain]
kind = "cylinder"
radius_mm = 20.0
height_mm = 40.0
tissue = "white_matter"
[[applicators]]
name = "cannula"
model = "cannula-22g-5mm"
outer_diameter_mm = 0.718
active_tip_mm = 5.0
[generator]
kind = "temperature"
target_degC = 75.0
ramp_s = 15.0
hold_s = 60.0
[lesion]
rules = ["isotherm_50C", "arrhenius", "cem43_240"]
"""
TAGS = {1: "domain", 2: "gasserian_ganglion", 3: "motor_root", 4: "csf_cistern", 9: "cannula"}
TIP_MM, RADIUS_MM = 5.0, 0.359
END_S, HOLD_S = 75.0, 60.0


def _axis(half: float, n: int) -> np.ndarray:
    """Graded coordinates from -half to half [mm], fine in the middle."""
    t = np.linspace(-1, 1, n)
    return half * np.sinh(3.2 * t) / np.sinh(3.2)


def _tetrahedra(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Box of n^3 graded nodes [mm], six tetrahedra per brick (Kuhn)."""
    line = _axis(20.0, n)
    x, y, z = np.meshgrid(line, line, line + 2.0, indexing="ij")
    index = np.arange(n**3).reshape(n, n, n)
    corner = index[:-1, :-1, :-1].ravel()
    step = {"x": n * n, "y": n, "z": 1}
    cells = []
    for order in ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx"):
        path = [corner]
        for axis in order:
            path.append(path[-1] + step[axis])
        cells.append(np.column_stack(path))
    return np.column_stack([x.ravel(), y.ravel(), z.ravel()]), np.concatenate(cells)


def _triangles(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Half plane of graded nodes (r, z) [mm]."""
    r = _axis(20.0, 2 * n - 1)[n - 1 :]
    z = _axis(20.0, 2 * n - 1) + 2.0
    rr, zz = np.meshgrid(r, z, indexing="ij")
    index = np.arange(rr.size).reshape(rr.shape)
    a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[1:, :-1], index[:-1, 1:], index[1:, 1:]))
    cells = np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])
    return np.column_stack([rr.ravel(), np.zeros(rr.size), zz.ravel()]), cells


def _regions(centre: np.ndarray) -> np.ndarray:
    x, y, z = centre.T
    region = np.ones(len(centre), dtype=np.int32)
    region[z < -6 + 0.15 * x] = 4
    region[(x / 4) ** 2 + (y / 8) ** 2 + ((z - 1) / 2) ** 2 < 1] = 2
    region[(x - 7) ** 2 + (z + 1) ** 2 < 1] = 3
    region[(np.hypot(x, y) < RADIUS_MM) & (z > 0)] = 9
    return region


def _heat(points: np.ndarray, time: float) -> np.ndarray:
    """A temperature field around the active tip that follows the ramp and then grows [degC]."""
    x, y, z = points.T
    off = np.hypot(np.hypot(x, y), z - np.clip(z, 0, TIP_MM))
    reach = 2.0 + 1.4 * np.sqrt(time / END_S)
    rise = 38.0 * min(time / 15.0, 1.0)
    return 37.0 + rise * (1.12 * np.exp(-np.maximum(off - RADIUS_MM, 0) / reach) - 0.12 * np.exp(-off / 0.3))


def _write_fields(path: Path, points: np.ndarray, cells: np.ndarray, axisymmetric: bool, frames: int) -> None:
    region = _regions(points[cells].mean(axis=1))
    if axisymmetric:
        region[region == 3] = 1
    where = points[:, [0, 2]] if axisymmetric else points
    peak = np.full(len(points), 37.0)
    omega, cem43 = np.zeros(len(points)), np.zeros(len(points))
    times = np.linspace(0, END_S, frames)
    with FieldsFile(path, FieldsMesh(where * 1e-3, cells, region, TAGS, axisymmetric=axisymmetric)) as file:
        for i, time in enumerate(times):
            heat = _heat(points, time)
            peak = np.maximum(peak, heat)
            step = times[1] if i else 0.0
            omega += step * 7.39e39 * np.exp(-2.577e5 / 8.314 / (heat + 273.15))
            cem43 += step / 60 * 2.0 ** (heat - 43)
            point_data = {
                "temperature_degC": heat,
                "peak_temperature_degC": peak,
                "omega": omega,
                "cem43_min": cem43,
                "potential_V": 20 * (heat - 37) / 50,
            }
            file.append(float(time), point_data, {"joule_W_per_m3": np.zeros(len(cells))})


def _write_history(path: Path) -> None:
    time = np.linspace(0, END_S, 120)
    ramp = 37 + 38 * np.minimum(time / 15, 1)
    growth = np.sqrt(np.maximum(time - 8, 0) / (END_S - 8))
    columns = {
        "time_s": time,
        "dt_s": np.gradient(time),
        "voltage_V": np.where(time > 0, 12 + 6 * np.exp(-time / 20), 0),
        "current_A": 0.08 + 0.02 * np.exp(-time / 20),
        "power_W": np.where(time > 0, 1.1 + 1.4 * np.exp(-((time - 12) ** 2) / 60), 0),
        "impedance_ohm": np.where(time > 0, 230 - 60 * (1 - np.exp(-time / 10)), np.nan),
        "sensor_degC": ramp - 0.3 * np.exp(-time),
        "setpoint_degC": ramp,
        "max_degC": ramp + 4 * (1 - np.exp(-time / 9)),
    }
    for rule, width in (("isotherm_50C", 7.4), ("arrhenius", 7.0), ("cem43_240", 7.8)):
        columns[f"{rule}_volume_mm3"] = 280 * growth**3 * width / 7.4
        columns[f"{rule}_width_mm"] = width * growth
        columns[f"{rule}_length_mm"] = (width + 2.7) * growth
    for name, hot, share in (("gasserian_ganglion", 73.0, 0.93), ("motor_root", 41.2, 0.0)):
        columns[f"{name}_max_degC"] = 37 + (hot - 37) * (1 - np.exp(-time / 15))
        columns[f"{name}_covered_fraction"] = share * growth**2
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if np.isnan(value) else f"{value:.6g}" for value in row])


def _lesion(width: float) -> dict[str, float]:
    return {
        "width_mm": width,
        "width_min_mm": width - 0.05,
        "length_mm": width + 2.7,
        "depth_distal_mm": 2.6,
        "depth_proximal_mm": width + 2.7 - 7.6,
        "effective_radius_mm": 4.05,
        "roundness": width / (width + 2.7),
        "volume_mm3": 278.4,
    }


def _structure(kind: str, tissue: str, role: str, **more: object) -> dict[str, object]:
    empty = {
        "rule": "isotherm_50C",
        "volume_mm3": 200.0,
        "covered_fraction": 0.0,
        "max_degC": 41.2,
        "hottest_point_mm": [6.0, 0.0, 0.0],
        "min_margin_mm": 2.2,
        "time_to_cover_s": None,
        "length_mm": None,
        "coagulated_length_mm": None,
        "limit": None,
        "required_fraction": 1.0,
        "verdict": "",
    }
    return {"kind": kind, "tissue": tissue, "role": role, **empty, **more}


def _tissue(checked: bool, source: str) -> dict[str, object]:
    return {
        "density_kg_per_m3": 1075.0,
        "heat_capacity_J_per_kgK": 3613.0,
        "k_W_per_mK": 0.49,
        "sigma_S_per_m": 0.111,
        "perfusion_per_s": 0.00287,
        "k_slope_per_K": 0.001,
        "sigma_slope_per_K": 0.02,
        "source": source,
        "checked": checked,
    }


def _summary(axisymmetric: bool) -> dict[str, object]:
    structures = {
        "gasserian_ganglion": _structure(
            "ellipsoid", "nerve", "target", covered_fraction=0.93, max_degC=73.0, min_margin_mm=-0.4,
            verdict="partly reached",
        ),
        "motor_root": _structure(
            "tube", "nerve", "protect", limit={"max_degC": 45.0}, length_mm=20.0, coagulated_length_mm=0.0,
            verdict="safe",
        ),
        "csf_cistern": _structure("half_space", "csf", "anatomy", max_degC=46.5),
    }  # fmt: skip
    if axisymmetric:
        del structures["motor_root"]
    gabriel = "IT'IS database 4.1, thermal; Gabriel 1996 at 500 kHz, electric"
    return {
        "title": "Trigeminal rhizotomy: 22 G cannula, 5 mm tip",
        "status": "completed",
        "reason": "the protocol ended",
        "lesion": {"isotherm_50C": _lesion(7.4), "arrhenius": _lesion(7.0), "cem43_240": _lesion(7.8)},
        "structures": structures,
        "energy": {
            "joule_J": 92.4, "stored_J": 51.3, "perfused_J": 8.1, "boundary_J": 32.7, "latent_J": 0.0,
            "metabolic_J": 0.0, "residual_J": 0.3, "residual_percent": 0.32,
        },
        "electric": {
            "voltage_V": 12.1, "current_A": 0.081, "power_W": 1.1, "impedance_ohm": 170.0,
            "peak_power_W": 2.5, "limited_s": 0.0,
        },
        "numerics": {
            "nodes": 149000, "cells": 820000, "smallest_edge_mm": 0.05, "interfaces": "conforming",
            "steps": 119, "rejects": 2, "heat_iterations": 1428, "potential_iterations": 760, "ranks": 2,
            "error_bar": {"isotherm_50C.width_mm": 0.05, "isotherm_50C.volume_mm3": 3.1},
        },
        "timing_s": {
            "mesh": 9.2, "setup": 3.1, "potential": 17.0, "heat": 31.0, "damage": 2.2, "measure": 3.0,
            "write": 2.1, "total": 67.6,
        },
        "simulated_s": END_S,
        "case": {"domain_kind": "axisymmetric" if axisymmetric else "cylinder", "axisymmetric": axisymmetric},
        "applicators": [
            {
                "name": "cannula", "model": "cannula-22g-5mm", "tip_mm": [0, 0, 0], "direction": [0, 0, 1],
                "active_tip_mm": TIP_MM, "outer_diameter_mm": 2 * RADIUS_MM,
            }
        ],
        "tissues": {
            "nerve": _tissue(False, gabriel),
            "white_matter": _tissue(True, gabriel), "csf": _tissue(False, gabriel)
        },
        "warnings": ["white_matter: σ of 0.0947 S/m neglects the displacement current (about 7 %)"],
        "provenance": {
            "rfablate": "0.1.0", "dolfinx": "0.9.0", "gmsh": "4.13", "python": "3.11.2",
            "ranks": 2, "case_sha256": "9f" * 32, "started": "2026-11-21T10:00:00Z", "host_cores": 2,
            "peak_MiB": 900.0,
        },
    }  # fmt: skip


def make_run(directory: Path, axisymmetric: bool = False, n: int = 17, frames: int = 3) -> Path:
    """Write a complete run directory with an analytic temperature; n nodes per edge."""
    directory.mkdir(parents=True, exist_ok=True)
    points, cells = _triangles(n) if axisymmetric else _tetrahedra(n)
    _write_fields(directory / "fields.vtkhdf", points, cells, axisymmetric, frames)
    _write_history(directory / "history.csv")
    (directory / "case.toml").write_text(CASE, encoding="utf-8")
    (directory / "summary.json").write_text(json.dumps(_summary(axisymmetric)), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def run_3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report") / "tet")


@pytest.fixture(scope="module")
def run_axisymmetric(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("report") / "tri", axisymmetric=True)


@pytest.fixture(scope="module")
def page_3d(run_3d: Path) -> str:
    return write_report(run_3d).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page_axisymmetric(run_axisymmetric: Path) -> str:
    return write_report(run_axisymmetric).read_text(encoding="utf-8")


class Page(HTMLParser):
    """Open tags, addresses and words of a page."""

    VOID = {"meta", "img", "br", "link", "input", "hr"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def no_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the 3-D picture in tests of texts, to save seconds."""

    class Absent:
        def __init__(self, directory: Path, parts: Sequence[str] = (), caller: object = None) -> None:
            pass

        def figures(self) -> dict[str, str]:
            return {}

        def collect(self) -> tuple[Picture, Interactive]:
            return Picture(reason="left out"), Interactive(reason="left out")

    monkeypatch.setattr("rfablate.report.report_page.PictureJob", Absent)


def without_pictures(page: str) -> str:
    return re.sub(r"data:image/png;base64,[A-Za-z0-9+/=\s]+", "", page)


@pytest.mark.parametrize("name", ["page_3d", "page_axisymmetric"])
def test_page_is_whole_and_reaches_for_nothing_outside(name: str, request: pytest.FixtureRequest) -> None:
    text = request.getfixturevalue(name)
    page = Page(text)
    assert page.open == []
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    bare = without_pictures(text)
    assert not re.search(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//|@import|url\((?!["\']?#)', bare)
    assert "could not" not in bare


def test_the_first_sentence_answers_the_question(page_3d: str) -> None:
    sentence = (
        "The 50 °C lesion is 7.4 × 10.1 mm (width × length); gasserian_ganglion 93 % covered; "
        "motor_root stays at 41.2 °C, below its 45 °C limit."
    )
    assert sentence in page_3d.replace("\u00a0", " ")


def test_sections_stand_in_the_order_a_reader_asks(page_3d: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", page_3d)
    assert titles == [
        "Targets and limits",
        "Lesion",
        "Targets and protected structures",
        "Lesion and structures in three dimensions",
        "Over time",
        "Temperature and damage on slices through the applicator",
        "Energy and generator",
        "Numerics and timing",
        "Tissue values and their sources",
        "Case and provenance",
    ]


def test_every_number_of_the_card_is_on_the_page(page_3d: str) -> None:
    words = "".join(Page(without_pictures(page_3d)).words)
    for text in (
        "7.40",
        "± 0.05",
        "10.10",
        "2.60",
        "4.05",
        "0.73",
        "278.4",
        "partly reached",
        "safe",
        "−0.40 mm",
    ):
        assert text in words
    assert "not verified" in words
    assert "displacement current" in words
    assert "hold_s = 60.0" in words


def test_slices_name_isotherms_and_structures(page_3d: str) -> None:
    words = re.findall(r"<text[^>]*>([^<]*)</text>", page_3d)
    assert {"45", "50", "60", "gasserian_ganglion", "motor_root", "csf_cistern"} <= set(words)
    assert "Plane x–z at y = 0 mm" in words and "Plane y–z at x = 0 mm" in words


@pytest.mark.parametrize("name", ["fields.vtkhdf", "history.csv", "case.toml", "summary.json"])
@pytest.mark.usefixtures("no_scene")
def test_a_missing_file_is_said_and_the_rest_shown(tmp_path: Path, name: str) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    (run / name).unlink()
    text = write_report(run).read_text(encoding="utf-8")
    assert f"{name} is missing" in text
    assert Page(text).open == []


def test_a_damaged_fields_file_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    (run / "fields.vtkhdf").write_bytes(b"half a file")
    text = write_report(run).read_text(encoding="utf-8")
    assert "fields.vtkhdf cannot be shown" in text


def test_a_failed_run_has_its_reason_on_top(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    reason = "heat solve did not converge at t = 3.2 s: residual 1e-3 after 2000 iterations"
    summary = {"title": "A run <that> failed", "status": "failed", "reason": reason}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = write_report(run).read_text(encoding="utf-8")
    assert text.index(reason) < text.index("<h2>")
    assert "A run &lt;that&gt; failed" in text
    assert Page(text).open == []


def test_an_empty_directory_has_a_page(tmp_path: Path) -> None:
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "not ended" in text


@pytest.mark.usefixtures("no_scene")
def test_no_lesion_is_said_in_words(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    summary = _summary(True)
    zero = dict.fromkeys(_lesion(0.0), 0.0)
    summary["lesion"] = {"isotherm_95C": zero}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = write_report(run).read_text(encoding="utf-8")
    assert "No 95\u00a0°C lesion forms" in text
    assert "could not" not in without_pictures(text)


@pytest.mark.usefixtures("no_scene")
def test_an_exceeded_limit_and_an_open_balance_are_loud(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", n=9, frames=2)
    summary = _summary(False)
    summary["structures"]["motor_root"] |= {"max_degC": 48.31, "verdict": "limit exceeded"}
    summary["energy"] |= {"residual_J": 2.1, "residual_percent": 2.3}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = write_report(run).read_text(encoding="utf-8")
    assert "motor_root reaches 48.3 °C, above its 45 °C limit" in text.replace("\u00a0", " ")
    assert "The residual of the energy balance is above 1 %" in text
    assert 'class="verdict bad"' in text


def test_a_cut_fills_the_plane_and_carries_linear_fields_exactly() -> None:
    points, cells = _tetrahedra(9)
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=3)
    for tip, direction in (
        ((0.0, 0.0, 0.0), (0, 0, 1)),
        ((0.3, -0.2, 1.1), (1, 2, 2)),
        ((0, 0, 0), (-1, 0, 0)),
    ):
        for plane in slices.planes_through(tip, direction):
            assert abs(plane.across @ plane.along) < 1e-12
            piece = slices.cut(points, cells, _regions(points[cells].mean(axis=1)), plane)
            local = piece.points - plane.offset
            where = plane.origin + local[:, :1] * plane.across + local[:, 1:] * plane.along
            assert np.allclose(piece.at(points @ gradient), where @ gradient, atol=1e-9)
            if tip == (0.0, 0.0, 0.0) and direction == (0, 0, 1):
                assert _area(piece) == pytest.approx(40.0 * 40.0, rel=1e-9)


def _area(piece: slices.Slice) -> float:
    a, b, c = (piece.points[piece.triangles[:, i]] for i in range(3))
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    return float(0.5 * np.abs(ux * vy - uy * vx).sum())


def test_an_isoline_is_closed_and_lies_on_its_level() -> None:
    points, cells = _triangles(15)
    piece = slices.mirrored(points, cells, np.ones(len(cells), dtype=np.int64))
    x, y = piece.points.T
    lines = slices.isolines(piece.points, piece.triangles, -np.hypot(x - 8, y - 2), -3.0)
    assert len(lines) == 1
    assert np.allclose(lines[0][0], lines[0][-1])
    assert np.hypot(lines[0][:, 0] - 8, lines[0][:, 1] - 2) == pytest.approx(3.0, abs=0.3)


def test_temperature_is_shown_at_the_end_of_heating(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=6)
    rows = (run / "history.csv").read_text(encoding="utf-8").splitlines()
    cooled = [row if float(row.split(",")[0]) <= HOLD_S else _switched_off(row) for row in rows[1:]]
    (run / "history.csv").write_text("\n".join([rows[0], *cooled]) + "\n", encoding="utf-8")
    view = load_view(load_run(run))
    assert (view.time_s, view.end_s) == (
        45.0,
        75.0,
    )  # frames every 15 s; the last row with voltage is before 60 s


def test_structures_that_cells_only_follow_are_outlined_as_placed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", n=9, frames=2)
    ellipsoid = '[[structures]]\nname = "gasserian_ganglion"\nkind = "ellipsoid"\ntissue = "nerve"\n'
    with (run / "case.toml").open("a", encoding="utf-8") as file:
        file.write(ellipsoid + "centre_mm = [0, 0, 1]\nsemi_axes_mm = [4, 8, 2]\n")
    summary = _summary(False)
    for interfaces, error in (("cells", 1e-2), ("conforming", 10.0)):
        summary["numerics"]["interfaces"] = interfaces
        (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        view = load_view(load_run(run))
        lines = view.outline(0, view.windowed(0), 2, "gasserian_ganglion")
        x, z = np.concatenate(lines).T
        away = np.abs(np.hypot(x / 4, (z - 1) / 2) - 1)
        assert away.max() < error
        assert (away.max() > 1e-2) == (interfaces == "conforming")


def _switched_off(row: str) -> str:
    cells = row.split(",")
    cells[2] = "0"
    return ",".join(cells)


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.0, "0 %"), (0.001, "< 1 %"), (0.93, "93 %"), (0.999, "> 99 %"), (1.0, "100 %")]
)
def test_a_percentage_never_claims_all_or_nothing_wrongly(fraction: float, text: str) -> None:
    assert percent(fraction) == text


def test_a_case_names_the_rule_that_decides(run_3d: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").write_text((run_3d / "summary.json").read_text(encoding="utf-8"), encoding="utf-8")
    (run / "case.toml").write_text(CASE + 'verdict_rule = "arrhenius"\n', encoding="utf-8")
    assert answer(load_run(run)).startswith("The Arrhenius Ω ≥ 1 lesion is 7.0 × 9.7 mm")


@pytest.mark.parametrize("name", ["run_3d", "run_axisymmetric"])
def test_a_run_has_one_picture_with_its_title_and_its_slice(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run, file = request.getfixturevalue(name), tmp_path / "plate.png"
    assert main(["report", str(run), "--picture", str(file)]) == 0
    pixels = imread(file)
    assert pixels.shape[:2] == (495, 1040)
    lesion, heat = pixels[50:430, :500, :3], pixels[50:430, 575:920, :3]
    for half in (lesion, heat):
        assert len(np.unique((half * 255).astype(int).reshape(-1, 3), axis=0)) > 200


def test_a_picture_that_cannot_be_made_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "summary.json").write_text('{"status": "completed"}', encoding="utf-8")
    assert main(["report", str(tmp_path), "--picture", str(tmp_path / "plate.png")]) == 2
    assert "fields.vtkhdf" in capsys.readouterr().err


def test_a_cannula_beside_a_slice_is_not_drawn_on_it(run_3d: Path, tmp_path: Path) -> None:
    """A slice without metal, as midway between a pair 10 mm apart: no outline must be drawn."""
    run = tmp_path / "run"
    shutil.copytree(run_3d, run)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    for name, x in (("left", -5.0), ("right", 5.0)):
        summary["applicators"].append({**summary["applicators"][0], "name": name, "tip_mm": [x, 0, 0]})
    del summary["applicators"][0]
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    view = load_view(load_run(run))
    drawn = {}
    for number, piece in enumerate(view.slices):
        ax = style.figure(4, 4).add_subplot()
        draw_metal(ax, view, view.windowed(number))
        drawn[piece.plane.title] = len(ax.patches)
    assert drawn == {"Plane y–z at x = 0 mm": 0, "Plane x–z at y = 0 mm": 4}


def _repeated(run: Path) -> None:
    """Make a run the repeat of another run, with the other's lesion in its first frame."""
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    volumes = {"isotherm_50C": {"before": 82.5, "added": 65.0, "after": 147.5, "in_its_own_run": 80.7}}
    start = {"start_from": "/somewhere/runs/first", "cooled": True, "same_mesh": False}
    summary["repeat"] = {**start, "volume_mm3": volumes}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


@pytest.mark.usefixtures("no_scene")
def test_a_repeat_says_what_it_adds(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=3)
    assert "Effect of this treatment" not in write_report(run).read_text(encoding="utf-8")
    _repeated(run)
    text = write_report(run).read_text(encoding="utf-8")
    words = " ".join(Page(without_pictures(text)).words).replace("\u00a0", " ")
    assert "this treatment adds 65.0 mm³ to the earlier 82.5 mm³" in words
    assert "82.5 65.0 147.5 +79 % 80.7" in words
    assert "Effect of this treatment" in words
    assert "before this treatment" in words and "/somewhere" not in words


def test_the_lesion_before_a_repeat_is_outlined(tmp_path: Path) -> None:
    """A first treatment has no prior outline; that of a repeat is from its first frame and inside the last one."""
    run = make_run(tmp_path / "run", axisymmetric=True, n=15, frames=3)
    assert load_view(load_run(run)).before is None
    with FieldsReader(run / "fields.vtkhdf") as fields:
        shown = fields.point_data("peak_temperature_degC", 0) - 50.0
    _repeated(run)
    view = load_view(load_run(run))
    assert view.before is not None and np.sign(view.before) == pytest.approx(np.sign(shown))


def test_rings_are_where_the_case_has_them(run_3d: Path, page_3d: str, tmp_path: Path) -> None:
    """From the end of the active tip across the gap; drawn as meshed, named in the legend."""
    run = tmp_path / "run"
    shutil.copytree(run_3d, run)
    ring = CASE.replace("active_tip_mm = 5.0\n", "active_tip_mm = 5.0\nring = { gap_mm = 1.5, length_mm = 2.0 }\n")
    (run / "case.toml").write_text(ring, encoding="utf-8")
    assert load_run(run_3d).rings() == {}
    assert load_run(run).rings() == {"cannula": (6.5, 8.5)}
    text = write_report(run).read_text(encoding="utf-8")
    assert "ring electrode" in text and "ring electrode" not in page_3d


@pytest.mark.usefixtures("no_scene")
def test_several_electrodes_tell_their_currents(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    summary = _summary(True)
    tips = {
        "cannula": {"electrode": "active", "current_A": 0.1081, "sensor_degC": 70.04},
        "cannula_ring": {"electrode": "return", "current_A": -0.0912},
    }
    summary["electrodes"] = {"tips": tips, "return_current_A": -0.0169}
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    words = " ".join(Page(without_pictures(write_report(run).read_text(encoding="utf-8"))).words)
    assert "cannula active 108.1 70.0 cannula_ring return −91.2 – outer boundary return −16.9 –" in words


def test_the_page_needs_no_display_and_no_dolfinx(run_3d: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from rfablate.report import write_report\n"
        "write_report(pathlib.Path(sys.argv[1]))\n"
        "sys.exit(bool({'dolfinx', 'mpi4py', 'petsc4py', 'vtkmodules'} & set(sys.modules)))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "DISPLAY"}
    root = Path(__file__).resolve().parents[2]
    environment["PYTHONPATH"] = str(root)
    subprocess.run([sys.executable, "-c", code, str(run_3d)], check=True, env=environment)
