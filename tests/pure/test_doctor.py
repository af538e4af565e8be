"""The doctor reports each problem with advice, and its exit code reflects them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rfablate.cli import doctor
from rfablate.cli.doctor import InstallationFinding

GOOD = InstallationFinding("good", "ok", "1.0")
ODD = InstallationFinding("odd", "warning", "0.5", "consider this")
BAD = InstallationFinding("bad", "failed", "nothing", "do that")


@pytest.fixture(scope="module")
def findings() -> list[InstallationFinding]:
    return doctor.diagnose()


def test_every_check_is_reported_once(findings):
    assert [finding.name for finding in findings] == [name for name, _ in doctor.CHECKS]


def test_advice_comes_with_every_fault_and_only_then(findings):
    for finding in findings:
        assert bool(finding.advice) == (finding.status != "ok"), finding


def test_an_import_that_fails_is_a_finding_with_advice():
    def check(name: str) -> InstallationFinding:
        raise ImportError("no module named nowhere")

    finding = doctor._guarded("nowhere", check)
    assert finding.status == "failed"
    assert "no module named nowhere" in finding.found
    assert "install.sh" in finding.advice


@pytest.mark.parametrize(("findings", "status"), [([GOOD], 0), ([GOOD, ODD], 0), ([ODD, BAD], 1)])
def test_only_a_failure_makes_the_exit_status_one(monkeypatch, capsys, findings, status):
    monkeypatch.setattr(doctor, "diagnose", lambda: findings)
    assert doctor.main() == status
    report = capsys.readouterr().out
    for finding in findings:
        assert finding.found in report
        assert finding.advice in report


@pytest.mark.parametrize(
    ("version", "ok"),
    [("0.8.0", False), ("0.9.0", True), ("0.10.0.post2", True), ("0.11.0", True), ("0.12.0", False)],
)
def test_dolfinx_versions_from_0_9_to_0_11_are_accepted(monkeypatch, version, ok):
    module = type("module", (), {"__version__": version})
    monkeypatch.setitem(sys.modules, "dolfinx", module)
    assert (doctor._dolfinx("DOLFINx").status == "ok") is ok


def test_root_needs_both_open_mpi_variables():
    both = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    one = {"OMPI_ALLOW_RUN_AS_ROOT": "1"}
    assert doctor.root_finding("user", is_root=False, environ={}).status == "ok"
    assert doctor.root_finding("user", is_root=True, environ=both).status == "ok"
    assert doctor.root_finding("user", is_root=True, environ=one).status == "warning"


def test_an_unwritable_cache_is_a_failure(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked / "cache"))
    finding = doctor._write_access("write access")
    assert finding.status == "failed"
    assert "XDG_CACHE_HOME" in finding.advice


def test_a_missing_compiler_is_a_failure(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    finding = doctor._compiler("C compiler")
    assert finding.status == "failed"
    assert "no-such-compiler" in finding.found


def test_it_is_light_and_works_without_dolfinx():
    """Importing the doctor imports no optional or slow module."""
    code = (
        "import sys; sys.modules['dolfinx'] = None; import rfablate.cli.doctor as d; "
        "assert not {'numpy', 'pyvista', 'petsc4py'} & set(sys.modules); "
        "print(d._guarded('DOLFINx', d._dolfinx).status)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "failed"


def test_missing_parts_of_pages_are_a_warning_with_advice(monkeypatch):
    assert doctor._pages("pages").status in ("ok", "warning")
    monkeypatch.setattr(doctor, "PAGE_PARTS", {"bokeh-that-is-not": "plots"})
    finding = doctor._pages("pages")
    assert finding.status == "warning" and "bokeh-that-is-not (plots)" in finding.found and "[report]" in finding.advice
    monkeypatch.setattr(doctor, "PAGE_PARTS", {})

    def no_pango(name):
        raise OSError("cannot load library 'libpango-1.0-0'")

    monkeypatch.setattr(doctor.importlib, "import_module", no_pango)
    finding = doctor._pages("pages")
    assert finding.status == "warning" and "apt-get install libpango-1.0-0" in finding.advice
