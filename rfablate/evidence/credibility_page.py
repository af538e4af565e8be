"""A credibility document as a self-contained HTML page. Pure; every text is escaped by the templates."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup

from rfablate.evidence.credibility_document import Block, CredibilityDocument, Grid, Listing, Missing, Paragraph
from rfablate.report.html_elements import icon, table, together
from rfablate.report.page_templates import element, render

ICONS = {"PASS": "good", "FAIL": "bad", "inside": "good", "OUTSIDE": "part", "missing": "bad", "outside": "part"}
"""Icon of the cells with one of these texts."""


def credibility_page(document: CredibilityDocument) -> str:
    """Return the page of a document."""
    counts = Counter(gap.kind for gap in document.gaps)
    facts = [f"{counts[kind]} {kind}" for kind in ("missing", "outside", "weak") if counts[kind]]
    total = len(document.gaps)
    sections = [
        (f"{number} {part.title}", together(_block(block) for block in part.blocks))
        for number, part in enumerate(document.parts, start=1)
    ]
    return str(
        render(
            "credibility.html",
            title=document.title,
            kind="part" if total else "good",
            state=f"{total} gaps" if total != 1 else "1 gap",
            facts=[*facts, document.date],
            sections=sections,
        )
    )


def _block(block: Block) -> Markup:
    match block:
        case Paragraph():
            return element("paragraph", block.text)
        case Missing():
            return element("missing", block.text, block.remedy)
        case Listing():
            return element("listing", block.items, block.numbered)
        case Grid():
            rows = [[_cell(cell) for cell in row] for row in block.rows]
            return table(block.head, rows, kind="evidence", caption=block.caption, texts=block.texts)


def _cell(text: str) -> str:
    return element("span", "name", together([icon(ICONS[text]), text])) if text in ICONS else text
