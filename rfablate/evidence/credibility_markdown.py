"""A credibility document as Markdown. Pure; every text is escaped."""

from __future__ import annotations

import re

from rfablate.evidence.credibility_document import Block, CredibilityDocument, Grid, Listing, Missing, Paragraph

DISCLAIMER = "Research tool, not a medical device. No result is a treatment plan."
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_START = re.compile(r"^(\d*)([-+=.)])(?=[-=\s]|$)")
"""What would begin a list, a rule or a heading at the start of a line."""


def credibility_markdown(document: CredibilityDocument) -> str:
    """Return the document as Markdown."""
    lines = [f"# {escaped(document.title)}", "", f"Credibility of the simulation. {escaped(document.date)}", ""]
    lines += [f"*{DISCLAIMER}*", ""]
    for number, part in enumerate(document.parts, start=1):
        lines += [f"## {number} {escaped(part.title)}", ""]
        for block in part.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return _START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", " ".join(text.split())))


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [escaped(block.text)]
        case Missing():
            remedy = f" Remedy: {escaped(block.remedy)}." if block.remedy else ""
            return [f"> **Missing.** {escaped(block.text)}{remedy}"]
        case Listing():
            return [
                f"{f'{number}.' if block.numbered else '*'} {escaped(item)}"
                for number, item in enumerate(block.items, start=1)
            ]
        case Grid():
            return _table(block)


def _table(grid: Grid) -> list[str]:
    rule = "|" + "|".join("---" if column < grid.texts else "---:" for column in range(len(grid.head))) + "|"
    rows = [f"| {' | '.join(escaped(cell) for cell in row)} |" for row in (grid.head, *grid.rows)]
    caption = [f"{escaped(grid.caption)}:", ""] if grid.caption else []
    return [*caption, rows[0], rule, *rows[1:]]
