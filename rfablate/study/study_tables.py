"""Tables of a study file: the base case, the axes, the design and the results to collect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from rfablate.case.tables.base import Table

HISTORY_KEYS = ("generator.hold_s", "generator.duration_s")
MOST_POINTS = 100_000
"""Most points of a design: each is a case, of which a thousand take some seconds to plan."""
SAMPLED = ("latin_hypercube", "sobol", "morris", "saltelli")
CORRELATED = ("latin_hypercube", "sobol")
"""Designs that allow correlated axes; the indices of Morris and Saltelli require independent ones."""


class StudyAxis(Table):
    """A varied key of the case, with its `values` or with a range from `low` to `high`."""

    key: str = Field(examples=["generator.target_degC"])
    """Key of the case that is varied, as after `--set`: generator.target_degC, structures.NAME.diameter_mm."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", examples=["target"])
    """Short name of the axis in directory names, table and figures. By default it follows from `key`."""
    values: tuple[Any, ...] | None = Field(default=None, min_length=1, examples=[[60, 70, 80]])
    """Values of the key, in its unit. Excludes `low` and `high`."""
    labels: tuple[str, ...] | None = Field(default=None, examples=[["low", "middle", "high"]])
    """Names of the values in directory names and figures, as many as `values`. By default the values themselves."""
    also: dict[str, tuple[Any, ...]] = Field(default={}, examples=[{"generator.hold_s": [90, 60, 60]}])
    """Further keys of the case that change together with this one, each with as many values as `values`."""
    low: float | None = Field(default=None, examples=[60])
    """Lower end of a range, in the unit of the key; below `high`. Excludes `values`."""
    high: float | None = Field(default=None, examples=[90])
    """Upper end of a range, in the unit of the key."""
    count: int | None = Field(default=None, ge=2, le=MOST_POINTS, examples=[4])
    """Number of evenly spaced values from `low` to `high`, for grid and zip designs; sampled designs have
    `design.samples` instead."""
    scale: Literal["linear", "log"] = "linear"
    """Spacing of the values of a range: linear, or in the logarithm (`low` above 0)."""
    distribution: Literal["uniform", "normal", "lognormal", "triangular"] | None = Field(
        default=None, examples=["lognormal"]
    )
    """Distribution of an uncertain value, for sampled designs. `low` and `high` are the limits of "uniform" and
    "triangular", and enclose 95 % of "normal" and "lognormal". A study with distributions reports bands and
    probabilities. By default the key is a choice, not uncertain."""
    mode: float | None = Field(default=None, examples=[0.4])
    """Most probable value of a "triangular" distribution, in the unit of the key. By default the middle."""
    source: str = Field(default="", examples=["assumed: 20 % about the value of the library"])
    """Origin of range and distribution; needed with a distribution."""
    from_history: bool = False
    """Whether only the longest time is run and the shorter ones are read from its history; for generator.hold_s or
    generator.duration_s in a grid."""


class Correlation(Table):
    """A correlation between two uncertain values."""

    keys: tuple[str, str] = Field(examples=[["tissues.liver.sigma_S_per_m", "tissues.liver.k_W_per_mK"]])
    """Keys of two axes with distributions."""
    correlation: float = Field(gt=-1, lt=1, examples=[0.6])
    """Correlation of their normal scores; for normal distributions that of the values."""


class Design(Table):
    """How the axes are combined: all combinations, value by value, samples of ranges, or the rows of a CSV file."""

    kind: Literal["grid", "zip", "latin_hypercube", "sobol", "morris", "saltelli", "csv"] = "grid"
    """How the axes combine: "grid" every combination, "zip" value by value, "csv" the rows of `file`; the others sample
    the ranges."""
    samples: int | None = Field(default=None, ge=1, le=MOST_POINTS, examples=[64])
    """Number of samples of a sampled design: points of a Latin hypercube or Sobol sequence, trajectories of Morris,
    base samples of Saltelli; a power of 2 for Sobol and Saltelli. Needed there, not allowed otherwise."""
    seed: int = 1
    """Seed of the random numbers of a sampled design."""
    file: str | None = Field(default=None, examples=["design.csv"])
    """For "csv": file whose header names keys of the case and whose rows are runs. A relative path starts from the
    study file's folder."""


class Collect(Table):
    """What the table keeps and which columns the figures show."""

    columns: tuple[str, ...] = Field(default=(), examples=[["lesion.isotherm_50C.*"]])
    """Patterns of the columns that the table keeps, with * and ?. By default it keeps all."""
    responses: tuple[str, ...] = Field(default=(), examples=[["lesion.isotherm_50C.width_mm"]])
    """Columns that the figures show. By default they are chosen from the table."""
    pareto: tuple[str, str] | None = Field(
        default=None, examples=[["min structures.nerve.max_degC", "max lesion.isotherm_50C.volume_mm3"]]
    )
    """Two goals of the Pareto front, each `min COLUMN` or `max COLUMN`. By default there is none."""


class StudyFile(Table):
    """The content of a study file."""

    title: str = Field(default="", examples=["Gauge and temperature"])
    """Title of the study. By default the name of its directory."""
    base: str = Field(examples=["case.toml"])
    """Case file, or a folder with a case.toml, that the study varies. A relative path starts from the study file's
    folder."""
    set: tuple[str, ...] = Field(default=(), examples=[["output.error_bar=false"]])
    """Changes to the base case for every run, each `key.path=value` as after `--set`."""
    reports: bool = False
    """Whether report.html is written in every run's directory, which the plots of study.html open with a click; repeat
    the command to write them for runs that have none."""
    ranks: int = Field(default=1, ge=1)
    """Number of MPI ranks of each run."""
    design: Design = Design()
    """How the axes combine into runs."""
    axes: tuple[StudyAxis, ...] = ()
    """What is varied, each a [[axes]] table."""
    correlations: tuple[Correlation, ...] = ()
    """Correlations between uncertain values, each a [[correlations]] table. By default all are independent."""
    collect: Collect = Collect()
    """What the table and the figures contain."""
