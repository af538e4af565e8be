"""The interactive scene of report.html: its packed data, and the page in a headless browser with all hosts blocked."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rfablate.report import field_samples, interactive_scene, scene_surfaces, write_report
from rfablate.report.browser_library import licence_of
from rfablate.report.clinical_summary import findings
from rfablate.report.scene_packing import SceneObject, ScenePacker, SceneSurface
from rfablate.results.run_reader import load_run
from tests.browser import Browser, find_browser
from tests.pure.test_report import make_run

LARGEST_PAGE = 8_000_000
NEEDS_LIBRARY = pytest.mark.skipif(interactive_scene.library_file() is None, reason="k3d is not installed")
NEEDS_BROWSER = pytest.mark.skipif(find_browser() is None, reason="neither Chromium nor Chrome is installed")


def _unpack(packed: bytes) -> tuple[dict, bytes]:
    """The header and the data of a packed scene."""
    data = zlib.decompress(packed)
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def _numbers(data: bytes, start: int, count: int) -> np.ndarray:
    low, high = (np.frombuffer(data, np.uint8, count, start + part * count).astype(int) for part in (0, 1))
    return np.cumsum(low + 256 * high) % 65536


def _surface(entry: dict, frame: int, data: bytes) -> tuple[np.ndarray, np.ndarray]:
    start, count, first, many = entry["frames"][frame]
    points = _numbers(data, start, count).reshape(3, -1).T * entry["scale"] + entry["low"]
    return points, _numbers(data, first, many).reshape(-1, 3)


def _volume(points: np.ndarray, triangles: np.ndarray) -> float:
    """The volume that a closed surface encloses."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    return float(abs(np.einsum("ij,ij->i", a, np.cross(b, c)).sum()) / 6)


def test_a_packed_surface_comes_back() -> None:
    rng = np.random.default_rng(3)
    points, triangles = rng.uniform(-7, 9, (500, 3)), rng.integers(0, 500, (900, 3))
    packer = ScenePacker(np.full(3, -7.0), np.full(3, 9.0))
    packer.add(SceneObject("a <b> & c", "lesion", "#123456", 0.5), [SceneSurface(), SceneSurface(points, triangles)])
    heat = rng.uniform(37, 91, (2, 27))
    heat[1, 5] = np.nan
    packer.add_field(heat, (3, 3, 3), 8.0)
    header, data = _unpack(packer.packed([0.0, 5.0], axis=np.array([0.0, 0.0, 1.0])))
    entry = header["objects"][0]
    assert entry["frames"][0][1::2] == [0, 0]
    found, numbers = _surface(entry, 1, data)
    assert np.abs(found - points).max() < 16 / 65535
    assert np.array_equal(numbers, triangles)
    field = header["field"]
    steps = np.cumsum(np.frombuffer(data, np.uint8, 54, field["start"]).reshape(2, 27).astype(int), axis=1) % 256
    assert steps[1, 5] == 255
    known = np.isfinite(heat)
    assert np.abs((field["low"] + field["step"] * steps - heat)[known]).max() <= 0.5 * field["step"] * 1.001


def test_a_surface_with_too_many_points_is_rejected() -> None:
    packer = ScenePacker(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="65536 points"):
        packer.add(SceneObject("fine", "structure", "#123456", 0.5), [SceneSurface(np.zeros((65536, 3)))])


@pytest.mark.parametrize(("count", "end", "kept"), [(5, None, 5), (16, 3.0, 16), (40, 31.0, 16), (40, 39.0, 15)])
def test_chosen_frames_contain_the_ends_and_the_end_of_heating(count: int, end: float | None, kept: int) -> None:
    frames = field_samples.chosen_frames([float(i) for i in range(count)], end)
    assert frames[0] == 0 and frames[-1] == count - 1 and len(frames) <= field_samples.FRAMES
    assert end is None or int(end) in frames
    assert len(set(frames)) == len(frames) >= min(count, kept) - 1


@pytest.mark.parametrize("axisymmetric", [False, True])
def test_surfaces_enclose_what_the_fields_say(tmp_path: Path, axisymmetric: bool) -> None:
    """The temperature depends on the distance from the active tip only, so the isotherm is a capsule around it."""
    run = make_run(tmp_path / "run", axisymmetric=axisymmetric, n=41 if axisymmetric else 33, frames=3)
    scene_surfaces.write_scene(run, tmp_path / "scene")
    header, data = _unpack((tmp_path / "scene").read_bytes())
    entries = {entry["label"]: entry for entry in header["objects"]}
    lesion = entries["lesion, 50 °C isotherm"]
    assert lesion["frames"][0][3] == 0  # cold at the start
    off = np.linspace(0.4, 6, 4000)
    heat = 37 + 38 * (1.12 * np.exp(-(off - 0.359) / 3.4) - 0.12 * np.exp(-off / 0.3))
    radius = float(off[np.argmin(np.abs(heat - 50))])
    volume = np.pi * radius**2 * (5 + 4 / 3 * radius)
    assert _volume(*_surface(lesion, 2, data)) == pytest.approx(volume, rel=0.04)
    for label in ("isotherm 45 °C", "isotherm 60 °C", "gasserian_ganglion (target)", "active tip", "insulated shaft"):
        assert entries[label]["frames"][-1][3] > 0
    points, _ = _surface(entries["active tip"], 0, data)
    assert np.ptp(points[:, 2]) == pytest.approx(5.0, abs=1e-3)
    assert np.ptp(points[:, 0]) == pytest.approx(0.718 * scene_surfaces.SLEEVE, abs=1e-3)


def test_a_large_scene_has_fewer_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=15, frames=12)
    scene_surfaces.write_scene(run, tmp_path / "whole")
    size = (tmp_path / "whole").stat().st_size
    monkeypatch.setattr(scene_surfaces, "LARGEST_BYTES", size // 2)
    scene_surfaces.write_scene(run, tmp_path / "scene")
    assert (tmp_path / "scene").stat().st_size <= size // 2
    header, _ = _unpack((tmp_path / "scene").read_bytes())
    assert header["times"][0] == 0 and header["times"][-1] == 75 and 3 <= len(header["times"]) < 12
    assert header["frames_in_file"] == 12


def test_the_surfaces_of_an_axisymmetric_run_lie_around_its_applicator(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=21, frames=2)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    summary["applicators"][0]["tip_mm"] = [3.0, -4.0, 0.0]
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    scene_surfaces.write_scene(run, tmp_path / "scene")
    header, data = _unpack((tmp_path / "scene").read_bytes())
    for entry in header["objects"]:
        if entry["frames"][-1][3] and entry["label"] != "csf_cistern (anatomy)":
            points, _ = _surface(entry, -1, data)
            middle = (points.min(axis=0) + points.max(axis=0)) / 2
            assert middle[:2] == pytest.approx([3.0, -4.0], abs=0.1), entry["label"]


def test_without_the_library_the_page_keeps_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=15, frames=2)
    monkeypatch.setattr(interactive_scene, "LIBRARY", "no_such_library")
    text = write_report(run).read_text(encoding="utf-8")
    assert "Install the extra report" in text and "scene-library" not in text
    assert "Lesion, structures and cannula in three dimensions" in text
    assert len(text) < 3_000_000


def test_text_of_a_case_cannot_become_markup(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    evil = "<script>alert('x')</script>"
    summary["title"] = evil
    summary["warnings"] = [evil]
    summary["structures"] = {f"{evil}{name}": entry for name, entry in summary["structures"].items()}
    summary["tissues"]["white_matter"]["source"] = evil
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = write_report(run).read_text(encoding="utf-8")
    assert evil not in text
    assert text.count("&lt;script&gt;alert(&#39;x&#39;)") >= 4


def test_the_page_says_what_a_clinician_asks(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=False, n=9, frames=2)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    bars = {"gasserian_ganglion.covered_fraction": 0.1, "motor_root.max_degC": 0.3}
    summary["numerics"]["error_bar"] |= bars
    summary["structures"]["gasserian_ganglion"]["required_fraction"] = 0.9
    summary["structures"]["motor_root"]["max_degC"] = 43.2
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    target, root = findings(load_run(run))
    assert "93 % ± 10.0 %" in target.amount and "3.0 percentage points more than required" in target.amount
    assert "may change" in target.certainty
    assert root.verdict == "safe, near its limit" and "1.8 K below its limit of 45 °C" in root.amount
    assert "exceeds" in root.certainty
    text = write_report(run).read_text(encoding="utf-8")
    assert text.index("near its limit") < text.index("<h2>Lesion</h2>")
    assert text[text.index("<body>") :].count("Research tool, not a medical device") == 2


@pytest.fixture(scope="module")
def live_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_run(tmp_path_factory.mktemp("live") / "run", frames=6))


@NEEDS_LIBRARY
def test_the_page_contains_the_library_of_the_package(live_page: Path) -> None:
    text = live_page.read_text(encoding="utf-8")
    assert len(text.encode()) < LARGEST_PAGE
    script = re.search(r'id="scene-library">([^<]*)<', text)
    file = interactive_scene.library_file()
    assert script and file
    assert zlib.decompress(base64.b64decode(script[1])) == file.read_bytes()
    assert "MIT" in licence_of(interactive_scene.LIBRARY)


@pytest.fixture
def browser(live_page: Path) -> Iterator[Browser]:
    with Browser(live_page) as opened:
        yield opened


def _start(browser: Browser) -> None:
    browser.run("document.getElementById('live-place').scrollIntoView()")
    ready = "document.getElementById('live').dataset.ready === 'yes'"
    browser.until(f"{ready} || !document.getElementById('live-fault').hidden")
    assert browser.run(ready), browser.run("document.getElementById('live-fault').textContent")
    time.sleep(0.5)  # the camera is set once more after the first picture


def _input(browser: Browser, element: str, change: str) -> None:
    browser.run(f"(e => {{ {change}; e.dispatchEvent(new Event('input')) }})({element})")
    browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    time.sleep(0.3)


def _box(label: str) -> str:
    return (
        f"[...document.querySelectorAll('.entry')].find(e => e.textContent.includes('{label}')).querySelector('input')"
    )


@NEEDS_LIBRARY
@NEEDS_BROWSER
def test_the_scene_turns_up_and_obeys(browser: Browser) -> None:
    """Pixels of the scene: not blank, changed by a toggle, by opacity, by the clipping plane and by time."""
    _start(browser)
    scene = browser.pixels("#live-view")
    assert (np.ptp(scene, axis=2) > 0.15).mean() > 0.03  # coloured, not grey
    ganglion = _box("gasserian_ganglion")
    _input(browser, ganglion, "e.checked = false")
    without = browser.pixels("#live-view")
    assert (np.abs(without - scene).max(axis=2) > 0.05).mean() > 0.01
    _input(browser, ganglion, "e.checked = true")
    assert (np.abs(browser.pixels("#live-view") - scene).max(axis=2) > 0.05).mean() < 0.001
    _input(browser, "document.getElementById('live-cut')", "e.checked = true")
    assert (np.abs(browser.pixels("#live-view") - scene).max(axis=2) > 0.05).mean() > 0.01
    _input(browser, "document.getElementById('live-cut')", "e.checked = false")
    slice_ = browser.pixels("#live-slice")
    _input(browser, "document.getElementById('live-time')", "e.value = 0")
    early = browser.pixels("#live-view")
    assert (np.abs(early - scene).max(axis=2) > 0.05).mean() > 0.01
    assert np.abs(browser.pixels("#live-slice") - slice_).mean() > 0.02
    assert browser.errors == [] and browser.requests == []


@NEEDS_LIBRARY
@NEEDS_BROWSER
def test_time_links_scene_and_curves(browser: Browser) -> None:
    _start(browser)
    x = "Number(document.querySelector('.cursor').getAttribute('x1'))"
    last = browser.run(x)
    _input(browser, "document.getElementById('live-time')", "e.value = 1")
    assert browser.run("document.getElementById('live-time-text').textContent") == "15 s"
    first = browser.run(x)
    edge = browser.run("document.querySelector('[id^=panel-]').getBBox().x")
    assert (first - edge) / (last - edge) == pytest.approx(15 / 75, abs=1e-3)
    assert "37.3" not in browser.run("document.getElementById('live-readings').textContent")
    browser.run(
        "(b => document.querySelector('#histories svg').dispatchEvent(new MouseEvent('click', {bubbles: true,"
        "clientX: b.x + 0.6 * b.width, clientY: b.y + b.height / 2})))"
        "(document.querySelector('[id^=panel-]').getBoundingClientRect())"
    )
    assert browser.run("document.getElementById('live-time-text').textContent") == "45 s"
    assert browser.errors == [] and browser.requests == []


@NEEDS_LIBRARY
@NEEDS_BROWSER
def test_values_under_the_pointer_have_units(browser: Browser) -> None:
    _start(browser)
    middle = browser.run(
        "(b => [b.x + b.width / 2, b.y + b.height / 2])(document.getElementById('live-view').getBoundingClientRect())"
    )
    browser.send("Input.dispatchMouseEvent", type="mouseMoved", x=middle[0], y=middle[1])
    browser.until("!document.getElementById('live-tip').hidden")
    found = browser.run("document.getElementById('live-tip').textContent")
    value = re.search(r"([\d.]+) °C at \([−\d., ]+\) mm", found)
    assert value and 37 <= float(value[1]) <= 80
    assert browser.errors == [] and browser.requests == []


@NEEDS_LIBRARY
@NEEDS_BROWSER
def test_a_small_screen_keeps_the_picture_until_asked(live_page: Path) -> None:
    with Browser(live_page, width=390, height=800) as phone:
        assert phone.run("getComputedStyle(document.querySelector('.still')).display") == "block"
        assert phone.run("document.documentElement.scrollWidth") <= 390
        phone.run("document.getElementById('live-open').click()")
        _start(phone)
        assert phone.run("document.documentElement.scrollWidth") <= 390
        assert (np.ptp(phone.pixels("#live-view"), axis=2) > 0.15).mean() > 0.03
        phone.send("Emulation.setEmulatedMedia", media="print")
        assert phone.run("getComputedStyle(document.querySelector('.still')).display") == "block"
        assert phone.run("getComputedStyle(document.getElementById('live-place')).display") == "none"
        assert phone.errors == [] and phone.requests == []
