"""Typical errors of new users: wrong file, wrong name, wrong unit, with a helpful message."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfablate.case.read.case_file import load_case
from rfablate.cli.main import main
from rfablate.errors import CaseError
from rfablate.report.report_tables import provenance
from rfablate.results.run_reader import load_run


def test_a_study_given_as_a_case_is_told_as_one(tmp_path: Path) -> None:
    """Instead of reporting each of its keys as unknown."""
    file = tmp_path / "study.toml"
    file.write_text('base = "case.toml"\n[[axes]]\nkey = "generator.hold_s"\nvalues = [60, 90]\n')
    with pytest.raises(CaseError) as caught:
        load_case(file)
    (fault,) = caught.value.faults
    assert "a study" in fault.found and fault.suggestion == f"rfablate study {file}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('title = "broken\n', "found title = \"broken: illegal character '\\n'; expected a line of TOML"),
        ("[domain\n", "found [domain; expected ']' at the end of a table declaration"),
    ],
)
def test_a_syntax_fault_is_a_sentence(tmp_path: Path, text: str, words: str) -> None:
    """Messages of the parser are used only where they form a sentence."""
    file = tmp_path / "case.toml"
    file.write_text(text)
    with pytest.raises(CaseError) as caught:
        load_case(file)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "told", "never"),
    [
        (37, "mL/min/kg for 1/s? perfusion_mL_per_min_per_kg = 37", "per minute for per second"),
        (0.93, "per minute for per second? 0.0155 1/s", "mL/min/kg"),
        (1e6, "at most 0.1 [1/s]", "try:"),
    ],
)
def test_what_a_perfusion_was_meant_as_is_one_that_tissue_has(
    value: float, told: str, never: str, tmp_path: Path
) -> None:
    """A hint must not lead to another fault."""
    main(["new", str(tmp_path / "case.toml")])
    with (tmp_path / "case.toml").open("a") as file:
        file.write(f'[tissues.muscle]\nperfusion_per_s = {value}\nsource = "a try"\n')
    with pytest.raises(CaseError) as caught:
        load_case(tmp_path / "case.toml")
    assert told in str(caught.value) and never not in str(caught.value)


def test_the_library_takes_no_word_that_it_does_not_use(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A single damage set is listed on request, and tissues have no pictures."""
    assert main(["library", "damage", "skin"]) == 0
    out = capsys.readouterr().out
    assert "3.1e+98" in out and "7.39e+39" not in out
    assert main(["library", "damage", "skni"]) == 2
    assert 'did you mean "skin"?' in capsys.readouterr().err
    assert main(["library", "tissues", "--pictures", str(tmp_path)]) == 2
    assert "rfablate library applicators --pictures" in capsys.readouterr().err


def test_provenance_has_no_more_digits_than_it_means(tmp_path: Path) -> None:
    """Regression: memory in MiB had eight decimals."""
    (tmp_path / "summary.json").write_text('{"provenance": {"ranks": 2, "peak_MiB": 421.13671875}}')
    assert "421.1<" in provenance(load_run(tmp_path)) and "<code>2</code>" in provenance(load_run(tmp_path))
