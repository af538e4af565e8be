"""study.html is self-contained, uses no network, lists failures, and works for every design."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfablate.errors import CaseError
from rfablate.study import study_figures as figures
from rfablate.study.members import StudyDirectory
from rfablate.study.results_table import StudyTable
from rfablate.study.study_data import Varied
from rfablate.study.study_page import write_page
from rfablate.study.study_plan import load_plan
from rfablate.study.study_run import finish
from tests.pure.test_report import make_run

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
TARGET, MODEL, WIDTH = "generator.target_degC", "applicators.0.model", "lesion.isotherm_50C.width_mm"
GRID = f'[[axes]]\nkey = "{TARGET}"\nvalues = [60, 70, 80]\n'
GRID += f'[[axes]]\nkey = "{MODEL}"\nvalues = ["cannula-22g-5mm", "cannula-20g-5mm", "cannula-18g-5mm"]\n'
GRID += 'labels = ["thin <22", "thick", "thicker"]\n'
SAMPLED = f'[[axes]]\nkey = "{TARGET}"\nlow = 60\nhigh = 80\n[[axes]]\nkey = "generator.hold_s"\nlow = 10\nhigh = 99\n'
SAMPLED += '[design]\nkind = "latin_hypercube"\nsamples = 30\n'


def page(folder: Path, text: str, failed: int = -1) -> str:
    """The page of a study with this text, one member failed."""
    file = folder / "study.toml"
    file.write_text(f'title = "A & B"\nbase = "{CASE}"\n{text}')
    plan = load_plan(file)
    table = StudyTable([axis.key for axis in plan.axes])
    for number, point in enumerate(plan.points):
        row = {"member": plan.members[number].name, "status": "completed", "reason": None}
        row |= {axis.key: value for axis, value in zip(plan.axes, point, strict=True)}
        if number == failed:
            row |= {"status": "failed", "reason": "error: <bad> mesh"}
        else:
            row |= {
                WIDTH: 0.1 * point[0] + number % 3,
                f"{WIDTH}.bar": 0.25,
                "lesion.isotherm_50C.volume_mm3": 3.0 * number,
            }
        table.append(row)
    return write_page(folder, plan, table).read_text()


@pytest.mark.parametrize("text", [GRID, SAMPLED])
def test_every_figure_is_drawn(text: str, tmp_path: Path) -> None:
    found = page(tmp_path, text)
    assert "could not be drawn" not in found
    for name in ("Main effects", "Contours", "Parallel coordinates"):
        assert f"<h2>{name}</h2>" in found
    assert ("<h2>Interactions</h2>" in found) == (text is GRID)


@pytest.mark.parametrize("count", [1, 3, 4, 6, 7])
def test_contours_stay_wide_enough_to_read_however_many(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Panels are in rows, at least 1.7 inches wide, and do not overlap."""
    drawn: list[Any] = []
    monkeypatch.setattr(figures.style, "svg", lambda figure, title: drawn.append(figure) or "")
    x, y = (part.ravel() for part in np.meshgrid([60.0, 70.0, 80.0], [30.0, 60.0, 90.0]))
    axes = [
        Varied(name, "", each, np.unique(each), ("a", "b", "c"), False, False) for name, each in (("x", x), ("y", y))
    ]
    figures.contours(axes, [(f"structures.s{n}.max_degC", x + n * y) for n in range(1, count + 1)])
    panels = [ax for ax in drawn[0].axes if ax.get_visible() and ax.get_title(loc="left")]
    assert len(panels) == count
    boxes = [ax.get_position().transformed(drawn[0].transFigure) for ax in panels]
    assert min(box.width for box in boxes) / drawn[0].dpi > 1.7
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_the_page_opens_offline(tmp_path: Path) -> None:
    found = re.sub(r"<script.*?</script>", "", page(tmp_path, GRID), flags=re.DOTALL)
    links = re.findall(r'(?:src|href)="([^"]*)"', found)
    assert links and all(link.startswith(("#", "members/", "data:")) for link in links)
    assert "Research tool, not a medical device" in found


def test_a_failed_member_is_told_with_its_reason_escaped(tmp_path: Path) -> None:
    found = page(tmp_path, GRID, failed=2)
    assert "1 failed" in found and "error: &lt;bad&gt; mesh" in found
    assert "A &amp; B" in found and "thin &lt;22" in found
    assert "±0.2" in found


def test_the_pareto_front_is_drawn_and_listed(tmp_path: Path) -> None:
    goals = f'[collect]\npareto = ["min {WIDTH}", "max lesion.isotherm_50C.volume_mm3"]\n'
    found = page(tmp_path, GRID + goals)
    assert "<h2>Pareto front</h2>" in found and "minimised" in found
    with pytest.raises(CaseError, match='did you mean "lesion.isotherm_50C.width_mm"'):
        page(tmp_path, GRID + goals.replace(WIDTH, WIDTH + "s"))


def test_a_study_without_results_has_a_page(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(f'base = "{CASE}"\n{GRID}')
    plan = load_plan(file)
    table = StudyTable([TARGET, MODEL])
    for member, point in zip(plan.members, plan.points, strict=True):
        table.append({"member": member.name, "status": "not run", TARGET: point[0], MODEL: point[1]})
    assert "no member has a result yet" in write_page(tmp_path, plan, table).read_text()


def test_reports_that_completed_members_lack_are_written(tmp_path: Path) -> None:
    """Members may have run before `reports` was set; one report that cannot be written does not stop the others."""
    file = tmp_path / "study.toml"
    file.write_text(f'base = "{CASE}"\nreports = true\n{GRID}')
    plan, directory = load_plan(file), StudyDirectory(tmp_path / "out")
    good, damaged, written = (directory.members / member.name for member in plan.members[:3])
    for place in (good, damaged, written):
        make_run(place, axisymmetric=True, n=9, frames=2)
    (damaged / "history.csv").write_bytes(b"\xff")
    (written / "report.html").write_text("earlier")
    said: list[str] = []
    finish(plan, directory, say=said.append)
    assert (good / "report.html").stat().st_size > 10_000
    assert (written / "report.html").read_text() == "earlier"
    assert any("written: " in line and good.name in line for line in said)
    assert f"members/{good.name}/report.html" in (tmp_path / "out" / "study.html").read_text()
