"""The study file: a base case, axes over any of its keys, how the axes combine, and what to collect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rfablate.case.tables.base import Table

HISTORY_KEYS = ("generator.hold_s", "generator.duration_s")
MOST_POINTS = 100_000
"""Most points of a design: each is a case, of which a thousand take some seconds to plan."""
SAMPLED = ("latin_hypercube", "sobol", "morris", "saltelli")


class Axis(Table):
    """One thing that is varied: a key of the case with its `values`, or with a range from `low` to `high`.

    `labels` name the values in slugs and figures. `also` holds further keys that move with this one, as many values
    each. `from_history`: the longest time is run, the shorter ones are what it had come to by then.
    """

    key: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    values: tuple[Any, ...] | None = Field(default=None, min_length=1)
    labels: tuple[str, ...] | None = None
    also: dict[str, tuple[Any, ...]] = {}
    low: float | None = None
    high: float | None = None
    count: int | None = Field(default=None, ge=2, le=MOST_POINTS)
    scale: Literal["linear", "log"] = "linear"
    from_history: bool = False


class Design(Table):
    """How the axes combine: every combination, value by value, samples of ranges, or the rows of a CSV file."""

    kind: Literal["grid", "zip", "latin_hypercube", "sobol", "morris", "saltelli", "csv"] = "grid"
    samples: int | None = Field(default=None, ge=1, le=MOST_POINTS)
    """Points of a Latin hypercube or Sobol sequence; trajectories of Morris; base samples of Saltelli."""
    seed: int = 1
    file: str | None = None


class Collect(Table):
    """What the table keeps (patterns of column names; nothing given: all) and which columns the figures show."""

    columns: tuple[str, ...] = ()
    responses: tuple[str, ...] = ()
    pareto: tuple[str, str] | None = None
    """Two goals, each `min COLUMN` or `max COLUMN`."""


class StudyFile(Table):
    """Everything a study file can say."""

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
