"""The page of a comparison: its scene holds all lesions and the true temperature difference; the page opens offline."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import rfablate as rfa
from rfablate.arrays import FloatArray
from rfablate.cli.main import main
from rfablate.errors import CaseError
from rfablate.report import comparison_scene
from rfablate.report.comparison_map import difference_figure
from rfablate.report.comparison_scene import common_box, common_frames
from rfablate.results.run_reader import load_run
from tests.browser import Browser
from tests.pure.test_report import make_run
from tests.pure.test_report_scene import NEEDS_BROWSER, NEEDS_LIBRARY, _box, _input, _start, _surface, _unpack, _volume

SHIFT_K = 3.0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the same one with all temperatures 3 K higher and a hostile title."""
    folder = tmp_path_factory.mktemp("runs")
    first = make_run(folder / "first", axisymmetric=True, n=25, frames=4)
    second = Path(shutil.copytree(first, folder / "second"))
    with h5py.File(second / "fields.vtkhdf", "r+") as file:
        for name in ("temperature_degC", "peak_temperature_degC"):
            file[f"VTKHDF/PointData/{name}"][...] += SHIFT_K
    summary = json.loads((second / "summary.json").read_text(encoding="utf-8"))
    summary["title"] = "<script>alert('x')</script>"
    (second / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return first, second


def test_frames_are_matched_by_time() -> None:
    assert common_frames([[0.0, 5.0, 10.0], [0.0, 2.5, 5.0, 7.5, 10.0]]) == [(0, 0), (1, 2), (2, 4)]
    # different ends: the common times, then the last frame of each
    assert common_frames([[0.0, 5.0, 10.0], [0.0, 5.0, 8.0]]) == [(0, 0), (1, 1), (2, 2)]
    assert common_frames([[1.0, 3.0], [2.0, 4.0]]) == [(1, 1)]
    assert common_frames([[0.0, 5.0], [0.0, 5.0], [0.0, 4.0, 5.0]]) == [(0, 0, 0), (1, 1, 2)]


def test_the_box_contains_the_boxes_of_all_runs() -> None:
    low, high = common_box([(np.full(3, -1.0), np.full(3, 1.0)), (np.array([0.0, 0, 5]), np.array([2.0, 2, 7]))])
    assert high - low == pytest.approx(np.full(3, 8.0))
    assert np.all(low <= -1.0) and np.all(high >= [2.0, 2.0, 7.0])


def test_the_scene_holds_both_lesions_and_the_difference(runs: tuple[Path, Path], tmp_path: Path) -> None:
    comparison_scene.write_comparison_scene(tmp_path / "scene", runs)
    header, data = _unpack((tmp_path / "scene").read_bytes())
    field = header["field"]
    low, high = field["low"], field["low"] + 254 * field["step"]
    assert low == pytest.approx(SHIFT_K, abs=1e-3) and high == pytest.approx(SHIFT_K, abs=1e-3)
    entries = {entry["label"]: entry for entry in header["objects"]}
    first, second = (_volume(*_surface(entries[f"{letter}: 50 °C isotherm"], -1, data)) for letter in "AB")
    # 3 K more is what the isotherm 3 K lower encloses; both are capsules around the active tip
    off = np.linspace(0.4, 6, 4000)
    heat = 37 + 38 * (1.12 * np.exp(-(off - 0.359) / 3.4) - 0.12 * np.exp(-off / 0.3))
    radii = [float(off[np.argmin(np.abs(heat - level))]) for level in (50.0, 50.0 - SHIFT_K)]
    exact = [np.pi * radius**2 * (5 + 4 / 3 * radius) for radius in radii]
    assert second / first == pytest.approx(exact[1] / exact[0], rel=0.05)
    # what both runs share is shown once
    assert not any(label.startswith("B: ") and "isotherm" not in label and "≥" not in label for label in entries)
    assert "gasserian_ganglion (target)" in entries and "active tip" in entries


def test_the_map_is_drawn_where_the_runs_differ(runs: tuple[Path, Path]) -> None:
    drawn = difference_figure(load_run(runs[0]), load_run(runs[1]), ("A", "B"))
    assert "Temperature difference B − A at 75.0 s" in drawn
    assert "lesion of A" in drawn and "lesion of B" in drawn and ">+3<" in drawn


def test_the_command_writes_the_page(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "comparison.html"
    assert main(["compare", *map(str, runs), "--report", str(page)]) == 0
    assert str(page) in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert "Research tool, not a medical device" in text and len(text.encode()) < 8_000_000
    for title in ("Numbers of A and B", "Overlap of A and B", "All lesions in one scene"):
        assert f"<h2>{title}</h2>" in text


def test_comparisons_of_different_first_runs_are_refused(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pairs = [rfa.compare(*runs), rfa.compare(*runs[::-1])]
    with pytest.raises(CaseError, match="same first run"):
        rfa.write_comparison(pairs, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def _coloured(browser: Browser) -> FloatArray:
    """Return the pixels of the scene once it is coloured, not grey; a busy machine may show it after it is drawn."""
    for _ in range(40):
        pixels: FloatArray = browser.pixels("#live-view")
        if (np.ptp(pixels, axis=2) > 0.15).mean() > 0.03:
            return pixels
        time.sleep(0.25)
    raise AssertionError("the scene stayed grey for 10 s")


@NEEDS_LIBRARY
@NEEDS_BROWSER
def test_the_page_opens_offline_and_its_lesions_can_be_hidden(runs: tuple[Path, Path], tmp_path: Path) -> None:
    pairs = [rfa.compare(*runs), rfa.compare(runs[0], runs[0])]
    page = rfa.write_comparison(pairs, tmp_path / "comparison.html")
    with Browser(page) as browser:
        _start(browser)
        before = _coloured(browser)
        _input(browser, _box("B: 50 °C isotherm"), "e.checked = false")
        after = browser.pixels("#live-view")
        assert (np.abs(before - after).max(axis=2) > 0.02).mean() > 0.01
        texts = browser.run("[...document.querySelectorAll('#live-legend label')].map(each => each.textContent)")
        assert any(text.startswith("C: ") for text in texts)
        assert browser.run("document.getElementById('live-hottest').textContent") == "5 K"
        assert browser.errors == [] and browser.requests == []
