"""HTML elements of the pages: tables, icons and bars. Text is escaped; markup of other elements is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

from rfablate.report.page_templates import element

VERDICTS = {
    "reached": "good",
    "safe": "good",
    "partly reached": "part",
    "missed": "bad",
    "limit exceeded": "bad",
}
"""Verdict -> icon; each icon has its own shape, so that the meaning does not depend on colour."""


def icon(kind: str) -> Markup:
    """Return an icon: good (disc and tick), part (triangle), bad (diamond and cross), none (square and dash)."""
    return element("icon", kind)


def verdict(text: str) -> Markup:
    """Return a verdict as icon and text."""
    return element("verdict", text, VERDICTS.get(text, "none"))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "", caption: str = "", texts: int = 1
) -> Markup:
    """Return a table; the first `texts` columns contain text, the others numbers."""
    return element("table", head, list(rows), kind, caption, texts)


def pairs(rows: Iterable[tuple[str, str]], caption: str = "") -> Markup:
    """Return a two-column table of labels and values."""
    return table((), rows, kind="pairs", caption=caption)


def bar(fraction: float, colour: str) -> Markup:
    """Return a horizontal bar for a fraction from 0 to 1."""
    return element("bar", 100 * min(max(fraction, 0.0), 1.0), colour)


def section(title: str, body: str, kind: str = "") -> Markup:
    """Return a section with a heading; '' where the body is empty."""
    return element("section", title, body, kind) if body else Markup()


def note(text: Any) -> Markup:
    """Return a paragraph that explains why a part is missing."""
    return element("note", str(text))


def together(parts: Iterable[str]) -> Markup:
    """Return parts of a page one after the other; plain text among them is escaped."""
    return Markup().join(parts)
