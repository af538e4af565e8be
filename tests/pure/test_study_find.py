"""Searches with a stub solver with closed-form results."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rfablate.case.geometry.applicator_spacing import spacing_of
from rfablate.case.read.case_file import load_case, parse_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError
from rfablate.study.find_run import run_open
from rfablate.study.goals import Goal, QuestionTexts, SearchQuestion, ask, to_cover, to_join
from rfablate.study.inverse_search import SearchResult, find
from rfablate.study.members import StudyDirectory
from rfablate.study.search_runs import Search, at_edge
from rfablate.study.worker_pool import Workers, start_run
from tests.summaries import complete_run

CASE = Path(__file__).parent / "data" / "trigeminal.toml"
PAIR = Path(__file__).parents[2] / "cases" / "bipolar_si_joint" / "case.toml"
STUB = (sys.executable, str(Path(__file__).parent / "data" / "stub_solver.py"))
KEY = "applicators.spacing_mm"
Numbers = Callable[[Case, bool], dict[str, dict[str, float]]]


def size(case: Case, draft: bool) -> dict[str, dict[str, float]]:
    """A lesion and a nerve temperature that grow with temperature and time; draft values are 3 and 2 % too large."""
    generator: Any = case.generator
    volume = (generator.target - 37) * generator.hold**0.5 * (1.03 if draft else 1.0)
    hot = 37 + 0.1 * (generator.target - 37) + 0.05 * generator.hold
    return {
        "lesion.isotherm_50C": {"volume_mm3": volume},
        "structures.motor_root": {"max_degC": hot * (1.02 if draft else 1)},
    }


def hump(case: Case, draft: bool) -> dict[str, dict[str, float]]:
    """A volume with its maximum inside the range, at 72 degC (draft: 71)."""
    generator: Any = case.generator
    return {"lesion.isotherm_50C": {"volume_mm3": 50 - 0.1 * (generator.target - (71 if draft else 72)) ** 2}}


def answer(
    folder: Path,
    solver: Numbers,
    vary: Sequence[str],
    goals: Sequence[str],
    *,
    of: Path = CASE,
    question: SearchQuestion | None = None,
    bar: float = 0.0,
    **aim: str,
) -> tuple[SearchResult, list[str]]:
    """Return the result of a search with this solver, and the members that were run."""
    question = question or ask(load_case(of), QuestionTexts(vary, goals, **aim))
    search, directory, done = Search(of, (), question), StudyDirectory(folder), list[str]()

    def run(members: Sequence[Any]) -> None:
        for member in members:
            if directory.state(member.name) != "open":
                continue
            case = search.plan.case_of(member)
            found = solver(case, case.mesh.accuracy == "draft")
            summary: dict[str, Any] = {"status": "completed", "lesion": {}, "structures": {}}
            for path, numbers in found.items():
                section, name = path.split(".")
                summary[section][name] = numbers
            summary["numerics"] = {"error_bar": {"motor_root.max_degC": bar} if case.output.error_bar else {}}
            (directory.members / member.name).mkdir()
            (directory.members / member.name / "summary.json").write_text(json.dumps(complete_run(summary)))
            done.append(member.name)

    return find(search, directory, run, lambda text: None), done


def test_the_answer_lies_on_its_goal(tmp_path: Path) -> None:
    """45 degC = 37 + 0.1 (T - 37) + 0.05 x 60 holds at T = 87 degC, by the exact runs and not by the drafts."""
    found, done = answer(
        tmp_path, size, ["generator.target_degC=60:95"], ["structures.motor_root.max_degC<=45"],
        maximise="lesion.isotherm_50C.volume_mm3",
    )  # fmt: skip
    assert found.x is not None
    assert 87 - 0.2 < found.x[0] <= 87
    assert found.numbers["structures.motor_root.max_degC"] <= 45
    assert found.why == "" and found.spread == 0.0  # no error bar
    assert not at_edge(found.question, found.x)
    assert len(done) < 25 and sum("standard" in name for name in done) <= 6


@pytest.mark.parametrize("bar", [0.05, 0.4])
def test_a_search_ends_where_the_error_bar_does_not_tell_its_runs_apart(bar: float, tmp_path: Path) -> None:
    """The slope of the number over the key is 0.1: the result is known to ten times the error bar, not better."""
    asked = (["generator.target_degC=60:95"], ["structures.motor_root.max_degC<=45"])
    aim = {"maximise": "lesion.isotherm_50C.volume_mm3"}
    found, done = answer(tmp_path / "bar", size, *asked, bar=bar, **aim)
    _, exact = answer(tmp_path / "none", size, *asked, **aim)
    assert found.x is not None
    assert 87 - 10 * bar <= found.x[0] <= 87
    assert found.numbers["structures.motor_root.max_degC"] <= 45
    assert found.spread == pytest.approx(10 * bar, rel=0.05)
    assert "structures.motor_root.max_degC differs by" in found.why and f"error bar ({bar:.2g})" in found.why
    assert len(done) < len(exact), "and for fewer runs"


def test_an_interior_optimum_is_found_without_a_goal(tmp_path: Path) -> None:
    found, done = answer(tmp_path, hump, ["generator.target_degC=60:95"], [], maximise="lesion.isotherm_50C.volume_mm3")
    assert found.x is not None
    # the optimum of the drafts is off by one degree, 0.1 of 50 mm3: no additive shift corrects it
    assert found.x[0] == pytest.approx(71, abs=0.2)
    assert found.numbers["lesion.isotherm_50C.volume_mm3"] == pytest.approx(49.9, abs=0.05)
    assert len(done) < 30


def test_the_end_of_a_range_is_an_answer_and_is_told(tmp_path: Path) -> None:
    found, _ = answer(
        tmp_path, size, ["generator.target_degC=60:80"], ["structures.motor_root.max_degC<=45"],
        maximise="lesion.isotherm_50C.volume_mm3",
    )  # fmt: skip
    assert found.x == (80,)
    assert at_edge(found.question, found.x) == ["generator.target_degC"]
    assert found.spread is None


def test_goals_that_cannot_be_met_are_told_with_the_nearest_value(tmp_path: Path) -> None:
    found, _ = answer(
        tmp_path, size, ["generator.target_degC=60:95"], ["structures.motor_root.max_degC<=41"],
        maximise="lesion.isotherm_50C.volume_mm3",
    )  # fmt: skip
    assert found.x is None and found.nearest == (60,)
    assert found.violation == pytest.approx((37 + 2.3 + 3 - 41) / 41, rel=1e-6)


def test_two_keys_meet_their_goal_together(tmp_path: Path) -> None:
    """Largest (T - 37) sqrt(t) with 0.1 (T - 37) + 0.05 t <= 8: by Lagrange t = 160/3 s and T = 37 + 160/3 degC."""
    pytest.importorskip("scipy", minversion="1.14")
    found, done = answer(
        tmp_path,
        size,
        ["generator.target_degC=60:95", "generator.hold_s=20:120"],
        ["structures.motor_root.max_degC<=45"],
        maximise="lesion.isotherm_50C.volume_mm3",
    )
    best = 160 / 3 * math.sqrt(160 / 3)
    assert found.x is not None
    assert 0.99 * best < found.numbers["lesion.isotherm_50C.volume_mm3"] <= best * (1 + 1e-9)
    assert found.numbers["structures.motor_root.max_degC"] <= 45


def test_a_search_started_again_goes_the_same_way(tmp_path: Path) -> None:
    """Interrupted after any number of runs, it gives the same result and repeats no run."""
    question = (["generator.target_degC=60:95"], ["structures.motor_root.max_degC<=45"])
    aim = {"maximise": "lesion.isotherm_50C.volume_mm3"}
    whole, runs = answer(tmp_path / "whole", size, *question, **aim)
    budget = len(runs) // 2

    def breaking(case: Case, draft: bool) -> dict[str, dict[str, float]]:
        nonlocal budget
        budget -= 1
        if budget < 0:
            raise KeyboardInterrupt
        return size(case, draft)

    with pytest.raises(KeyboardInterrupt):
        answer(tmp_path / "broken", breaking, *question, **aim)
    again, rest = answer(tmp_path / "broken", size, *question, **aim)
    assert again.x == whole.x and len(rest) == len(runs) - len(runs) // 2


def test_a_goal_about_no_column_is_refused_after_the_first_runs(tmp_path: Path) -> None:
    """If the structure exists but its number exists only in the results."""
    with pytest.raises(CaseError, match='did you mean "structures.motor_root.max_degC"'):
        answer(
            tmp_path, size, ["generator.target_degC=60:95"], ["structures.motor_root.mx_degC<=45"],
            maximise="lesion.isotherm_50C.volume_mm3",
        )  # fmt: skip
    assert len(list(tmp_path.glob("members/*/summary.json"))) == 5


def parting(case: Case, draft: bool) -> dict[str, dict[str, float]]:
    """Two point sources, 50 degC at 3.7 mm (a draft's: 4 mm) from both; a neck as of two balls of this radius."""
    radius, apart = 4.0 if draft else 3.7, spacing_of([a.tip for a in case.applicators]) * 1e3
    neck = math.sqrt(radius**2 - apart**2 / 4) if apart < 2 * radius else radius - apart / 2
    return {"lesion.isotherm_50C": {"bridge_margin_mm": neck, "bridge_level": 13 * (2 * radius / apart - 1)}}


@pytest.mark.parametrize(("margin", "spacing"), [(0.0, 7.4), (2.0, 2 * math.sqrt(3.7**2 - 4))])
def test_the_largest_spacing_with_one_lesion_is_found(tmp_path: Path, margin: float, spacing: float) -> None:
    found, done = answer(tmp_path, parting, [], [], of=PAIR, question=to_join(load_case(PAIR), KEY, margin))
    assert found.x is not None
    assert spacing - 0.1 < found.x[0] <= spacing
    assert len(done) < (25 if margin == 0.0 else 40), "the level is smooth where the lesions part, the neck is not"


def test_the_spacing_ranges_from_half_to_twice_the_cases_own_and_other_goals_join() -> None:
    case = load_case(PAIR)
    question = to_join(case, KEY, 0.0, QuestionTexts(goals=["structures.sacral_nerve.max_degC<=45"]))
    assert (question.varied[0].low, question.varied[0].high) == (5.0, 20.0)
    assert [str(goal) for goal in question.goals] == [
        "lesion.isotherm_50C.bridge_level>=0",
        "structures.sacral_nerve.max_degC<=45",
    ]
    with pytest.raises(CaseError, match="fewer than two applicators"):
        to_join(load_case(CASE), KEY, 0.0)


def test_each_run_is_told_by_its_values_with_what_it_came_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not by a hash; the stub's width is a tenth of the target above 37 degC, and it fails at 66."""
    monkeypatch.setenv("STUB_LOG", str(tmp_path / "log"))
    question = ask(load_case(CASE), QuestionTexts(["generator.target_degC=60:72"], [], "lesion.isotherm_50C.width_mm"))
    search, directory = Search(CASE, (), question), StudyDirectory(tmp_path)
    members = [search.member((x,), "draft") for x in (60.0, 66.0)]
    with directory.alone() as lock:
        run_open(search, members, directory, Workers(start_run(command=STUB), 1, lock))
        run_open(search, members, directory, Workers(start_run(command=STUB), 1, lock))
    failed = directory.failed / members[1].name
    assert capsys.readouterr().out.splitlines() == [
        "draft at generator.target_degC = 60: lesion.isotherm_50C.width_mm = 2.3",
        f"draft at generator.target_degC = 66: failed, see {failed}",
    ]


def test_a_goal_at_nothing_is_missed_in_its_own_unit() -> None:
    """Otherwise a search could not distinguish small from large deviations."""
    goal = Goal("margin", ">=", 0.0)
    assert goal.violation({"margin": -0.25}) == 0.25 and goal.violation({"margin": 2.0}) == -2.0


def test_a_range_that_is_not_given_is_half_to_twice_the_cases_value() -> None:
    vary = ask(load_case(CASE), QuestionTexts(["applicators.0.active_tip_mm"], [], "electric.power_W")).varied[0]
    assert (vary.low, vary.high, vary.given) == (2.5, 10.0, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((["generator.hold_s=5"], [], "generator.hold_s", None), "KEY=LOW:HIGH with LOW below HIGH"),
        ((["generator.hold_s=5:6"], ["a<5"], "generator.hold_s", None), "COLUMN<=NUMBER"),
        ((["generator.hold_s"], [], None, None), "one of --minimise COLUMN and --maximise COLUMN"),
        (([], [], "electric.power_W", None), "no key to vary"),
        ((["generator.kind"], [], "electric.power_W", None), "has no nonzero number"),
        ((["applicators.canula.active_tip_mm"], [], "electric.power_W", None), "applicators has no item"),
    ],
)
def test_a_wrong_question_is_refused(arguments: Any, said: str) -> None:
    with pytest.raises(CaseError, match=said.replace("(", r"\(")) as caught:
        ask(load_case(CASE), QuestionTexts(*arguments))
    assert len(caught.value.faults) == 1


def test_every_name_a_question_gets_wrong_is_told_with_the_one_meant() -> None:
    with pytest.raises(CaseError) as caught:
        ask(
            load_case(CASE),
            QuestionTexts(
                ["generator.holds_s=5:9", "structures.motor_rot.diameter_mm", "generator.target_degC=70:80"],
                ["structures.gaserian_ganglion.covered_fraction>=1", "energy.joule_J<=9"],
                maximise="lesion.arhenius.volume_mm3",
            ),
        )
    assert [(fault.where, fault.suggestion) for fault in caught.value.faults] == [
        ("--vary: structures.motor_rot.diameter_mm", 'did you mean "motor_root"?'),
        ("--vary: generator.holds_s", "did you mean hold_s?"),
        ("--maximise", 'did you mean "lesion.arrhenius.volume_mm3"?'),
        (
            "--goal structures.gaserian_ganglion.covered_fraction>=1",
            'did you mean "structures.gasserian_ganglion.covered_fraction"?',
        ),
    ]


def test_the_shorthand_asks_for_a_covered_target_with_its_margin() -> None:
    question = to_cover(load_case(CASE), "generator.hold_s=10:300", "gasserian_ganglion", 2.0)
    assert (question.column, question.sign, question.varied[0].high) == ("generator.hold_s", 1.0, 300)
    assert [(goal.column.split(".")[-1], goal.sense) for goal in question.goals] == [
        ("covered_fraction", ">="),
        ("min_margin_mm", ">="),
    ]
    with pytest.raises(CaseError, match="no target motor_root"):
        to_cover(load_case(CASE), "generator.hold_s", "motor_root", 0.0)


def test_the_target_of_a_users_mesh_can_be_asked_for() -> None:
    """Regions of a mesh count as structures."""
    regions = [
        {"tag": 1, "name": "tissue", "tissue": "liver"},
        {"tag": 2, "name": "lens", "tissue": "fat", "role": "target", "required_fraction": 0.6},
    ]
    surfaces = [
        {"tag": 1, "name": "active_tip", "roles": ["active"]},
        {"tag": 3, "name": "outer", "roles": ["return", "body_temperature"]},
    ]
    domain = {"kind": "mesh", "file": __file__, "length_unit": "mm", "regions": regions, "surfaces": surfaces}
    case = parse_case(
        {
            "domain": domain,
            "applicators": [{"outer_diameter_mm": 0.9, "active_tip_mm": 10}],
            "generator": {"kind": "temperature", "target_degC": 80, "hold_s": 60},
        },
        check=False,
    )
    question = to_cover(case, "generator.hold_s=10:300", "lens", 0.0)
    assert "structures.lens.covered_fraction" in str(question.goals[0].column)
