"""A case names files in its own folder only, unless it or the command line says so.

| law                                                                       | allowed                          |
|---------------------------------------------------------------------------|----------------------------------|
| a path outside: absolute, by .., by a symbolic link; at every key         | exit 2, the place, what to write |
| allow_paths, --set of this key                                            | read                             |
| the resolved case of a run                                                | reads back from any folder       |
| a study whose case names one                                              | exit 2                           |
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rfablate.case.read.case_file import dump_case, load_case, parse_case
from rfablate.errors import CaseError
from rfablate.study.study_file import parse_study
from rfablate.study.study_plan import Plan
from rfablate.toml import tomllib

CASE = (Path(__file__).parents[1] / "mpi" / "cases" / "axisymmetric.toml").read_text()
LOG = "time_s,power_W\n0,1\n5,2\n"
MINE = '[tissues.muscle]\nbase = "muscle"\nperfusion_per_s = 0.001\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "case").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "log.csv").write_text(LOG)
    (tmp_path / "secret" / "mine.toml").write_text(MINE)
    (tmp_path / "case" / "link.toml").symlink_to(tmp_path / "secret" / "mine.toml")
    return tmp_path / "case"


def _case(folder: Path, head: str) -> Path:
    (folder / "case.toml").write_text(f"{head}\n{CASE}")
    return folder


@pytest.mark.parametrize("name", ["../secret/mine.toml", "link.toml", "{}/secret/mine.toml", "/etc/passwd"])
def test_a_file_outside_the_folder_is_refused(folder: Path, name: str) -> None:
    name = name.format(folder.parent)
    with pytest.raises(CaseError) as caught:
        load_case(_case(folder, f'tissue_file = "{name}"'))
    fault = next(each for each in caught.value.faults if "outside the case's folder" in each.found)
    assert fault.where == "tissue_file" and "allow_paths" in fault.suggestion and "root:" not in str(caught.value)


@pytest.mark.parametrize(
    "keys",
    [
        'domain={kind = "mesh", file = "/etc/passwd"}',
        'domain={kind = "labels", image = "/etc/passwd"}',
        'domain={kind = "labels", images = ["/etc/passwd"]}',
        'generator={kind = "replay", file = "/etc/passwd"}',
        'structures.0={kind = "label", file = "/etc/passwd"}',
        'applicators.0.markups="/etc/passwd"',
        "start_from=/etc",
    ],
)
def test_every_key_of_a_file_is_checked(folder: Path, keys: str) -> None:
    import tomli_w

    from rfablate.case.read.overrides import apply_overrides

    data = tomllib.loads(CASE)
    apply_overrides(data, (keys,))
    (folder / "case.toml").write_text(tomli_w.dumps(data))
    with pytest.raises(CaseError, match="outside the case's folder"):
        load_case(folder)


def test_what_the_case_or_the_command_line_names_is_read(folder: Path) -> None:
    given = load_case(_case(folder, 'tissue_file = "../secret/mine.toml"\nallow_paths = ["../secret"]'))
    assert given.tissues["muscle"].perfusion == 0.001
    assert load_case(_case(folder, ""), ["tissue_file=../secret/mine.toml"]).tissues == given.tissues
    with pytest.raises(CaseError, match="outside"):  # the command line changed another key
        load_case(_case(folder, 'tissue_file = "../secret/mine.toml"'), ["title=x"])


def test_the_resolved_case_is_read_from_any_folder(folder: Path, tmp_path: Path) -> None:
    replay = 'generator={kind = "replay", file = "../secret/log.csv"}'
    case = load_case(_case(folder, ""), [replay, "output.observe_at_s=[]"])
    assert case.allow_paths == (str((tmp_path / "secret").resolve()),)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "case.toml").write_text(dump_case(case))
    assert load_case(tmp_path / "run") == case == parse_case(tomllib.loads(dump_case(case)))


def test_a_study_does_not_read_more(folder: Path) -> None:
    _case(folder, 'tissue_file = "../secret/mine.toml"')
    axis = {"key": "generator.hold_s", "values": [1.0, 2.0]}
    with pytest.raises(CaseError, match="outside the case's folder"):
        Plan(parse_study({"base": "case.toml", "axes": [axis]}), folder)


@pytest.mark.parametrize("how", ["set", "axes"])
def test_a_study_names_no_more_than_its_case(folder: Path, how: str) -> None:
    _case(folder, "")
    (folder / "mine.toml").write_text(MINE)
    axis = {"key": "generator.hold_s", "values": [1.0, 2.0]}
    named = {"set": ["tissue_file=../secret/mine.toml"], "axes": [axis]}
    if how == "axes":
        named = {"axes": [{"key": "tissue_file", "values": ["mine.toml", "../secret/mine.toml"]}]}
    with pytest.raises(CaseError, match="outside the case's folder"):
        Plan(parse_study({"base": "case.toml", **named}), folder)
    given = ["tissue_file=../secret/mine.toml", "output.observe_at_s=[]"]
    assert len(Plan(parse_study({"base": "case.toml", "axes": [axis]}), folder, given).members) == 2
