"""Base class of typed results. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Base class of the parts of a summary: frozen; keys added by later versions are accepted."""

    model_config = ConfigDict(frozen=True, extra="allow")
