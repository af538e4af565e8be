"""The results of a run as a Python object: numbers, history and fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rfablate.case.read.case_file import load_case
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.results.card import lesion_card
from rfablate.results.fields_reader import FieldsReader
from rfablate.results.run_directory import present_files, require_finished
from rfablate.results.run_reader import FIELDS, load_run
from rfablate.results.summary_models import EnergyBalance, LesionMeasures, RunSummary, StructureResult, read_summary

if TYPE_CHECKING:
    import pandas
    import pyvista


class RunResult:
    """A finished run. The numbers are read at once, history and fields at first use."""

    def __init__(self, directory: str | Path) -> None:
        """Read the summary of the run in `directory`.

        Raises:
            CaseError: there is no finished run in the directory.
        """
        self.directory = Path(directory)
        require_finished([self.directory], "open_run")
        self.summary: RunSummary = read_summary(self.directory)

    @property
    def lesion(self) -> Mapping[str, LesionMeasures]:
        """Size of the lesion for each rule of the case, such as "isotherm_50C"; lengths in mm."""
        return self.summary.lesion

    @property
    def structures(self) -> Mapping[str, StructureResult]:
        """Covered fraction, margins and temperatures of each structure, by name."""
        return self.summary.structures

    @property
    def energy(self) -> EnergyBalance:
        """The energy balance [J]."""
        return self.summary.energy

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of the run."""
        return self.summary.warnings

    @property
    def completed(self) -> bool:
        """Whether the treatment was simulated to its end."""
        return self.summary.status == "completed"

    @property
    def exceeded(self) -> tuple[str, ...]:
        """Names of the protected structures that exceeded their temperature limit."""
        return tuple(name for name, each in self.structures.items() if each.verdict == "limit exceeded")

    @cached_property
    def case(self) -> Case:
        """The case of the run, with all defaults resolved."""
        return load_case(self.directory)

    @cached_property
    def card(self) -> str:
        """The lesion card, as the command line prints it."""
        return lesion_card(self.summary, str(self.directory), present_files(self.directory))

    @cached_property
    def history(self) -> pandas.DataFrame | np.ndarray[Any, Any]:
        """One row for each accepted step; units are in the column names, NaN marks a value that does not exist.

        A pandas DataFrame where pandas is installed, else a NumPy structured array. `history["time_s"]` gives a column
        in both cases.
        """
        columns = load_run(self.directory).history
        try:
            import pandas
        except ImportError:
            table = np.zeros(len(next(iter(columns.values()), ())), dtype=[(name, "f8") for name in columns])
            for name, values in columns.items():
                table[name] = values
            return table
        return pandas.DataFrame(dict(columns))

    @cached_property
    def fields(self) -> Fields:
        """Temperature, damage, potential and regions over time."""
        return Fields(self.directory / FIELDS)

    def write_movie(self, file: str | Path) -> Path:
        """Write a movie of the growing lesion, animated WebP or GIF by the file's ending; return its path.

        Raises:
            CaseError: another ending, no fields, or a file that cannot be written.
        """
        return movie_of(self.directory, Path(file))

    def write_pdf(self, file: str | Path) -> Path:
        """Write the report as a PDF file for printing on A4; return its path.

        Raises:
            CaseError: WeasyPrint (extra `report`) or its library Pango is missing, or the file cannot be written.
        """
        return pdf_of(self.directory, Path(file))

    def write_figures(self, folder: str | Path) -> list[Path]:
        """Write every figure of the report as SVG and PNG, and the 3-D picture as PNG; return the files.

        Raises:
            CaseError: the fields are damaged, or the folder cannot be written.
        """
        return figures_of(self.directory, Path(folder))

    def __repr__(self) -> str:
        """Return a short overview of the run."""
        lines = [f"RunResult {self.directory}: {self.summary.title}", f"  {self.summary.status}: {self.summary.reason}"]
        for rule, lesion in self.lesion.items():
            lines.append(f"  {rule}: width {lesion.width_mm:.2f} mm, length {lesion.length_mm:.2f} mm")
        for name, each in self.structures.items():
            if each.verdict:
                lines.append(f"  {name}: {each.verdict}, maximum {each.max_degC:.1f} degC")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the lesion card for a notebook."""
        from html import escape

        return f"<pre>{escape(self.card)}</pre>"


class Fields:
    """The fields of a run at its output times."""

    def __init__(self, file: Path) -> None:
        """Open the fields file.

        Raises:
            CaseError: the run wrote no fields, or the file is damaged.
        """
        self._file = file
        try:
            with FieldsReader(file) as reader:
                self.times_s: tuple[float, ...] = tuple(float(t) for t in reader.times_s)
                self.names: tuple[str, ...] = reader.point_names()
                self.regions: dict[int, str] = dict(reader.region_names)
                self.axisymmetric: bool = reader.axisymmetric
        except (OSError, ValueError) as error:
            raise CaseError([Fault(str(file), str(error), "the fields of a run")], "fields") from None

    def at(self, time_s: float) -> pyvista.UnstructuredGrid:
        """Return the fields at one of `times_s` [s] as a PyVista grid, coordinates in mm.

        Point data: `temperature_degC`, damage, potential; cell data: `region` (tag) and `region_name`.

        Raises:
            CaseError: no fields were written at this time; the hint gives the nearest output time.
        """
        import pyvista

        frame = int(np.argmin(np.abs(np.array(self.times_s) - time_s)))
        nearest = self.times_s[frame]
        if abs(nearest - time_s) > 1e-6 * max(1.0, abs(time_s)):
            times = ", ".join(f"{t:g}" for t in self.times_s)
            hint = f"the nearest output time is {nearest:g} s"
            fault = Fault(f"time {time_s:g} s", "no fields at this time", f"one of {times} s", hint)
            raise CaseError([fault], "fields")
        with FieldsReader(self._file) as reader:
            corners = reader.cells.shape[1]
            kind = pyvista.CellType.TETRA if corners == 4 else pyvista.CellType.TRIANGLE
            cells = np.hstack([np.full((len(reader.cells), 1), corners), reader.cells])
            grid = pyvista.UnstructuredGrid(cells.ravel(), np.full(len(cells), kind), reader.points_mm)
            for name in reader.point_names():
                grid.point_data[name] = reader.point_data(name, frame)
            grid.cell_data["region"] = reader.region
            grid.cell_data["region_name"] = np.array([reader.region_names.get(int(tag), "") for tag in reader.region])
        return grid


def movie_of(directory: Path, file: Path) -> Path:
    """Write the movie of a run directory, also of a failed run; raises CaseError as `RunResult.write_movie`."""
    from rfablate.report.movie import write_movie

    try:
        return write_movie(directory, file)
    except (OSError, ValueError) as error:
        expected = "a run with fields, and a writable .webp or .gif file"
        raise CaseError([Fault(str(file), str(error), expected)], "report") from None


def pdf_of(directory: Path, file: Path) -> Path:
    """Write the report of a run directory as a PDF file; raises CaseError as `RunResult.write_pdf`."""
    from rfablate.report.pdf_report import write_pdf

    try:
        return write_pdf(directory, file)
    except (OSError, ValueError) as error:
        expected = "a finished run, a writable file, and the extra report"
        raise CaseError([Fault(str(file), str(error), expected)], "report") from None


def figures_of(directory: Path, folder: Path) -> list[Path]:
    """Write the figures of a run directory as files; raises CaseError as `RunResult.write_figures`."""
    from rfablate.report.figure_files import write_figures

    try:
        return write_figures(directory, folder)
    except (OSError, ValueError) as error:
        raise CaseError([Fault(str(folder), str(error), "a finished run, and a writable folder")], "report") from None
