"""Pages under their content security policy, in a browser: hostile strings run nothing, and nothing is loaded.

| law                                                                        | allowed                     |
|----------------------------------------------------------------------------|-----------------------------|
| titles, names, sources, warnings, reasons with markup, in report and study | shown as text; nothing runs |
| a script that is not the page's own, put into the page's file              | blocked by the policy       |
| an image or a script of another host                                       | not requested               |
| the page's own scripts                                                     | run, no error               |
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rfablate.report import write_report
from tests.browser import Browser, find_browser
from tests.pure.test_report import make_run

pytestmark = pytest.mark.skipif(find_browser() is None, reason="neither Chromium nor Chrome is installed")
EVIL = (
    "<script>window.hit=1</script><img src=x onerror=\"window.hit=1\"><svg onload='window.hit=1'>"
    "</title></style></script><script>window.hit=1</script>javascript:window.hit=1 {{7*7}} ${7*7}"
)


def _hostile_run(folder: Path) -> Path:
    run = make_run(folder, axisymmetric=True, n=9, frames=2)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    summary["title"] = summary["reason"] = EVIL
    summary["status"] = "failed"
    summary["warnings"] = [EVIL]
    summary["structures"] = {f"{EVIL}{name}": entry for name, entry in summary["structures"].items()}
    for entry in summary["structures"].values():
        entry["tissue"] = entry["rule"] = EVIL
    for tissue in summary["tissues"].values():
        tissue["source"] = EVIL
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return run


def test_hostile_strings_of_a_run_are_text(tmp_path: Path) -> None:
    page = write_report(_hostile_run(tmp_path / "run"))
    with Browser(page) as browser:
        assert browser.run("window.hit === undefined")
        assert browser.run("document.body.innerText.includes('window.hit=1')")
        assert browser.run("document.querySelectorAll('img[src=x], svg[onload]').length") == 0
        assert browser.run("document.querySelectorAll('script:not([type])').length") <= 3
        assert browser.requests == [] and browser.errors == [], (browser.requests, browser.errors)


def test_the_policy_blocks_what_is_not_the_pages_own(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    page = write_report(run)
    text = page.read_text(encoding="utf-8")
    foreign = (
        "<script>window.hit=1</script><script src='https://example.org/x.js'></script>"
        "<img id=far src='https://example.org/x.png'><img src='x.png' onerror='window.hit=2'><iframe src='/'></iframe>"
    )
    page.write_text(text.replace("<body>", f"<body>{foreign}"), encoding="utf-8")
    with Browser(page) as browser:
        assert browser.run("window.hit === undefined")
        assert browser.run("fetch('https://example.org/').then(() => 'read', () => 'refused')") == "refused"
        assert any("Content Security Policy" in each for each in browser.errors)
        assert len(browser.blocked) >= len(browser.requests) >= 2 and set(browser.blocked) == {"csp"}, browser.blocked


def test_hostile_strings_of_a_study_file_and_its_members_are_text(tmp_path: Path) -> None:
    """Title and labels of the study, and the reason of a failed member, which can come from a solver's output."""
    from rfablate.study.results_table import StudyTable
    from rfablate.study.study_page import write_page
    from rfablate.study.study_plan import load_plan

    base = Path(__file__).parent / "data" / "trigeminal.toml"
    quoted = json.dumps(EVIL)
    (tmp_path / "study.toml").write_text(
        f'title = {quoted}\nbase = "{base}"\n[[axes]]\nkey = "generator.target_degC"\nvalues = [60, 70, 80]\n'
        f'labels = [{quoted}, {json.dumps(EVIL + "2")}, "hot"]\n'
    )
    plan = load_plan(tmp_path / "study.toml")
    table = StudyTable(["generator.target_degC"])
    for number, (member, point) in enumerate(zip(plan.members, plan.points, strict=True)):
        row = {"member": member.name, "status": "completed", "reason": None, "generator.target_degC": point[0]}
        failed = {"status": "failed", "reason": EVIL}
        table.append(row | (failed if number == 2 else {"lesion.isotherm_50C.width_mm": 3.0 + number}))
    with Browser(write_page(tmp_path, plan, table)) as browser:
        assert browser.run("window.hit === undefined && document.title.includes('window.hit=1')")
        assert browser.run("document.querySelectorAll('img[src=x]').length") == 0
        assert browser.errors == [] and browser.requests == [], (browser.errors, browser.requests)


def test_hostile_strings_of_a_study_are_text(tmp_path: Path) -> None:
    from rfablate.report.page_templates import render

    page = tmp_path / "study.html"
    text = render("study.html", title=EVIL, kind="good", state=EVIL, facts=[EVIL], sections=[])
    page.write_text(text, encoding="utf-8")
    with Browser(page) as browser:
        assert browser.run("window.hit === undefined && document.title.includes('window.hit=1')")
        assert browser.errors == [] and browser.requests == []
