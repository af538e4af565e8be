"""The linked plots of study.html, in a browser.

| law                                                       | seen by                                     |
|-----------------------------------------------------------|---------------------------------------------|
| a row under the pointer is marked in all plots and table  | pixels of each plot, class of the table row |
| a table row under the pointer is marked in all plots      | pixels of each plot                         |
| a box chooses rows in the table                           | class of the table rows                     |
| a click on a point opens the report of its run            | address                                     |
| hostile texts are text; nothing is loaded; no error       | page, console, requests                     |
| without Bokeh the page names it and has its figures       | page                                        |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.report import browser_library
from rfablate.study import linked_plots
from rfablate.study.axis_labels import axis_title, gauge_labels, model_label, value_labels
from rfablate.study.results_table import StudyTable
from rfablate.study.study_page import write_page
from rfablate.study.study_plan import load_plan
from rfablate.study.study_tables import StudyAxis
from tests.browser import Browser, find_browser
from tests.pure.test_study_page import CASE, GRID, SAMPLED, TARGET, page

needs_browser = pytest.mark.skipif(find_browser() is None, reason="neither Chromium nor Chrome is installed")
EVIL = "$$x$$ <b onclick=1>&@member{safe}"
HOT = np.array([0xC4, 0x3C, 0x33]) / 255
"""Colour of a marked row."""
POINTS = """(() => {
  const found = []
  const walk = view => {
    const rows = (view.model.renderers ?? []).find(each => each.data_source?.name === 'rows')
    if (view.model.type === 'Figure' && rows && view.views.find_one(rows).glyph.sx?.length) {
      const glyph = view.views.find_one(rows).glyph
      const box = view.canvas_view.el.getBoundingClientRect()
      found.push([...glyph.sx].map((x, n) => [box.x + x, box.y + glyph.sy[n]]))
    }
    for (const child of view.child_views ?? []) walk(child)
  }
  walk([...Bokeh.index.roots][0])
  return found
})()"""
"""Place of each row in each plot of points [px]."""


def _open(file: Path) -> Browser:
    """Open a page and wait until its plots stay where they are."""
    browser = Browser(file, height=1600, limit_s=240.0)
    browser.until(f"document.documentElement.classList.contains('has-plots') && {POINTS}.length > 1")
    browser.until("Bokeh.documents[0].is_idle")
    before: Any = None
    while (places := browser.run(POINTS)) != before:
        before = places
        browser.run("new Promise(done => setTimeout(() => requestAnimationFrame(done), 300))")
    return browser


def _point(browser: Browser, kind: str, x: float, y: float) -> None:
    press = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
    browser.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **press)


def _marked(browser: Browser, places: list[Any]) -> int:
    """Return the number of places at which the page has the colour of marked rows."""
    picture = browser.pixels()
    return sum(bool((np.abs(picture[round(y), round(x)] - HOT) < 0.03).all()) for x, y in places)


def _study(folder: Path, reports: bool = True) -> Path:
    page(folder, GRID)
    for member in load_plan(folder / "study.toml").members:
        place = folder / "members" / member.name
        place.mkdir(parents=True)
        if reports:
            (place / "report.html").write_text("<p>report")
    page(folder, GRID)
    return folder / "study.html"


@needs_browser
def test_a_row_is_marked_everywhere_and_opens_its_report(tmp_path: Path) -> None:
    file = _study(tmp_path)
    assert file.stat().st_size < 8e6
    with _open(file) as browser:
        plots = browser.run(POINTS)
        assert len(plots) == 5  # two responses over two axes, and one response over the other
        row = 4
        places = [each[row] for each in plots]
        assert _marked(browser, places) == 0
        _point(browser, "mouseMoved", *places[0])
        browser.until("document.querySelectorAll('tr.marked').length === 1")
        assert (
            browser.run("[...document.querySelectorAll('table.linked tbody tr')].findIndex(r => r.matches('.marked'))")
            == row
        )
        assert _marked(browser, places[1:]) == len(places) - 1
        for kind in ("mousePressed", "mouseReleased"):
            _point(browser, kind, *places[0])
        name = load_plan(tmp_path / "study.toml").members[row].name
        browser.until("document.readyState === 'complete' && location.pathname.endsWith('report.html')")
        assert browser.run("decodeURI(location.pathname)").endswith(f"members/{name}/report.html")
        assert browser.errors == [] and browser.requests == []


@needs_browser
def test_a_table_row_is_marked_in_the_plots_and_a_box_chooses_rows(tmp_path: Path) -> None:
    with _open(_study(tmp_path, reports=False)) as browser:
        browser.run(
            "document.querySelectorAll('table.linked tbody tr')[7].dispatchEvent(new PointerEvent('pointerenter'))"
        )
        browser.until("Bokeh.documents[0].get_model_by_name('rows').inspected.indices.length === 1")
        places = [each[7] for each in browser.run(POINTS)]
        browser.run("new Promise(done => setTimeout(done, 300))")
        assert _marked(browser, places) == len(places)
        first = browser.run(POINTS)[0]
        across = first[0][0] + 0.25 * (first[8][0] - first[0][0])
        bottom, top = max(y for _, y in first) + 4, min(y for _, y in first) - 20
        _point(browser, "mouseMoved", across, bottom)
        _point(browser, "mousePressed", across, bottom)
        for step in range(1, 6):
            place = {"x": across - 0.2 * step * (across - first[0][0] + 10), "y": bottom + 0.2 * step * (top - bottom)}
            browser.send("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, **place)
        _point(browser, "mouseReleased", place["x"], place["y"])
        browser.until("document.querySelectorAll('tr.chosen').length === 3")
        assert "set reports = true" in browser.run("document.getElementById('plots-note').innerText").replace("\n", " ")
        assert browser.run("location.pathname").endswith("study.html")
        assert browser.errors == [] and browser.requests == []


@needs_browser
def test_hostile_labels_are_text(tmp_path: Path) -> None:
    text = GRID.replace('"thin <22"', f'"{EVIL}"').replace('"thick"', '"\\\\(y\\\\) [z](javascript:window.hit=1)"')
    page(tmp_path, text)
    with _open(tmp_path / "study.html") as browser:
        x, y = browser.run(POINTS)[0][0]
        _point(browser, "mouseMoved", x, y)
        browser.until("document.querySelectorAll('tr.marked').length === 1")
        assert EVIL in browser.run("document.querySelector('table.linked').innerText")
        assert browser.run("window.hit === undefined")
        assert browser.run("document.querySelectorAll('b[onclick]').length") == 0
        assert browser.errors == [] and browser.requests == []


@needs_browser
@pytest.mark.parametrize("failed", [-1, 2])
def test_ranges_and_failed_rows_are_drawn(failed: int, tmp_path: Path) -> None:
    page(tmp_path, SAMPLED, failed)
    with _open(tmp_path / "study.html") as browser:
        assert browser.errors == [] and browser.requests == []


def test_the_page_without_bokeh_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_plots, "browser_file", lambda *_: None)
    found = page(tmp_path, GRID)
    assert "require the package bokeh" in found and "<h2>Parallel coordinates</h2>" in found
    assert "plots-data" not in found


def test_too_many_rows_are_not_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linked_plots, "MOST_ROWS", 8)
    assert "9 rows; at most 8" in page(tmp_path, GRID)


def test_the_licence_of_the_library_is_in_the_page(tmp_path: Path) -> None:
    assert "Redistribution and use" in browser_library.licence_of("bokeh")
    assert "Redistributions of source code" in page(tmp_path, GRID)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cannula-22g-5mm", "22 G, 5 mm"),
        ("cannula-18g-10mm-blunt-curved-tube", "18 G, 10 mm, blunt, curved, tube"),
        ("cooled-17g-4mm", "cooled 17 G, 4 mm"),
        ("my-own", "my-own"),
    ],
)
def test_models_are_labelled_by_gauge(name: str, label: str) -> None:
    assert model_label(name) == label


def test_diameters_are_labelled_by_gauge_where_all_are_gauges() -> None:
    axis = StudyAxis(key="applicators.0.outer_diameter_mm", values=(0.718, 1.27))
    assert value_labels(axis, [0.718, 1.27]) == ("22 G", "18 G")
    assert gauge_labels(axis, [0.718, 1.0]) is None and value_labels(axis, [0.718, 1.0]) == ("0.718", "1")
    own = axis.model_copy(update={"labels": ("thin", "thick")})
    assert value_labels(own, [1.27]) == ("thick",)


def test_titles_name_the_object_where_two_axes_have_the_same_key() -> None:
    axes = [StudyAxis(key=f"tissues.{name}.sigma_S_per_m", values=(0.1, 0.2)) for name in ("liver", "bone")]
    axes.append(StudyAxis(key=TARGET, values=(60, 70)))
    assert [axis_title(axis, axes) for axis in axes] == ["liver sigma", "bone sigma", "target"]


def test_figures_and_table_show_the_gauge(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        f'base = "{CASE}"\n[[axes]]\nkey = "applicators.0.outer_diameter_mm"\nvalues = [0.718, 0.908]\n'
        f'[[axes]]\nkey = "{TARGET}"\nvalues = [60, 70]\n'
    )
    plan = load_plan(file)
    table = StudyTable([axis.key for axis in plan.axes])
    for number, point in enumerate(plan.points):
        keys = {axis.key: value for axis, value in zip(plan.axes, point, strict=True)}
        row = {"member": plan.members[number].name, "status": "completed", "lesion.isotherm_50C.width_mm": 1.0 + number}
        table.append(row | keys)
    text = write_page(tmp_path, plan, table).read_text()
    assert text.count("22 G") >= 4 and "20 G <span" in text
