"""The border between clinic units in case files and SI inside: each type converts once, and back."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer


def _to_si(scale: float) -> AfterValidator:
    return AfterValidator(lambda value: value * scale)


def _from_si(scale: float) -> PlainSerializer:
    """Undo the conversion to the number as it was written: the shortest that reads back to the same value."""

    def back(value: float) -> float:
        quotient = value / scale
        for digits in (12, 15, 16):
            candidate = float(f"{quotient:.{digits}g}")
            if candidate * scale == value:
                return candidate
        # The last bit may have been rounded away: the number written is the quotient or its neighbour.
        below, above = math.nextafter(quotient, -math.inf), math.nextafter(quotient, math.inf)
        return next((number for number in (quotient, below, above) if number * scale == value), quotient)

    return PlainSerializer(back, return_type=float)


_MM, _BACK = _to_si(1e-3), _from_si(1e-3)  # also ms

MlPositive = Annotated[float, Field(strict=True, gt=0, le=100), _to_si(1e-6), _from_si(1e-6)]
"""A volume of fluid [mL in the file, m3 inside]."""
OhmMm2 = Annotated[float, Field(strict=True, ge=0, le=1e6), _to_si(1e-6), _from_si(1e-6)]
"""The resistance of a layer times its area [ohm mm2 in the file, ohm m2 inside]."""

Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
LabelValue = Annotated[int, Field(strict=True, ge=1, le=65535)]
"""Value of voxels of a label image; 0 is the background."""
Fraction = Annotated[float, Field(strict=True, gt=0, le=1)]

Seconds = NotNegative
MsPositive = Annotated[float, Field(strict=True, gt=0, le=1e4), _MM, _BACK]
"""A time [ms in the file, s inside]."""
MPasPositive = Annotated[float, Field(strict=True, gt=0, le=1000), _MM, _BACK]
"""A dynamic viscosity [mPa s in the file, Pa s inside]."""
Celsius = Annotated[float, Field(strict=True, ge=-50, le=500)]

Mm = Annotated[float, Field(strict=True, ge=-1000, le=1000), _MM, _BACK]
"""A coordinate [mm in the file, m inside]."""
MmPositive = Annotated[float, Field(strict=True, gt=0, le=1000), _MM, _BACK]
"""A length [mm in the file, m inside]."""
MmNotNegative = Annotated[float, Field(strict=True, ge=0, le=1000), _MM, _BACK]
PointMm = tuple[Mm, Mm, Mm]
SizesMm = tuple[MmPositive, MmPositive, MmPositive]
Direction = tuple[Number, Number, Number]
Angles = tuple[Number, Number, Number]
"""Angles about x, y, z [degrees]."""


def in_mm(*lengths: float) -> str:
    """Return lengths or the coordinates of a point [m] in mm."""
    numbers = ", ".join(f"{length * 1e3:.6g}" for length in lengths)
    return f"({numbers}) mm" if len(lengths) > 1 else f"{numbers} mm"
