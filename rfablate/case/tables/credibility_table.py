"""The question that a simulation answers and the risk of a wrong answer, as the user states them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import Positive

Level = Literal["low", "medium", "high"]


class CredibilityTable(Table):
    """Question, context of use and risk, for `rfablate credibility`. Nothing here changes a result of a run."""

    question: str = Field(default="", examples=["Does a 10 mm tip at 80 degC cover the medial branch?"])
    """Question of interest: the decision or concern that the simulation addresses. By default it is not stated."""
    context_of_use: str = Field(default="", examples=["Choice of a protocol for a bench test; no patient is treated."])
    """Role and scope of the simulation in answering the question, and the other evidence. By default not stated."""
    influence: Level | None = Field(default=None, examples=["medium"])
    """Weight of the simulation in the decision, compared with the other evidence. By default not stated."""
    influence_reason: str = Field(default="", examples=["a bench test confirms the protocol"])
    """Reason for `influence`."""
    consequence: Level | None = Field(default=None, examples=["low"])
    """Severity of the harm that a wrong decision can cause. By default not stated."""
    consequence_reason: str = Field(default="", examples=["tissue of a slaughterhouse"])
    """Reason for `consequence`."""
    goals: dict[str, Positive] = Field(default={}, examples=[{"lesion.isotherm_50C.width_mm": 0.5}])
    """Numbers of summary.json that answer the question, each with the largest uncertainty that is acceptable, in the
    unit of the number. By default there are none."""
