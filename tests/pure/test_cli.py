"""The command line: exit codes, no output for an invalid case, fast start, progress display."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import rfablate.log as log_module
from rfablate import live_bar
from rfablate.cli.main import main
from rfablate.log import Progress, setup_log
from rfablate.study.study_progress import MemberCounts, StudyProgress
from tests.environment import clean_environment

ROOT = Path(__file__).parents[2]
TRIGEMINAL = ROOT / "tests" / "pure" / "data" / "trigeminal.toml"
needs_dolfinx = pytest.mark.skipif(find_spec("dolfinx") is None, reason="DOLFINx is not installed")


def rfablate(*arguments: str | Path, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rfablate", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=clean_environment(), timeout=timeout, check=False
    )


def test_check_says_what_would_be_done() -> None:
    done = rfablate("check", TRIGEMINAL)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "cannula-22g-5mm",
        "motor_root",
        "at most 45 degC",
        "212 = 0.00368",
        "IT'IS, from memory",
        "no faults",
    ):
        assert words in done.stdout


def test_check_of_a_bad_case_gives_2_and_every_fault() -> None:
    done = rfablate("check", TRIGEMINAL, "--set", "generator.target_degC=20", "--set", "domain.tissu=fat")
    assert (done.returncode, done.stdout) == (2, "")
    assert "2 faults in" in done.stderr
    assert "generator.target_degC: found 20" in done.stderr and "domain.tissu: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_imports_nothing_heavy() -> None:
    code = (
        "import sys; from rfablate.cli.main import main; "
        f"main(['check', {str(TRIGEMINAL)!r}]); "
        "heavy = set('dolfinx mpi4py petsc4py pyvista matplotlib gmsh scipy h5py rich'.split()); "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@needs_dolfinx
@pytest.mark.parametrize("verb", ["run", "mesh"])
def test_a_bad_case_is_refused_before_anything_is_written(verb: str, tmp_path: Path) -> None:
    done = rfablate(verb, TRIGEMINAL, "--set", "generator.hold_s=-1", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "generator.hold_s: found -1" in done.stderr
    assert list(tmp_path.iterdir()) == []


@needs_dolfinx
def test_a_used_run_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("old")
    done = rfablate("run", TRIGEMINAL, "-o", tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr and "--overwrite" in done.stderr
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("summary.json", "old")]


def test_a_new_case_passes_check_and_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine"]) == 0
    assert main(["check", "mine.toml"]) == 0
    assert "mine\n" in capsys.readouterr().out
    (tmp_path / "mine.toml").write_text("kept")
    assert main(["new", "mine.toml"]) == 2
    assert "already exists" in capsys.readouterr().err
    assert (tmp_path / "mine.toml").read_text() == "kept"


def test_the_library_draws_its_applicators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cooled-17g-4mm", "umbrella-10-tines-35mm", "cannula-22g-5mm"):
        assert main(["library", "applicators", name, "--pictures", str(tmp_path / "new")]) == 0
        assert (tmp_path / "new" / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "file").write_text("")
    assert main(["library", "applicators", "cannula-22g-5mm", "--pictures", str(tmp_path / "file")]) == 2
    assert "writable folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["library", "tissues"], ["0.148 (0.148 to 0.333)", "860 = 0.0155", "checked", "assumed from nerve"]),
        (
            ["library", "tissues", "kidney"],
            ["0.06742 1/s = 3795 mL/min/kg", "1263.7 to 11385 *", "from memory"],
        ),
        (["library", "applicators"], ["cannula-22g-5mm-blunt", "0.718", "assumed"]),
        (["library", "applicators", "cannula-20g-10mm"], ["outer_diameter_mm = 0.908", "source:"]),
        (["library", "applicators", "star-5-tines-30mm"], ["tines.count = 5", "assumed"]),
        (["library", "damage"], ["7.39e+39", "2.577e+05", "Jacques"]),
    ],
)
def test_the_library_is_shown_with_units_and_sources(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


@pytest.mark.parametrize("verb", ["report", pytest.param("resume", marks=needs_dolfinx)])
def test_a_misspelt_run_directory_is_told_with_the_nearest(verb: str, tmp_path: Path) -> None:
    for name in ("nerve", "nerves_of_another_kind"):
        (tmp_path / name).mkdir()
        for file in ("case.toml", "summary.json"):
            (tmp_path / name / file).touch()
    done = rfablate(verb, tmp_path / "nreve")
    assert done.returncode == 2
    assert "no such directory; expected a" in done.stderr and f"did you mean {tmp_path / 'nerve'}?" in done.stderr


def test_an_unknown_entry_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["library", "tissues", "livr"]) == 2
    assert 'did you mean "liver"?' in capsys.readouterr().err


def test_a_report_needs_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "no summary.json" in capsys.readouterr().err


def test_unknown_verbs_and_no_verb_give_2() -> None:
    for arguments in ([], ["simulate"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


@needs_dolfinx
@pytest.mark.parametrize("cache", ["as it is", "empty"])
def test_sigterm_ends_a_run_with_6(tmp_path: Path, cache: str) -> None:
    """With an empty cache Gmsh generates the mesh; starting Gmsh resets the SIGTERM handler."""
    environment = clean_environment()
    if cache == "empty":
        environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    command = [sys.executable, "-m", "rfablate", "run", str(TRIGEMINAL), "-o", str(tmp_path / "out")]
    keys = ["--set", "domain.kind=axisymmetric", "--set", "structures=[]", "--set", "time.max_step_s=0.01"]
    keys += ["--set", "applicators.0.tip_shape=blunt", "--set", "time.first_step_s=0.01"]
    process = subprocess.Popen(
        [*command, *keys],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert process.stdout is not None
    seen = next((line for line in process.stdout if "treatment of" in line), "")
    assert seen, process.communicate()[1]  # it ended before it started
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 6, errors
    assert "interrupted" in errors and "Traceback" not in errors


# --- log and progress -----------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wall time as the progress sees it; set clock[0]. A terminal of 120 columns, no MPI launcher variable."""
    for name in live_bar._LAUNCHER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm", "COLUMNS": "120", "LANG": "en_US.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LC_ALL", raising=False)
    now = [0.0]
    monkeypatch.setattr(log_module.time, "monotonic", lambda: now[0])
    return now


def steps(clock: list[float], progress: Progress, count: int = 20, wall: float = 1.0) -> None:
    for number in range(1, count + 1):
        clock[0] += wall
        progress.update(number * 100.0 / count, 37.0 + number, 2.0, 150.0, 100.0 / count)
    progress.close()


def test_a_log_gets_a_plain_line_every_five_seconds(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    setup_log(0, tmp_path / "run.log")
    steps(clock, Progress(100.0, enabled=True))
    lines = out.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0] == "t = 25 of 100 s, step 5 s, 42.0 degC at the sensor, 2 W, 150 ohm, 15 s left"
    assert lines[-1].startswith("t = 100 of 100 s") and "left" not in lines[-1]
    written = (tmp_path / "run.log").read_text().splitlines()
    assert [line.split("  ", 1)[1] for line in written] == lines
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  t = 25", written[0])
    assert "\r" not in out.getvalue() and "\033" not in out.getvalue()


def plain(text: str) -> str:
    """Return a text without the control sequences of a terminal."""
    return re.sub(r"\033\[[0-9;?]*[A-Za-z]", "", text)


def drawn(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a terminal receives of 20 steps."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    setup_log(0)
    steps(clock, Progress(100.0, enabled=True))
    return out.getvalue()


def test_a_terminal_gets_one_line_that_is_redrawn(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    log = setup_log(0, tmp_path / "run.log")
    progress = Progress(100.0, enabled=True)
    clock[0] += 1.0
    progress.update(50.0, 60.0, 2.0, float("nan"), 1.0)
    log.warning("something happened")
    steps(clock, progress)
    text = out.getvalue()
    assert text.count("\r") >= 20 and text.count("\n") == 2
    first, second, rest = plain(text).split("\n")
    assert "50.0 / 100 s  step 1 s, 60.0 degC at the sensor, 2 W, 1 s left" in first
    assert first.endswith("\rwarning: something happened") and rest == ""
    assert "100.0 / 100 s  step 5 s, 57.0 degC at the sensor" in second.rsplit("\r", 1)[1]
    assert "?25l" not in text  # the cursor stays: a killed run cannot bring it back
    assert "t = 100 of 100 s" in (tmp_path / "run.log").read_text()


def test_a_narrow_terminal_gets_lines_of_its_width(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = [line.strip("\r") for line in re.split(r"[\r\n]", plain(drawn(clock, monkeypatch)))]
    assert max(map(len, lines)) <= 20
    assert any(line.startswith(" 100.0 / 100 s") for line in lines)


@pytest.mark.parametrize("name", ["LANG", "LC_ALL"])
def test_a_locale_without_unicode_gets_ascii(clock: list[float], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not drawn(clock, monkeypatch).isascii()
    monkeypatch.setenv(name, "C")
    assert drawn(clock, monkeypatch).isascii()


@pytest.mark.parametrize("term", [None, "dumb"])
def test_a_terminal_that_cannot_redraw_gets_plain_lines(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    monkeypatch.setenv("TERM", term) if term else monkeypatch.delenv("TERM")
    text = drawn(clock, monkeypatch)
    assert "\r" not in text and "\033" not in text and len(text.splitlines()) == 4


def test_a_terminal_that_closes_stops_nothing(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stdout", Gone())
    log = setup_log(0)
    progress = Progress(100.0, enabled=True)
    progress.update(50.0, 60.0, 2.0, float("nan"), 1.0)
    log.warning("something happened")
    steps(clock, progress)


def test_without_standard_output_there_is_no_bar(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `>&-`."""
    monkeypatch.setattr(sys, "stdout", None)
    assert not live_bar.can_redraw()
    steps(clock, Progress(100.0, enabled=True))


def test_a_study_has_the_same_bar(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    progress = StudyProgress(MemberCounts(4, completed=1))
    for _ in range(3):
        clock[0] += 1.0
        progress.completed("a")
        progress.show(2)
    progress.failed("b")
    progress.show(0, last=True)
    line, last, rest = plain(out.getvalue()).split("\n")
    assert "2 of 4 members, 2 running, 2 s left" in line and line.endswith("\rfailed: b")
    assert last.rsplit("\r", 1)[1].strip(" ━").startswith("5 of 4 members, 1 failed") and rest == ""


def test_a_notebook_shows_a_widget() -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipywidgets")
    code = """
from rfablate import live_bar
from rfablate.log import Progress, setup_log
from rfablate.study.study_progress import StudyProgress
setup_log(0)
progress = Progress(100.0, enabled=True)
progress.update(50.0, 60.0, 2.0, float("nan"), 1.0)
progress.close()
"""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=120).execute()
    outputs = book.cells[0].outputs
    assert any("application/vnd.jupyter.widget-view+json" in each.get("data", {}) for each in outputs)
    assert "50.0 / 100 s  step 1 s, 60.0 degC" in str(book.metadata.widgets)


def test_a_terminal_that_a_launcher_made_up_is_none(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    monkeypatch.setattr(live_bar.os, "readlink", lambda path: "pipe:[1234]")
    setup_log(0)
    steps(clock, Progress(100.0, enabled=True))
    assert "\r" not in out.getvalue() and len(out.getvalue().splitlines()) == 4


def test_only_rank_0_speaks(clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    setup_log(1, tmp_path / "run.log").warning("from rank 1")
    steps(clock, Progress(100.0, enabled=False))
    assert out.getvalue() == "" and not (tmp_path / "run.log").exists()


def test_quiet_prints_warnings_and_files_everything(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    log = setup_log(0, tmp_path / "run.log", quiet=True)
    log.info("told to the file")
    log.warning("told to all")
    steps(clock, Progress(100.0, enabled=True))
    assert out.getvalue() == "warning: told to all\n"
    assert "told to the file" in (tmp_path / "run.log").read_text()


@pytest.fixture(autouse=True)
def quiet_after() -> object:
    yield
    setup_log(0)
    logging.getLogger("rfablate").handlers.clear()


def test_children_of_a_test_see_no_mpi_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of a launcher and of the MPI library are not passed on; variables of the user are."""
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    monkeypatch.setenv("PMIX_NAMESPACE", "here")
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
    os.putenv("PMIX_BEHIND", "1")
    try:
        command = [sys.executable, "-c", "import os; print(*os.environ)"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment())
    finally:
        os.unsetenv("PMIX_BEHIND")
    seen = done.stdout.split()
    assert "PATH" in seen and "OMPI_ALLOW_RUN_AS_ROOT" in seen
    assert not {"OMPI_COMM_WORLD_RANK", "PMIX_NAMESPACE", "PMIX_BEHIND"} & set(seen)
