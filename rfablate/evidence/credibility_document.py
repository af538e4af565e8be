"""The parts of a credibility document: paragraphs, tables and lists, rendered as HTML or Markdown elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

GapKind = Literal["missing", "weak", "outside"]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str


@dataclass(frozen=True)
class Missing:
    """A statement that evidence is missing, and the command or key that provides it."""

    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Grid:
    """A table; the first `texts` columns contain text, the others numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1
    caption: str = ""


@dataclass(frozen=True)
class Listing:
    """A list of sentences."""

    items: tuple[str, ...]
    numbered: bool = False


Block = Paragraph | Missing | Grid | Listing


@dataclass(frozen=True)
class EvidenceGap:
    """Something that the evidence lacks."""

    kind: GapKind
    """`missing`: there is none; `weak`: it shows less than it should; `outside`: it applies to other conditions."""
    part: str
    """The section that it belongs to."""
    text: str
    remedy: str = ""
    """Command or key that would close the gap; empty where there is none."""


@dataclass(frozen=True)
class Part:
    """A section of the document with the gaps that were found while it was made."""

    title: str
    blocks: tuple[Block, ...]
    gaps: tuple[EvidenceGap, ...] = ()


@dataclass(frozen=True)
class CredibilityDocument:
    """A credibility document: its sections in order, and all gaps."""

    title: str
    date: str
    """UTC, ISO 8601."""
    parts: tuple[Part, ...]

    @property
    def gaps(self) -> tuple[EvidenceGap, ...]:
        """All gaps: what is missing, then what lies outside, then what is weak; in the order of the sections."""
        order = ("missing", "outside", "weak")
        found = [gap for part in self.parts for gap in part.gaps]
        return tuple(sorted(found, key=lambda gap: order.index(gap.kind)))


class PartBuilder:
    """Collects the blocks and gaps of a section."""

    def __init__(self, title: str) -> None:
        """Begin a section."""
        self.title = title
        self._blocks: list[Block] = []
        self._gaps: list[EvidenceGap] = []

    def say(self, *texts: str) -> None:
        """Add a paragraph of sentences."""
        self._blocks.append(Paragraph(" ".join(texts)))

    def table(
        self, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, texts: int = 1, caption: str = ""
    ) -> None:
        """Add a table; nothing where it has no rows."""
        if rows:
            self._blocks.append(Grid(head, tuple(rows), texts, caption))

    def items(self, items: Sequence[str], *, numbered: bool = False) -> None:
        """Add a list; nothing where it is empty."""
        if items:
            self._blocks.append(Listing(tuple(items), numbered))

    def missing(self, text: str, remedy: str = "") -> None:
        """Add a statement that evidence is missing, here and among the gaps."""
        self._blocks.append(Missing(text, remedy))
        self.gap("missing", text, remedy)

    def gap(self, kind: GapKind, text: str, remedy: str = "") -> None:
        """Add a gap without a statement in the section."""
        self._gaps.append(EvidenceGap(kind, self.title, text, remedy))

    def part(self) -> Part:
        """Return the section."""
        return Part(self.title, tuple(self._blocks), tuple(self._gaps))
