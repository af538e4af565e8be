"""How a surface is drawn in a picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """Colour of a surface, and its fractions of light: all from 0 to 1."""

    colour: str
    """Such as #1c2430."""
    opacity: float = 1.0
    specular: float = 0.5
    ambient: float = 0.2
