"""HTML elements of the page: tables, icons and bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_ICONS = {
    "good": '<circle cx="9" cy="9" r="8"/><path d="M5 9.4l2.7 2.7L13 6.6"/>',
    "part": '<path class="s" d="M9 1.5L17.2 16.3H.8z"/><path d="M9 7v4.2M9 13.4v.6"/>',
    "bad": '<path class="s" d="M9 .4L17.6 9 9 17.6.4 9z"/><path d="M6.3 6.3l5.4 5.4m0-5.4l-5.4 5.4"/>',
    "none": '<rect class="s" x="2" y="2" width="14" height="14" rx="3"/><path d="M5.5 9h7"/>',
}
VERDICTS = {
    "reached": "good",
    "safe": "good",
    "partly reached": "part",
    "missed": "bad",
    "limit exceeded": "bad",
}
"""Verdict -> icon; each icon has its own shape, so that the meaning does not depend on colour."""


def icon(kind: str) -> str:
    """Return an icon: good (disc and tick), part (triangle), bad (diamond and cross), none (square and dash)."""
    return f'<svg class="icon {kind}" viewBox="0 0 18 18" aria-hidden="true">{_ICONS[kind]}</svg>'


def verdict(text: str) -> str:
    """Return a verdict as icon and text."""
    kind = VERDICTS.get(text, "none")
    return f'<span class="verdict {kind}">{icon(kind)}{escape(text or "no verdict")}</span>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", caption: str = "", texts: int = 1) -> str:
    """Return a table of HTML cells; the first `texts` columns contain text, the others numbers."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f'<{tag} class="{"t" if i < texts else "n"}">{cell}</{tag}>' for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>" if head else ""
    note = f"<caption>{caption}</caption>" if caption else ""
    return f'<div class="scroll"><table class="{kind}">{note}{top}<tbody>{body}</tbody></table></div>'


def pairs(rows: Iterable[tuple[str, str]], caption: str = "") -> str:
    """Return a two-column table of labels and values."""
    return table((), rows, kind="pairs", caption=caption)


def bar(fraction: float, colour: str) -> str:
    """Return a horizontal bar for a fraction from 0 to 1."""
    width = 100 * min(max(fraction, 0.0), 1.0)
    return f'<span class="bar"><i style="width:{width:.1f}%;background:{colour}"></i></span>'


def section(title: str, body: str, kind: str = "") -> str:
    """Return a section with a heading; '' where the body is empty."""
    return f'<section class="{kind}"><h2>{escape(title)}</h2>{body}</section>' if body else ""


def note(text: Any) -> str:
    """Return a paragraph that explains why a part is missing."""
    return f'<p class="absent">{escape(str(text))}</p>'
