"""The figures of a run's report by name, so that another process can draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from rfablate.results.run_reader import FIELDS, RunData, load_run
from rfablate.results.run_view import View, load_view

DIMENSIONS, DOSES, HISTORIES, TEMPERATURE, DAMAGE = "dimensions", "doses", "histories", "temperature", "damage"


class RunFigures:
    """Draws figures of one run; matplotlib is imported by the first. Every method returns HTML with an SVG, or ''."""

    def __init__(self, directory: Path, run: RunData | None = None) -> None:
        """Take the run directory, and its contents where they are known."""
        self._directory = directory
        self._run = run

    @cached_property
    def run(self) -> RunData:
        """Contents of the run directory."""
        return load_run(self._directory) if self._run is None else self._run

    @cached_property
    def view(self) -> View | None:
        """Slices of the run; None without fields.

        Raises:
            Exception: the fields cannot be shown.
        """
        return load_view(self.run) if (self._directory / FIELDS).exists() else None

    def draw(self, name: str) -> str:
        """Return the figure `name`; '' where the run has nothing to show in it."""
        return _MAKERS[name](self)

    def drawn(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield the names and figures of those that can be drawn; the others are left out."""
        for name in names:
            try:
                yield name, self.draw(name)
            except Exception:  # the page draws it again, and shows the reason
                continue


def _dimensions(figures: RunFigures) -> str:
    from rfablate.report.lesion_outline import dimension_drawing

    return dimension_drawing(figures.view) if figures.view else ""


def _doses(figures: RunFigures) -> str:
    from rfablate.report.dose_volume_section import dose_volume

    return dose_volume(figures.run)


def _histories(figures: RunFigures) -> str:
    from rfablate.report.time_histories import history_figure

    return history_figure(figures.run)


def _temperature(figures: RunFigures) -> str:
    from rfablate.report.field_maps import temperature_figure

    return temperature_figure(figures.view) if figures.view else ""


def _damage(figures: RunFigures) -> str:
    from rfablate.report.field_maps import damage_figure

    return damage_figure(figures.view) if figures.view else ""


_MAKERS: dict[str, Callable[[RunFigures], str]] = {
    DIMENSIONS: _dimensions,
    DOSES: _doses,
    HISTORIES: _histories,
    TEMPERATURE: _temperature,
    DAMAGE: _damage,
}
