"""The tables of a case about the numerical solution: mesh, time steps, linear solvers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rfablate.case.tables.base import Table
from rfablate.case.tables.units import MmPositive, Positive


class Mesh(Table):
    """Element sizes: `size_tip` on the active tip, growing with distance at `growth` (1/1) up to `size_far`.

    What is not given follows from `accuracy` and the cannula's diameter (see `rfablate.case.geometry.element_sizes`).
    """

    accuracy: Literal["draft", "standard", "fine"] = "standard"
    """Resolution of the mesh: sets all sizes that are not given (4, 6 or 9 cells across the cannula). The table
    `{ width_percent = 1 }` is another way to write `width_percent`."""
    width_percent: Annotated[float, Field(strict=True, ge=0.2, le=20)] | None = Field(default=None, examples=[1])
    """Wanted error bar of the lesion's width, by the rule of the verdicts, over the width [%]. The run then finds
    `scale` and `tolerance_K` itself: it is repeated on finer meshes until its error bar is at most this. By default
    they are as given."""
    size_tip: MmPositive | None = Field(default=None, alias="size_tip_mm", examples=[0.1])
    """Cell size on the active tip [mm]; at most `size_far_mm`. By default it follows from `accuracy` and the cannula's
    diameter."""
    size_structure: MmPositive | None = Field(default=None, alias="size_structure_mm", examples=[0.3])
    """Cell size on structures near the tip [mm]. By default it follows from `accuracy` and each structure's smallest
    extent; it is never below that on the tip."""
    size_far: MmPositive | None = Field(default=None, alias="size_far_mm", examples=[5])
    """Largest cell size [mm]. By default an eighth of the domain's smallest extent."""
    growth: Annotated[float, Field(strict=True, gt=0.02, le=2)] | None = Field(default=None, examples=[0.14])
    """Growth of the cell size per distance from the active tip, dimensionless. By default 0.25, 0.14 or 0.09 for draft,
    standard or fine `accuracy`; beyond the lesion's likely reach it is three times as large."""
    scale: Annotated[float, Field(strict=True, ge=0.2, le=5)] = 1.0
    """Factor for every cell size and the growth; runs with 0.7 and 1.4 show how much the results depend on the mesh."""
    max_cells: Annotated[float, Field(strict=True, gt=0)] = 2e7
    """Largest number of cells [1]. A case whose mesh would have more, by an estimate from its sizes that is accurate to
    a factor of two, is rejected."""
    interfaces: Literal["auto", "conforming", "cells"] = "auto"
    """How structures are meshed: "conforming" makes their surfaces mesh surfaces, "cells" assigns each cell to the
    structure that contains its centroid, "auto" falls back to "cells" if a conforming mesh fails."""
    refine: Annotated[int, Field(strict=True, ge=0, le=4)] = 0
    """Number of uniform refinements of the generated or read mesh, on all ranks: each divides every tetrahedron in
    eight (a triangle in four). Curved surfaces keep the facets of the mesh before. The default is none."""
    distributed_file: str | None = Field(default=None, examples=["large.h5"])
    """Mesh file of this case, written by `rfablate mesh CASE --distributed FILE`; every rank reads its part. A relative
    path starts from the case file's folder. By default the mesh is generated or read, and cached."""
    partitioner: Literal["bisection", "scotch"] = "bisection"
    """How the mesh is divided over ranks: "bisection" by coordinates, with equal cost for each rank; "scotch" by the
    graph of the nodes, with fewer values to exchange, for many ranks. Results agree within solver tolerances."""


class Time(Table):
    """Time stepping: adaptive with a local error of at most `tolerance` a step, or fixed steps; BDF of `order`."""

    stepping: Literal["adaptive", "fixed"] = "adaptive"
    """Choice of time steps: "adaptive" controls the local error (`tolerance_K`), "fixed" makes steps of `step_s`."""
    tolerance: Positive = Field(default=0.1, alias="tolerance_K")
    """For adaptive steps: largest local error of the temperature in a step, at any node [K]."""
    first_step: Positive = Field(default=0.02, alias="first_step_s")
    """For adaptive steps: largest step at the start and after every switch [s]; from `min_step_s` to `max_step_s`."""
    min_step: Positive = Field(default=1e-4, alias="min_step_s")
    """For adaptive steps: shortest step [s]; the run stops with an error where a shorter one would be needed."""
    max_step: Positive = Field(default=10.0, alias="max_step_s")
    """For adaptive steps: longest step [s]."""
    step: Positive = Field(default=0.5, alias="step_s")
    """For fixed steps: length of a step [s]; at most the time for which the generator is on."""
    order: Literal[1, 2, 3] = 3
    """Highest order of the backward differentiation formula; 1 is backward Euler."""


class Solver(Table):
    """Relative tolerances of the two linear solves, in energy, their iteration limit and engine; how heat is stored."""

    heat_rtol: Annotated[float, Field(strict=True, gt=0, le=1e-2)] = 1e-11
    """Relative tolerance of the heat solve, in energy."""
    potential_rtol: Annotated[float, Field(strict=True, gt=0, le=1e-2)] = 1e-10
    """Relative tolerance of the potential solve, in energy."""
    potential_change: Annotated[float, Field(strict=True, ge=0, le=0.2)] = 0.0
    """Relative change of sigma up to which the potential is extrapolated in time instead of solved again. The default 0
    solves it in every step."""
    mass: Literal["lumped", "consistent"] = "lumped"
    """Heat capacity and perfusion: "lumped" puts them at the nodes; "consistent" integrates them, and the Joule heat,
    fully with linear elements, as other codes do (3-D only)."""
    max_iterations: Annotated[int, Field(strict=True, gt=0)] = 2000
    """Largest number of conjugate gradient iterations of a solve; the run stops with an error where it is exceeded."""
    engine: Literal["native", "petsc"] = "native"
    """Solver of the linear systems: "native" is that of rfablate, "petsc" the method and preconditioner that
    `petsc_options` select. Both solve to the same tolerances."""
    coarse_levels: Literal["auto", "replicated", "distributed"] = "auto"
    """Coarse levels of the native multigrid: "replicated" stores them on every rank, "distributed" divides them among
    the ranks, "auto" divides only large levels on many ranks. All solve to the same tolerances."""
    petsc_options: dict[str, str] = Field(default={}, examples=[{"ksp_type": "cg", "pc_type": "hypre"}])
    """Options of PETSc as texts, without a leading minus; "" for an option without a value. Those that begin with heat_
    or potential_ apply to that solve only. The default is conjugate gradients with GAMG."""
