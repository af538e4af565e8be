"""The gallery contains every case and applicator with pictures, and its numbers agree with those of the cases."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs.applicators import FAMILIES, families
from docs.pages import gallery_page, number_text, question, span
from rfablate.physics.library import applicator_names
from rfablate.toml import tomllib
from tests.shipped import CASES

DOCS = CASES.parent / "docs"
RECORD = json.loads((DOCS / "gallery.json").read_text(encoding="utf-8"))
NAMES = sorted(folder.name for folder in CASES.iterdir() if folder.is_dir())
PAGES = ("gallery.md", "applicators.md")


def test_every_case_is_in_the_gallery_with_its_picture() -> None:
    """If this fails, run `make gallery ARGS=<case>`."""
    assert list(RECORD) == NAMES
    assert [name for name in NAMES if not (DOCS / "pictures" / f"{name}.png").is_file()] == []


def test_the_page_is_what_its_record_makes() -> None:
    """The page was not edited, and `make gallery` was run after changes of a README's question."""
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery_page(RECORD)


@pytest.mark.parametrize("name", [name for name in NAMES if (CASES / name / "expected.toml").is_file()])
def test_the_numbers_are_those_that_the_case_expects(name: str) -> None:
    """Within expected.toml's tolerance."""
    text = (CASES / name / "expected.toml").read_text(encoding="utf-8")
    expected = {entry["key"]: entry for entry in tomllib.loads(text)["number"]}
    assert RECORD[name]["numbers"]
    for shown in RECORD[name]["numbers"]:
        entry = expected[shown["key"]]
        assert shown["value"] == pytest.approx(entry["value"], abs=entry["tolerance"]), shown["key"]
        assert shown["error"] is None or 0.0 <= shown["error"] < 2.0 * entry["tolerance"]


def test_the_trends_of_the_factorial_are_those_of_its_readme() -> None:
    """The published ranges, and the computed ones."""
    rows = (CASES / "ex_vivo_factorial" / "README.md").read_text(encoding="utf-8")
    for trend in RECORD["ex_vivo_factorial"]["trends"]:
        (row,) = [line for line in rows.splitlines() if line.startswith(f"| {trend['title']} |")]
        printed, here = (cell.strip() for cell in row.split("|")[2:4])
        assert (printed, here) == (span(trend["published"], trend["unit"]), span(trend["seen"], trend["unit"]))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Pictures and READMEs."""
    links = re.findall(r"\]\(([^)]+)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (DOCS / link).is_file()] == []


def test_every_applicator_of_the_library_is_drawn() -> None:
    """On the sheet of its family, or separately; sheets state the number of models."""
    sheets, alone = families()
    assert sorted([*(name for names in sheets.values() for name in names), *alone]) == sorted(applicator_names())
    text = (DOCS / "applicators.md").read_text(encoding="utf-8")
    for file, names in sheets.items():
        assert f"(pictures/applicators-{file}.png)\n\n{len(names)} models `cannula-…{FAMILIES[file][1]}`" in text
    assert [name for name in alone if f"(pictures/{name}.png)" not in text] == []


def test_pictures_are_small() -> None:
    """At most 60 kB per picture and 2 MB in total; every picture is on a page."""
    sizes = {file.name: file.stat().st_size for file in (DOCS / "pictures").iterdir()}
    assert max(sizes.values()) < 60e3 and sum(sizes.values()) < 2e6
    shown = "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in sizes if f"(pictures/{name})" not in shown] == []


def test_a_question_ends_with_its_mark_and_links_from_docs() -> None:
    """The text up to the first question mark, on one line."""
    asked = question("repeat_rhizotomy")
    assert asked.endswith("?") and "\n" not in asked
    assert "](../cases/trigeminal/README.md)" in asked


@pytest.mark.parametrize(
    ("key", "value", "error", "text"),
    [
        ("lesion.isotherm_50C.width_mm", 4.813, 0.226, "4.81 ± 0.2 mm"),
        ("lesion.arrhenius.volume_mm3", 10077.3, 523.0, "10077 ± 500 mm³"),
        ("structures.nerve.covered_fraction", 0.384, 0.035, "38 ± 4 %"),
        ("structures.nerve.max_degC", 41.38, None, "41.4 °C"),
        ("electric.impedance_ohm", 457.1, None, "457.10 Ω"),
    ],
)
def test_a_number_has_its_unit_and_its_bar(key: str, value: float, error: float | None, text: str) -> None:
    """Fractions in percent, the error bar with one digit."""
    assert number_text({"key": key, "value": value, "error": error}) == text


def test_the_glossary_is_what_the_quantities_define() -> None:
    from docs.glossary import glossary

    assert (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8") == glossary()
