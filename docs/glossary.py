"""Generates docs/glossary.md from the table of quantities (`python -m docs.glossary`); a test compares both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rfablate.results.quantities import DOSE_VOLUME, ENERGY, JOINING, LESION, STRUCTURE, TERMS, Quantity

HEAD = """# Glossary

Every quantity that a run reports, with its key in `summary.json`. Card, report, tables and the Python results use these
definitions. Lengths are measured relative to the applicator's axis and tip; with several applicators, relative to the
axis midway between them.
"""


def glossary() -> str:
    """Return the text of docs/glossary.md."""
    parts = [HEAD, "## Terms\n"]
    parts += [f"**{name[:1].upper()}{name[1:]}.** {text}\n" for name, text in TERMS.items()]
    parts += [_section("Lesion, for each rule", (*LESION, *JOINING)), _section("Structures", STRUCTURE)]
    parts += [_section("Dose-volume histograms of structures", DOSE_VOLUME)]
    parts += [_section("Energy balance", ENERGY)]
    return "\n".join(parts)


def _section(title: str, quantities: Iterable[Quantity]) -> str:
    rows = [f"| {each.label} | `{each.key}` | {each.unit} | {each.definition} |" for each in quantities]
    return "\n".join([f"## {title}\n", "| quantity | key | unit | definition |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    Path(__file__).with_name("glossary.md").write_text(glossary(), encoding="utf-8")
