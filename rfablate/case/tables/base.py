"""What every table that a user writes has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table of a case file, or of a study's: frozen, finite numbers only, unknown keys refused.

    The text under a field describes its key as the file has it, in the key's unit (`rfablate explain`, `rfablate
    schema`); the attribute itself is in SI.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=False, use_attribute_docstrings=True
    )
