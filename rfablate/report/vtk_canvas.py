"""A picture of surfaces drawn by VTK without a screen.

PyVista's plotter gives the same pixels, but importing it takes 0.9 s of processor time, most of it Matplotlib's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtkmodules.vtkRenderingFreeType
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - both register implementations of the classes below
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals
from vtkmodules.vtkInteractionWidgets import vtkOrientationMarkerWidget
from vtkmodules.vtkIOImage import vtkPNGWriter
from vtkmodules.vtkRenderingAnnotation import vtkAxesActor
from vtkmodules.vtkRenderingCore import (
    vtkActor,
    vtkLightKit,
    vtkPolyDataMapper,
    vtkRenderer,
    vtkRenderWindow,
    vtkWindowToImageFilter,
)
from vtkmodules.vtkRenderingUI import vtkGenericRenderWindowInteractor

from rfablate.arrays import FloatArray
from rfablate.report.surface_look import Look

AXES = {"X": ("x", "#ff6347"), "Y": ("y", "#2e8b57"), "Z": ("z", "#0000ff")}
"""Label and colour of the arrows along the axes."""
PEELS = 4
"""Layers of translucent surfaces that are sorted exactly."""


class Canvas:
    """Surfaces in one picture, in parallel projection."""

    def __init__(self, pixels: tuple[int, int]) -> None:
        """Create a white picture of `size` pixels."""
        self._renderer = vtkRenderer()
        self._renderer.SetBackground(1.0, 1.0, 1.0)
        self._renderer.SetAutomaticLightCreation(False)
        vtkLightKit().AddLightsToRenderer(self._renderer)
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)  # excludes the sorting of translucent layers
        self._window.SetAlphaBitPlanes(True)
        self._window.SetSize(*pixels)
        self._window.AddRenderer(self._renderer)
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetMaximumNumberOfPeels(PEELS)
        self._renderer.SetOcclusionRatio(0.0)

    def add(self, surface: Any, look: Look, *, split: bool = False) -> None:
        """Add a pyvista.PolyData, shaded as a smooth one; `split` keeps its edges sharp."""
        normals = vtkPolyDataNormals()
        normals.SetInputData(surface)
        normals.SetSplitting(split)
        normals.SetFeatureAngle(30.0)
        mapper = vtkPolyDataMapper()
        mapper.SetInputConnection(normals.GetOutputPort())
        mapper.SetScalarVisibility(False)
        actor = vtkActor()
        actor.SetMapper(mapper)
        drawn = actor.GetProperty()
        drawn.SetInterpolationToPhong()
        drawn.SetColor(*_rgb(look.colour))
        drawn.SetOpacity(look.opacity)
        drawn.SetAmbient(look.ambient)
        drawn.SetSpecular(look.specular)
        drawn.SetSpecularPower(100.0)
        self._renderer.AddActor(actor)

    def shoot(self, target: Path, *, eye: FloatArray, middle: FloatArray, up: FloatArray, half: float) -> None:
        """Write the PNG `target`, seen from `eye` towards `middle`, `half` the height of the picture [mm]."""
        camera = self._renderer.GetActiveCamera()
        camera.SetPosition(*eye)
        camera.SetFocalPoint(*middle)
        camera.SetViewUp(*up)
        camera.SetParallelProjection(True)
        camera.SetParallelScale(half)
        camera.SetClippingRange(0.01 * half, 40.0 * half)
        arrows = self._arrows()
        self._window.Render()
        pixels = vtkWindowToImageFilter()
        pixels.SetInput(self._window)
        pixels.SetInputBufferTypeToRGB()
        pixels.ShouldRerenderOff()
        writer = vtkPNGWriter()
        writer.SetFileName(str(target))
        writer.SetInputConnection(pixels.GetOutputPort())
        writer.Write()
        arrows.SetEnabled(False)
        self._window.Finalize()

    def _arrows(self) -> Any:
        """Add the arrows along the axes in the lower left corner."""
        actor = vtkAxesActor()
        actor.SetConeRadius(0.4)
        actor.SetNormalizedShaftLength(0.8, 0.8, 0.8)
        actor.SetNormalizedTipLength(0.2, 0.2, 0.2)
        for axis, (label, colour) in AXES.items():
            shaft, tip, caption = (
                getattr(actor, f"Get{axis}Axis{part}")() for part in ("ShaftProperty", "TipProperty", "CaptionActor2D")
            )
            for part in (shaft, tip):
                part.SetColor(*_rgb(colour))
                part.SetAmbient(0.5)
            shaft.SetLineWidth(3.0)
            getattr(actor, f"Set{axis}AxisLabelText")(label)
            caption.SetWidth(0.25)
            caption.SetHeight(0.1)
            caption.GetCaptionTextProperty().SetColor(*_rgb("#5d6878"))
            caption.GetCaptionTextProperty().SetShadow(False)
        interactor = vtkGenericRenderWindowInteractor()
        interactor.SetRenderWindow(self._window)
        interactor.EnableRenderOff()  # otherwise the widget renders everything again
        widget = vtkOrientationMarkerWidget()
        widget.SetOrientationMarker(actor)
        widget.SetInteractor(interactor)
        widget.SetEnabled(True)
        widget.SetInteractive(False)
        widget.SetViewport(0.0, 0.0, 0.17, 0.22)
        return widget


def _rgb(colour: str) -> tuple[float, float, float]:
    """Return red, green and blue of a colour such as #1c2430, 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5))
    return red, green, blue
