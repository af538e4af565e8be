"""Tables of a study file: the base case, the axes, the design and the results to collect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rfablate.case.tables.base import Table

HISTORY_KEYS = ("generator.hold_s", "generator.duration_s")
SAMPLED = ("latin_hypercube", "sobol", "morris", "saltelli")


class Axis(Table):
    """A varied key of the case, with its `values` or with a range from `low` to `high`.

    `labels` name the values in directory names and figures. `also` has further keys that change with this one, with as
    many values each. `from_history`: only the longest duration is run; the shorter ones are read from this run.
    """

    key: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    values: tuple[Any, ...] | None = Field(default=None, min_length=1)
    labels: tuple[str, ...] | None = None
    also: dict[str, tuple[Any, ...]] = {}
    low: float | None = None
    high: float | None = None
    count: int | None = Field(default=None, ge=2)
    scale: Literal["linear", "log"] = "linear"
    from_history: bool = False


class Design(Table):
    """How the axes are combined: all combinations, value by value, samples of ranges, or the rows of a CSV file."""

    kind: Literal["grid", "zip", "latin_hypercube", "sobol", "morris", "saltelli", "csv"] = "grid"
    samples: int | None = Field(default=None, ge=1)
    """Points of a Latin hypercube or Sobol sequence; trajectories of Morris; base samples of Saltelli."""
    seed: int = 1
    file: str | None = None


class Collect(Table):
    """Columns of the table (patterns of column names; by default all) and columns that the figures show."""

    columns: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    pareto: tuple[str, str] | None = None
    """Two goals, each `min COLUMN` or `max COLUMN`."""


class StudyFile(Table):
    """The content of a study file."""

    title: str = ""
    base: str
    set: tuple[str, ...] = ()
    """Changes to the base case for every member: key.path=value."""
    reports: bool = False
    """Write report.html in every member's directory; `rfablate report DIR` makes it later too."""
    ranks: int = Field(default=1, ge=1)
    design: Design = Design()
    axes: tuple[Axis, ...] = ()
    collect: Collect = Collect()
