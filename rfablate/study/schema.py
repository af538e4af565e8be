"""The study file: a base case, axes over any of its keys, how the axes combine, and what to collect."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from rfablate.case.geometry import Table
from rfablate.case.suggest import did_you_mean
from rfablate.errors import CaseError, Fault

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HISTORY_KEYS = ("generator.hold_s", "generator.duration_s")
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
    count: int | None = Field(default=None, ge=2)
    scale: Literal["linear", "log"] = "linear"
    from_history: bool = False


class Design(Table):
    """How the axes combine: every combination, value by value, samples of ranges, or the rows of a CSV file."""

    kind: Literal["grid", "zip", "latin_hypercube", "sobol", "morris", "saltelli", "csv"] = "grid"
    samples: int | None = Field(default=None, ge=1)
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


def load_study(path: Path) -> StudyFile:
    """Return the study in the TOML file at `path`.

    Raises:
        CaseError: it cannot be read or has faults; carries all of them.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CaseError([Fault(str(path), str(error), "a readable study file (.toml)")], str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise CaseError([Fault(str(path), str(error), "TOML")], str(path)) from None
    try:
        study = StudyFile.model_validate(data)
    except ValidationError as error:
        raise CaseError([_fault(item) for item in error.errors(include_url=False)], str(path)) from None
    faults = [*_design_faults(study), *(fault for n, axis in enumerate(study.axes) for fault in _axis_faults(study, n))]
    if faults:
        raise CaseError(faults, str(path))
    return study


def _fault(item: Any) -> Fault:
    """Return pydantic's word on a study file as a fault."""
    location = item["loc"]
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if item["type"] == "missing":
        return Fault(where, "missing key", "it")
    if item["type"] != "extra_forbidden":
        return Fault(where, f"found {item['input']!r}", item["msg"][:1].lower() + item["msg"][1:])
    homes: dict[str, type[Table]] = {"axes": Axis, "design": Design, "collect": Collect}
    home = homes.get(str(location[0]), StudyFile) if len(location) > 1 else StudyFile
    known = list(home.model_fields)
    return Fault(where, "unknown key", f"one of {', '.join(known)}", did_you_mean(str(location[-1]), known))


def _design_faults(study: StudyFile) -> list[Fault]:
    design, faults = study.design, []
    sampled, table = design.kind in SAMPLED, design.kind == "csv"
    if sampled and design.samples is None:
        faults.append(Fault("design.samples", "missing key", f"the number of samples of a {design.kind} design"))
    if not sampled and design.samples is not None:
        faults.append(Fault("design.samples", f"not used by {design.kind}", f"a design of {', '.join(SAMPLED)}"))
    powers = design.samples is not None and design.samples & (design.samples - 1) == 0
    if design.kind in ("sobol", "saltelli") and design.samples is not None and not powers:
        faults.append(Fault("design.samples", f"found {design.samples}", "a power of 2: a Sobol sequence needs it"))
    if table != (design.file is not None):
        expected = "the CSV file whose header names keys of the case" if table else 'design.kind = "csv" beside it'
        faults.append(Fault("design.file", "missing key" if table else f"found {design.file!r}", expected))
    if table and study.axes:
        faults.append(Fault("axes", "found axes beside a CSV design", "none: the header of the file names them"))
    if not table and not study.axes:
        faults.append(Fault("axes", "missing table", "one or more axes, each headed [[axes]]"))
    names = [axis.key for axis in study.axes] + [key for axis in study.axes for key in axis.also]
    twice = sorted({key for key in names if names.count(key) > 1})
    faults += [Fault("axes", f"{key} is varied twice", "each key once") for key in twice]
    if design.kind == "zip" and len({len(axis.values or ()) for axis in study.axes}) > 1:
        counts = ", ".join(f"{axis.key} {len(axis.values or ())}" for axis in study.axes)
        faults.append(Fault("axes", f"found {counts} values", "as many values on every axis of a zip"))
    return faults


def _axis_faults(study: StudyFile, number: int) -> list[Fault]:
    axis, where, faults = study.axes[number], f"axes[{number}]", []
    kind = study.design.kind
    ranged = axis.low is not None or axis.high is not None or axis.count is not None
    if (axis.values is None) != ranged:
        faults.append(Fault(where, "both values and a range" if ranged else "no values", "values, or low and high"))
    if ranged and (axis.low is None or axis.high is None or not axis.low < axis.high):
        faults.append(Fault(where, f"found low {axis.low}, high {axis.high}", "low below high"))
    elif ranged and axis.scale == "log" and axis.low is not None and axis.low <= 0:
        faults.append(Fault(f"{where}.low", f"found {axis.low}", "more than 0 on a log scale"))
    if ranged and (kind in SAMPLED) == (axis.count is not None):
        expected = "none: design.samples says how many" if axis.count is not None else f"count, for a {kind}"
        faults.append(Fault(f"{where}.count", f"found {axis.count}", expected))
    lists = {"labels": axis.labels, **{f"also.{key}": values for key, values in axis.also.items()}}
    for name, values in lists.items():
        if values is not None and len(values) != len(axis.values or ()):
            faults.append(Fault(f"{where}.{name}", f"found {len(values)}", f"{len(axis.values or ())}, one a value"))
    if axis.from_history:
        faults += _history_faults(study, axis, where)
    return faults


def _history_faults(study: StudyFile, axis: Axis, where: str) -> list[Fault]:
    """Return why an axis' times cannot be read from one run's history."""
    faults = []
    if axis.key not in HISTORY_KEYS:
        expected = f"only for {' or '.join(HISTORY_KEYS)}: a run passes through its shorter times"
        faults.append(Fault(f"{where}.from_history", f"found it on {axis.key}", expected))
    if study.design.kind != "grid" or axis.values is None or axis.also:
        faults.append(Fault(f"{where}.from_history", "found it here", "an axis with values only, in a grid"))
    elif not all(isinstance(value, int | float) and value > 0 for value in axis.values):
        faults.append(Fault(f"{where}.values", "found a value that is no time", "times above 0 [s]"))
    if sum(each.from_history for each in study.axes) > 1:
        faults.append(Fault(f"{where}.from_history", "found it on two axes", "one such axis"))
    return faults
