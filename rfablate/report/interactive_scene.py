"""The interactive scene of the report: packed surfaces and the library that draws them, both inlined in the page.

The drawing library is the installed package k3d (extra `report`). Its browser file is inlined at writing time, so that
the page makes no network request. The package itself is never imported.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rfablate.report import figure_style as style
from rfablate.report.browser_library import browser_file, licence_of

LIBRARY = "k3d"
LARGEST_BYTES = 5_000_000
"""Largest packed scene that is inlined: with the library, 8 MB in the page [B]."""
ABSENT = (
    "The interactive scene requires the package k3d, which is not installed. Install the extra report "
    "(pip install -e '.[report]' in the folder of rfablate) and write the page again with rfablate report RUN."
)


@dataclass(frozen=True)
class Interactive:
    """Scene and library as base64 of zlib streams; or the reason why there is no interactive scene."""

    scene: str = ""
    library: str = ""
    notice: str = ""
    """Licence of the library."""
    reason: str = ""


@dataclass(frozen=True)
class SceneSettings:
    """What the script of the scene needs beside the packed data."""

    colours: tuple[str, ...] = tuple(style.TEMPERATURE_MAP)
    """Colours of the slice from the lowest to the highest value."""
    isotherms: tuple[int, ...] = (45, 50, 60)
    """Values of the thin lines on the slice."""
    outline: str = style.LESION
    """Colour of lesion outlines on the slice; '' for the colour of each lesion."""
    quantity: str = "temperature"
    unit: str = "°C"
    symmetric: bool = False
    """Whether the colours are centred on zero, for differences."""

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as JSON data."""
        return asdict(self)


def inlined(packed: bytes, library: bytes) -> Interactive:
    """Return a packed scene and the packed library as they are inlined in the page."""
    if len(packed) > LARGEST_BYTES:
        return Interactive(reason=f"The interactive scene is too large for a page ({len(packed) / 1e6:.1f} MB).")
    return Interactive(b64encode(packed).decode(), b64encode(library).decode(), licence_of(LIBRARY))


def packed_library() -> bytes:
    """Return the browser file of the drawing library as a zlib stream.

    Raises:
        OSError: the package is missing.
    """
    file = library_file()
    if file is None:
        raise OSError(ABSENT)
    return zlib.compress(file.read_bytes(), 6)


def library_file() -> Path | None:
    """Return the browser file of the installed drawing library; None where the package is missing."""
    return browser_file(LIBRARY, "static/standalone.js")
