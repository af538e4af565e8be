"""The border between clinic units in case files and SI inside: each type converts once, on reading, and back on writing."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer


def _to_si(scale: float) -> AfterValidator:
    return AfterValidator(lambda value: value * scale)


def _from_si(scale: float) -> PlainSerializer:
    """Undo the conversion to 12 digits, so that a written case reads back to the very same number."""
    return PlainSerializer(lambda value: float(f"{value / scale:.12g}"), return_type=float)


_MM = (_to_si(1e-3), _from_si(1e-3))

Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
NotNegative = Annotated[float, Field(strict=True, ge=0)]
Fraction = Annotated[float, Field(strict=True, gt=0, le=1)]

Seconds = NotNegative
Celsius = Annotated[float, Field(strict=True, ge=-50, le=500)]

Mm = Annotated[float, Field(strict=True, ge=-1000, le=1000), *_MM]
"""A coordinate [mm in the file, m inside]."""
MmPositive = Annotated[float, Field(strict=True, gt=0, le=1000), *_MM]
"""A length [mm in the file, m inside]."""
MmNotNegative = Annotated[float, Field(strict=True, ge=0, le=1000), *_MM]
PointMm = tuple[Mm, Mm, Mm]
SizesMm = tuple[MmPositive, MmPositive, MmPositive]
Direction = tuple[Number, Number, Number]
