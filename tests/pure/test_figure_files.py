"""The figures of a report as files: all of them, in both formats, with units on their axes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from rfablate.cli.main import main
from rfablate.report import figure_files
from tests.pure.test_report import make_run

NAMES = {"dimensions", "temperature", "damage", "histories", "doses"}
UNIT = re.compile(r"\((?:mm|mm³|s|min|°C|W|V|A|mA|Ω|%)\)")


def test_every_figure_is_written_as_svg_and_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    assert main(["report", str(run), "--figures", str(tmp_path / "out")]) == 0
    printed = [Path(line) for line in capsys.readouterr().out.split()]
    found = {each.name for each in (tmp_path / "out").iterdir()}
    assert found == {each.name for each in printed}
    assert {name.removesuffix(".png") for name in found if name.endswith(".png")} - {"scene"} <= NAMES
    assert {"dimensions.svg", "temperature.svg", "damage.svg", "histories.svg"} <= found
    for file in printed:
        if file.suffix == ".png":
            assert np.ptp(imread(file)[:, :, :3]) > 0.5
        else:
            text = file.read_text()
            assert "<svg" in text and ("<text" in text or "halo" in text) and f"{file.stem}.png" in found


def test_every_axis_with_numbers_has_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its label or title, or in those of the panels above or beside it that share the axis."""
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    drawn: list[Any] = []
    monkeypatch.setattr(figure_files.style, "outline_labels", drawn.append)
    figure_files.write_figures(run, tmp_path / "out")
    assert len(drawn) >= 4
    for fig in drawn:
        across = [ax.get_xlabel() for ax in fig.axes if ax.axison and ax.get_xticks().size]
        assert not across or any(map(UNIT.search, across)), [ax.get_title(loc="left") for ax in fig.axes]
        for ax in fig.axes:
            if ax.axison and ax.get_yticks().size and any(t.get_text() for t in ax.get_yticklabels()):
                texts = [ax.get_ylabel(), *(ax.get_title(loc=place) for place in ("left", "center"))]
                beside = [other.get_ylabel() for other in fig.axes]
                assert any(map(UNIT.search, [*texts, *beside])) or "°C" in "".join(texts), texts


def test_a_folder_that_cannot_be_written_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "run", axisymmetric=True, n=9, frames=2)
    (tmp_path / "file").write_text("")
    assert main(["report", str(run), "--figures", str(tmp_path / "file")]) == 2
    assert "writable folder" in capsys.readouterr().err
