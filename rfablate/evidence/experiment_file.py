"""Data files of `rfablate validate`: a published or own experiment, the runs that model it, and its measured numbers.

An experiment is a TOML file with the tables below and a CSV file of the same name, one row per measured number. Both
state the acceptance limits, so that these exist before a run. Relative paths start from the folder of the file.
"""

from __future__ import annotations

import csv
import io
import math
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from rfablate.case.messages.validation_faults import faults_of
from rfablate.case.read.case_file import read_case_file
from rfablate.case.tables.base import Table
from rfablate.errors import CaseError, Fault

FOLDER = Path(__file__).parent / "experiments"
"""The experiments of the package."""
TEXTS = ("name", "form", "key", "run", "against", "against_key", "unit")
NUMBERS = ("minus", "measured", "sd", "n", "u", "low", "high", "limit")
COLUMNS = (*TEXTS, *NUMBERS)
"""Columns of the CSV file; numbers that a row does not need, `against`, `against_key` and `minus` may be empty."""


class BaseCase(Table):
    """The case that all runs of an experiment start from."""

    file: str = Field(examples=["cannula_ex_vivo.toml"])
    """Case file. A relative path starts from the folder of the experiment file."""
    changes: list[str] = Field(default=[], alias="set")
    """Changes to the case for every run, each `key.path=value` as after `--set`."""


class ModelRun(Table):
    """A run that models one setting of the experiment."""

    name: str = Field(examples=["22G"])
    """Name of the run, used by the columns `run` and `against` of the CSV file and in directory names; unique."""
    changes: list[str] = Field(default=[], alias="set")
    """Changes to the case for this run, each `key.path=value`."""


class UncertainInput(Table):
    """An input of the model that the source does not give exactly. It is varied alone, from one end to the other.

    Its standard uncertainty is half the change of the result divided by sqrt(3): a uniform distribution.
    """

    name: str = Field(examples=["start temperature"])
    """What is uncertain; unique."""
    low: list[str] = []
    """Changes to the case at one end of the range."""
    high: list[str] = []
    """Changes to the case at the other end. With empty lists and no `rules` the input is the run itself."""
    rules: list[str] = Field(default=[], examples=[["isotherm_45C", "isotherm_55C"]])
    """Instead of `low` and `high`: two lesion rules between which the visible boundary lies; needs no further runs."""
    source: str = Field(examples=["assumed"])
    """Source of the range, or "assumed" with the reason."""


class ExperimentFile(Table):
    """An experiment: its origin, its conditions, and how the model represents it."""

    title: str = Field(examples=["Cannulae in muscle ex vivo"])
    """Title in tables."""
    field: Literal["pain", "tumour", "other"]
    """Clinical field of the experiment."""
    kind: Literal["experiment", "model"] = "experiment"
    """Whether the reference numbers were measured or come from another model."""
    citation: str
    """Authors, journal, year, pages; or who measured, where and when."""
    address: str = ""
    """Where the text that was read is found."""
    read_from: Literal["abstract", "text", "table", "digitised figure", "summary", "own measurement"]
    """What the numbers were taken from; "summary" is a text by others about the source."""
    full_text: bool
    """Whether the complete paper was at hand."""
    access: str
    """What exactly was read, and when."""
    conditions: str
    """Conditions of the experiment as the source gives them."""
    boundary: str
    """Definition of the measured lesion boundary: colour change, histology, temperature, ..."""
    assumptions: str
    """What the source does not give and the model assumes."""
    limits_set: date
    """Date at which the acceptance limits in the CSV file were set; before the first run."""
    limits_reason: str
    """Why the limits are as they are."""
    rule: str = Field(default="isotherm_50C", examples=["isotherm_50C"])
    """Lesion rule that represents the measured boundary; `{rule}` in the column `key` stands for it."""
    quick: bool = False
    """Whether the experiment belongs to the quick subset."""
    case: BaseCase
    """The base case."""
    runs: list[ModelRun] = Field(min_length=1)
    """The runs, each a [[runs]] table."""
    inputs: list[UncertainInput] = []
    """The uncertain inputs, each an [[inputs]] table."""
    likely_reasons: dict[str, str] = {}
    """Likely reason of a failure by the name of the row; "all" for every row without its own."""


class Measured(Table):
    """A row of the CSV file: a measured number, or bounds on it, with its uncertainty and acceptance limit."""

    name: str
    """Name of the number in the table; unique in the experiment."""
    form: Literal["value", "difference", "gain_percent"]
    """How the modelled number follows from the runs: f, f - f_against, or 100 (f / f_against - 1)."""
    key: str
    """Path of f in summary.json; `{rule}` stands for the experiment's rule."""
    run: str
    """Name of the run that gives f."""
    against: str = ""
    """Name of the run that gives f_against; for `difference` it may be empty, then f_against = 0."""
    against_key: str = ""
    """Path of f_against in summary.json. By default that of f."""
    unit: str
    """Unit of measured, sd, u, low, high and limit."""
    minus: float = 0.0
    """Constant that is subtracted from the modelled number, in its unit: the tip length where an excess is given."""
    measured: float | None = None
    """Mean of the measurements. Excludes `low` and `high`."""
    sd: float | None = Field(default=None, ge=0.0)
    """Standard deviation between the specimens."""
    n: int | None = Field(default=None, ge=1)
    """Number of specimens; the mean then has the uncertainty sd / sqrt(n), else sd."""
    u: float = Field(default=0.0, ge=0.0)
    """Further standard uncertainty of the measured number: reading, rounding, calibration."""
    low: float | None = None
    """Lower end of a published range, or a lower bound if `high` is empty."""
    high: float | None = None
    """Upper end of a published range, or an upper bound if `low` is empty."""
    limit: float = Field(gt=0.0)
    """Acceptance limit: largest difference between model and experiment that is acceptable."""

    @property
    def centre(self) -> float | None:
        """Mean of the measurements, or middle of the range; None for a bound on one side."""
        if self.low is not None and self.high is not None:
            return 0.5 * (self.low + self.high)
        return self.measured

    @property
    def uncertainty(self) -> float:
        """Standard uncertainty of the mean; a range counts as a uniform distribution."""
        mean = (self.sd or 0.0) / math.sqrt(self.n or 1)
        width = 0.0
        if self.low is not None and self.high is not None:
            width = (self.high - self.low) / (2.0 * math.sqrt(3.0))
        return math.sqrt(mean**2 + width**2 + self.u**2)


class Experiment:
    """An experiment as read from its two files."""

    def __init__(self, name: str, folder: Path, table: ExperimentFile, rows: tuple[Measured, ...]) -> None:
        """Take the tables and rows that were read.

        name: file name without ending.
        folder: folder of the files; relative paths start here.
        """
        self.name, self.folder, self.table, self.rows = name, folder, table, rows

    @property
    def base_case(self) -> Path:
        """Path of the base case."""
        return self.folder / self.table.case.file

    def without_varied_inputs(self) -> Experiment:
        """Return the experiment with the uncertain inputs that need no runs of their own."""
        inputs = [each for each in self.table.inputs if each.rules]
        return Experiment(self.name, self.folder, self.table.model_copy(update={"inputs": inputs}), self.rows)


def experiment_names(folder: Path = FOLDER) -> list[str]:
    """Return the names of the experiments in a folder: TOML files with a CSV file of the same name.

    Raises:
        CaseError: the folder has none.
    """
    names = sorted(file.stem for file in folder.glob("*.toml") if file.with_suffix(".csv").is_file())
    if not names:
        hint = "each experiment is a NAME.toml with a NAME.csv; docs/validation.md shows both"
        raise CaseError([Fault(str(folder), "no experiment", "a folder with experiments", hint)], "validate")
    return names


def load_experiment(name: str, folder: Path = FOLDER) -> Experiment:
    """Return the experiment `name` of a folder.

    Raises:
        CaseError: a file cannot be read or has faults; the error holds all of them.
    """
    file = folder / f"{name}.toml"
    data = read_case_file(file, "experiment")
    faults, table = [], None
    try:
        table = ExperimentFile.model_validate(data)
    except ValidationError as error:
        faults += faults_of(error, data, file=ExperimentFile)
    rows, row_faults = _read_rows(file.with_suffix(".csv"))
    faults += row_faults
    if table is not None:
        faults += _cross_faults(table, rows)
    if faults or table is None:
        raise CaseError(faults, str(file))
    return Experiment(name, folder, table, tuple(rows))


def _read_rows(file: Path) -> tuple[list[Measured], list[Fault]]:
    """Return the rows of a CSV file and their faults."""
    try:
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig")))
    except OSError as error:
        return [], [Fault(str(file), error.strerror or str(error), "a CSV file beside the TOML file")]
    header = [name.strip() for name in reader.fieldnames or ()]
    faults = [
        Fault(file.name, f"unknown column {name!r}", "columns " + ", ".join(COLUMNS))
        for name in header
        if name not in COLUMNS
    ]
    rows: list[Measured] = []
    for number, line in enumerate(reader, start=2):
        cells = {k.strip(): v.strip() for k, v in line.items() if isinstance(k, str) and isinstance(v, str)}
        filled = {key: text for key, text in cells.items() if text}
        try:
            rows.append(Measured.model_validate({key: _cell(key, text) for key, text in filled.items()}))
        except ValidationError as error:
            for item in error.errors(include_url=False):
                where = f"{file.name}, line {number}, {'.'.join(map(str, item['loc']))}"
                faults.append(Fault(where, item["msg"][:1].lower() + item["msg"][1:], "a valid cell"))
    return rows, faults


def _cell(key: str, text: str) -> Any:
    """Return a cell as a number where its column holds numbers and the text is one."""
    if key not in NUMBERS:
        return text
    try:
        return int(text) if key == "n" else float(text)
    except ValueError:
        return text


def _cross_faults(table: ExperimentFile, rows: list[Measured]) -> list[Fault]:
    """Return the faults in the combination of both files."""
    runs, inputs = [each.name for each in table.runs], [each.name for each in table.inputs]
    faults = [
        Fault(where, f"{name!r} occurs more than once", "unique names")
        for where, names in (("runs", runs), ("inputs", inputs), ("rows", [row.name for row in rows]))
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    for each in table.inputs:
        if each.rules and (each.low or each.high or len(each.rules) != 2):
            faults.append(Fault(f"inputs.{each.name}", f"found rules {each.rules}", "two rules, without low and high"))
        if not each.rules and not (each.low or each.high):
            faults.append(Fault(f"inputs.{each.name}", "no change", "low and high, or two rules"))
    if not rows:
        faults.append(Fault("rows", "none found", "at least one measured number in the CSV file"))
    for row in rows:
        faults += [
            Fault(f"{row.name}, {column}", f"found {name!r}", "a run: " + ", ".join(runs))
            for column, name in (("run", row.run), ("against", row.against))
            if name not in runs and (name or column == "run")
        ]
        if row.form == "gain_percent" and not row.against:
            faults.append(Fault(f"{row.name}, against", "missing", "the run that the gain refers to"))
        if (row.measured is None) == (row.low is None and row.high is None):
            faults.append(Fault(row.name, "found both or none", "either measured, or low and/or high"))
        if row.low is not None and row.high is not None and row.low >= row.high:
            faults.append(Fault(row.name, f"found low {row.low:g} and high {row.high:g}", "low below high"))
    names = {"all", *(row.name for row in rows)}
    faults += [
        Fault(f"likely_reasons.{name}", "no such row", "names of rows, or all")
        for name in table.likely_reasons
        if name not in names
    ]
    return faults
