"""A study: plan, faults and results table."""

from __future__ import annotations

import csv
import itertools
import json
import sys
import threading
import time
from pathlib import Path

import pytest

from rfablate.case.read.case_file import load_case
from rfablate.errors import CaseError
from rfablate.study.members import StudyDirectory
from rfablate.study.results_table import StudyTable, collect
from rfablate.study.study_plan import Plan, load_plan
from rfablate.study.study_run import MemberChoice, run
from rfablate.study.worker_pool import Workers, start_run

DATA = Path(__file__).parent / "data"
BASE = f'base = "{DATA / "trigeminal.toml"}"\n'
STUB = (sys.executable, str(DATA / "stub_solver.py"))
TARGETS = '[[axes]]\nkey = "generator.target_degC"\nvalues = [60, 66, 70]\n'
HOLDS = '[[axes]]\nkey = "generator.hold_s"\nvalues = [60, 30, 120]\n'


def planned(folder: Path, text: str) -> Plan:
    """The plan of a study file with this text over the trigeminal case."""
    file = folder / "study.toml"
    file.write_text(BASE + text)
    return load_plan(file)


def done(plan: Plan, folder: Path, monkeypatch: pytest.MonkeyPatch, *, retry: bool = False) -> StudyTable:
    """The table of a study that was run with the stub solver."""
    monkeypatch.setenv("STUB_LOG", str(folder / "log"))
    directory = StudyDirectory(folder / "out")
    with directory.alone() as lock:
        run(plan, directory, Workers(start_run(command=STUB), 2, lock), MemberChoice(retry_failed=retry))
    return collect(plan, directory)


def starts(folder: Path) -> list[str]:
    """The members for which the stub solver was started, in order of time."""
    return (folder / "log").read_text().split()


def refused(folder: Path, text: str) -> str:
    """The message of a rejected study."""
    with pytest.raises(CaseError) as caught:
        planned(folder, text)
    return str(caught.value)


def test_a_grid_has_every_combination_once(tmp_path: Path) -> None:
    plan = planned(tmp_path, TARGETS + HOLDS)
    assert plan.points == list(itertools.product((60, 66, 70), (60, 30, 120)))
    assert len({member.name for member in plan.members}) == 9
    case = plan.case_of(plan.members[5])
    assert (case.generator.target, case.generator.hold) == (66, 120)  # type: ignore[union-attr]
    assert plan.members[5].name.startswith("target=66_hold=120-")


def test_a_members_name_follows_its_resolved_case(tmp_path: Path) -> None:
    """Independent of notation: an explicit default gives the same member, a different base does not."""
    name = planned(tmp_path, TARGETS).members[0].name
    assert planned(tmp_path, 'set = ["time.order=3"]\n' + TARGETS).members[0].name == name
    assert planned(tmp_path, 'set = ["time.order=1"]\n' + TARGETS).members[0].name != name


def test_a_zip_moves_its_axes_together(tmp_path: Path) -> None:
    plan = planned(tmp_path, TARGETS + HOLDS + '[design]\nkind = "zip"\n')
    assert plan.points == [(60, 60), (66, 30), (70, 120)]


def test_keys_move_along_with_an_axis(tmp_path: Path) -> None:
    text = '[[axes]]\nkey = "generator.target_degC"\nvalues = [60, 70]\nlabels = ["mild", "hot"]\n'
    plan = planned(tmp_path, text + 'also."generator.hold_s" = [90, 30]\n')
    holds = [plan.case_of(member).generator.hold for member in plan.members]  # type: ignore[union-attr]
    assert holds == [90, 30]
    assert [member.name.split("-")[0] for member in plan.members] == ["target=mild", "target=hot"]


@pytest.mark.parametrize("kind", ["latin_hypercube", "sobol"])
def test_samples_fill_their_ranges_and_depend_on_the_seed_alone(kind: str, tmp_path: Path) -> None:
    axes = '[[axes]]\nkey = "generator.target_degC"\nlow = 60\nhigh = 80\n'
    axes += '[[axes]]\nkey = "generator.hold_s"\nlow = 10\nhigh = 1000\nscale = "log"\n'
    text = axes + f'[design]\nkind = "{kind}"\nsamples = 16\nseed = {{}}\n'
    points = planned(tmp_path, text.format(1)).points
    assert points == planned(tmp_path, text.format(1)).points != planned(tmp_path, text.format(2)).points
    for part in range(4):  # 16 points, 4 in each quarter of each range
        assert sum(60 + 5 * part <= target <= 65 + 5 * part for target, _ in points) == 4
        assert sum(10 ** (1 + part / 2) <= hold <= 10 ** (1.5 + part / 2) for _, hold in points) == 4


def test_rows_of_a_csv_file_are_members(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        "generator.target_degC,applicators.0.model\n60,cannula-22g-5mm\n70,cannula-20g-5mm\n"
    )
    plan = planned(tmp_path, '[design]\nkind = "csv"\nfile = "list.csv"\n')
    cases = [plan.case_of(member) for member in plan.members]
    assert [case.applicators[0].outer_diameter for case in cases] == pytest.approx([0.718e-3, 0.908e-3])


def test_equal_points_are_run_once_and_have_a_row_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "list.csv").write_text("generator.target_degC\n60\n60.0\n70\n")
    plan = planned(tmp_path, '[design]\nkind = "csv"\nfile = "list.csv"\n')
    table = done(plan, tmp_path, monkeypatch)
    assert (len(plan.members), table.length, len(starts(tmp_path))) == (2, 3, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[axes]]\nkey = "generator.target_degree"\nvalues = [60]\n', "generator.target_degree: unknown key"),
        ('[[axes]]\nkey = "generator.target_degC"\nvalue = [60]\n', "did you mean values?"),
        ('[[axes]]\nkey = "generator.target_degC"\nvalues = [10, 20]\n', "generator.target_degC: found 10"),
        (TARGETS + TARGETS, "generator.target_degC is varied twice"),
        (
            TARGETS + '[[axes]]\nkey = "generator.hold_s"\nvalues = [1, 2]\n[design]\nkind = "zip"\n',
            "the same number of values",
        ),
        (TARGETS + '[design]\nkind = "sobol"\nsamples = 12\n', "a power of 2"),
        (TARGETS + "from_history = true\n", "axes[0].from_history"),
        (TARGETS + HOLDS + 'from_history = true\n[design]\nkind = "zip"\n', "in a grid"),
        ("", "one or more [[axes]] tables"),
        (TARGETS + 'labels = ["a"]\n', "axes[0].labels: found 1; expected 3"),
        ('[design]\nkind = "csv"\nfile = "none.csv"\n', "none.csv"),
        (
            HOLDS + 'from_history = true\n[[axes]]\nkey = "generator.cooldown_s"\nvalues = [5]\n',
            "cooldown_s = 0: a shorter run would start to cool earlier",
        ),
    ],
)
def test_a_wrong_study_is_refused_with_its_reason(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, text)


def test_all_faults_of_a_study_come_at_once_each_where_it_stands(tmp_path: Path) -> None:
    """Faults of its keys, of its tables, and of the cases that its changes and axes produce."""
    text = """
titel = "heat"
ranks = 0
set = ["generator.hols_s=30"]
[[axes]]
key = "generator.target_degree"
value = [60, 70]
[[axes]]
key = "structures.motor_rot.diameter_mm"
values = [1, 2]
scale = "logarithmic"
[[axes]]
key = "time.order"
values = [1, 7]
[design]
kind = "latin-hypercube"
[collect]
responses = ["structures.motor_rot.max_degC"]
"""
    file = tmp_path / "study.toml"
    file.write_text(BASE + text)
    with pytest.raises(CaseError) as caught:
        load_plan(file, ["mesh.acuracy=draft"])
    told = {fault.where: f"{fault.found} | {fault.suggestion}" for fault in caught.value.faults}
    assert told == {
        "titel": 'unknown key (found "heat") | did you mean title?',
        "ranks": "found 0 | ",
        "axes[0].value": "unknown key (found [60, 70]) | did you mean values?",
        "axes[0]: generator.target_degree": "unknown key (found 60) | did you mean target_degC?",
        "axes[1].scale": 'found "logarithmic" | ',
        "design.kind": 'found "latin-hypercube" | did you mean "latin_hypercube"?',
        "set[0]: generator.hols_s": "unknown key (found 30) | did you mean hold_s?",
        "axes[1]: structures.motor_rot.diameter_mm": 'structures has no item "motor_rot" | did you mean "motor_root"?',
        "axes[2]: time.order": "found 7 | ",
        "--set: mesh.acuracy": 'unknown key (found "draft") | did you mean accuracy?',
        "collect.responses[0]": (
            'no column structures.motor_rot.max_degC | did you mean "structures.motor_root.max_degC"?'
        ),
    }


def test_a_study_of_a_faulty_case_or_of_none_says_so_beside_its_own_faults(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        (DATA / "trigeminal.toml").read_text().replace("radius_mm = 40", "radius_mm = -40")
    )
    file = tmp_path / "study.toml"
    file.write_text('base = "mine.toml"\n' + TARGETS.replace("70]", "700]"))
    with pytest.raises(CaseError) as caught:
        load_plan(file)
    assert [fault.where for fault in caught.value.faults] == [
        "base: domain.radius_mm",
        "axes[0]: generator.target_degC",
    ]
    file.write_text('base = "mien.toml"\n' + TARGETS + 'nam = "hot"\n')
    with pytest.raises(CaseError) as caught:
        load_plan(file)
    assert [fault.suggestion for fault in caught.value.faults] == [
        "did you mean name?",
        f"did you mean {tmp_path / 'mine.toml'}?",
    ]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ('responses = ["structures.motor_rot.max_degC"]', "structures.motor_root.max_degC"),
        ('responses = ["lesion.isotherm50.width_mm"]', "lesion.isotherm_50C.width_mm"),
        ('responses = ["lesions.isotherm_50C.width_mm"]', "lesion"),
        ('pareto = ["max lesion.arhenius.volume_mm3", "min generator.target_degC"]', "lesion.arrhenius.volume_mm3"),
    ],
)
def test_a_response_no_run_can_have_is_refused_before_any_run(asked: str, meant: str, tmp_path: Path) -> None:
    assert f'did you mean "{meant}"?' in refused(tmp_path, f"{TARGETS}[collect]\n{asked}\n")


def test_a_failing_member_is_kept_apart_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run fails, one case is rejected: both have a reason, the other two have results."""
    plan = planned(tmp_path, TARGETS.replace("70]", "70, 500]"))
    table = done(plan, tmp_path, monkeypatch)
    assert table.columns["status"] == ["completed", "failed", "completed", "failed"]
    assert "rejected at the minimum length" in table.columns["reason"][1]
    assert "generator.target_degC: found 500" in table.columns["reason"][3]
    assert len(starts(tmp_path)) == 3
    assert len(list((tmp_path / "out" / "failed").iterdir())) == 2
    assert len(list((tmp_path / "out" / "members").iterdir())) == 2
    done(plan, tmp_path, monkeypatch)
    assert len(starts(tmp_path)) == 3, "nothing is run again unasked"
    done(plan, tmp_path, monkeypatch, retry=True)
    assert starts(tmp_path)[3:] == [plan.members[1].name]


def test_shorter_times_are_read_from_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of a shorter hold equals that of a shorter run, and lists missing numbers."""
    own = done(planned(tmp_path, TARGETS + HOLDS), tmp_path, monkeypatch)
    (tmp_path / "read").mkdir()
    plan = planned(tmp_path / "read", TARGETS + HOLDS + "from_history = true\n")
    read = done(plan, tmp_path / "read", monkeypatch)
    assert len(starts(tmp_path / "read")) == 3 and len(starts(tmp_path)) == 9
    order = sorted(
        range(9), key=lambda n: (own.columns["generator.target_degC"][n], own.columns["generator.hold_s"][n])
    )
    for name in ("generator.target_degC", "generator.hold_s", "structures.motor_root.verdict"):
        assert read.columns[name] == [own.columns[name][n] for n in order]
    for name in ("lesion.isotherm_50C.width_mm", "structures.motor_root.max_degC"):
        assert read.numbers(name) == pytest.approx(own.numbers(name)[order], rel=1e-12, nan_ok=True)
    for hold, bar, reason in zip(
        read.columns["generator.hold_s"][:3],
        read.columns["lesion.isotherm_50C.width_mm.bar"][:3],
        read.columns["reason"][:3],
        strict=True,
    ):
        assert (bar is None) == (hold != 120) == ("error bars, numerics and timings" in reason)


def test_a_time_that_a_run_kept_nothing_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values between other times are not interpolated."""
    plan = planned(tmp_path, HOLDS + "from_history = true\n")
    done(plan, tmp_path, monkeypatch)
    file = tmp_path / "out" / "members" / plan.members[0].name / "summary.json"
    summary = json.loads(file.read_text())
    summary["observed"] = summary["observed"][:1]
    file.write_text(json.dumps(summary))
    table = collect(plan, StudyDirectory(tmp_path / "out"))
    assert table.columns["generator.hold_s"] == [30, 60, 120]
    assert table.columns["status"] == ["completed", "not seen", "completed"]
    widths = table.columns["lesion.isotherm_50C.width_mm"]
    assert widths[0] is not None and widths[1] is None and "has no numbers" in table.columns["reason"][1]


def test_the_table_holds_axes_numbers_bars_and_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = done(planned(tmp_path, TARGETS), tmp_path, monkeypatch)
    assert table.columns["lesion.isotherm_50C.width_mm.bar"] == [0.1, None, 0.1]
    assert table.columns["structures.motor_root.verdict"] == ["safe", None, "safe"]
    assert table.responses()[0] == "lesion.isotherm_50C.width_mm"
    assert not {"generator.target_degC", "lesion.isotherm_50C.width_mm.bar", "timing_s.total"} & set(table.responses())
    table.write(tmp_path)
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["generator.target_degC"] for row in rows] == ["60", "66", "70"]
    assert float(rows[2]["lesion.isotherm_50C.width_mm"]) == pytest.approx(0.1 * 33, rel=1e-9)
    parquet = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "table.parquet").to_pydict()
    assert list(parquet) == list(table.columns)
    assert parquet["lesion.isotherm_50C.width_mm"] == table.columns["lesion.isotherm_50C.width_mm"]


def test_collect_keeps_the_columns_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(tmp_path, TARGETS + '[collect]\ncolumns = ["lesion.*.width_mm"]\n')
    table = done(plan, tmp_path, monkeypatch)
    assert list(table.columns) == [
        "member", "status", "reason", "generator.target_degC", "lesion.isotherm_50C.width_mm"
    ]  # fmt: skip


def test_a_member_is_an_ordinary_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory's case.toml loads to the case that was planned."""
    plan = planned(tmp_path, TARGETS)
    done(plan, tmp_path, monkeypatch)
    member = plan.members[0]
    assert load_case(tmp_path / "out" / "members" / member.name) == plan.case_of(member)


def test_two_studies_do_not_share_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfablate.study.members.PATIENCE_S", 0.1)
    with StudyDirectory(tmp_path).alone(), pytest.raises(CaseError, match="another rfablate process uses this study"):
        with StudyDirectory(tmp_path).alone():
            pass


def test_jobs_of_one_study_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a study is submitted again while the collecting job is running or members are ending."""
    monkeypatch.setattr("rfablate.study.members.PATIENCE_S", 0.1)
    first = StudyDirectory(tmp_path).alone(shared=True)
    first.__enter__()
    threading.Timer(1.5, first.__exit__, (None, None, None)).start()
    begin = time.monotonic()
    with StudyDirectory(tmp_path).alone(queued=True):
        assert time.monotonic() - begin > 1.0


def test_the_study_verb_says_its_plan_and_refuses_faults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfablate.cli.main import main

    file = tmp_path / "heat.toml"
    file.write_text(BASE + TARGETS)
    monkeypatch.chdir(tmp_path)
    assert main(["study", str(file), "--plan"]) == 0
    assert "3 members, 3 rows -> studies/heat" in capsys.readouterr().out
    assert main(["study", str(file), "--plan", "--set", "generator.ramp_s=-1"]) == 2
    assert "generator.ramp_s: found -1" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]
