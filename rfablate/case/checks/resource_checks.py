"""Checks of the size of a run before meshing: cells, frames and steps."""

from __future__ import annotations

from collections.abc import Iterator

from rfablate.case.geometry.cell_estimate import estimate_cells
from rfablate.case.geometry.element_sizes import choose_sizes
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.generator_tables import Generator, Pulsed, on_time
from rfablate.case.tables.geometry_tables import BoxDomain, MeshDomain
from rfablate.case.tables.numerics_tables import Time
from rfablate.case.tables.schema import OutputTable
from rfablate.errors import Fault

_SMALLEST = 1e-6
"""Smallest element size [m]: smaller values are probably in another unit; tissue laws do not apply at this scale."""
_SMALLEST_DOMAIN = 1e-4
"""Smallest length of a generated domain [m]: thinner than any applicator."""
_MOST_FRAMES = 10_000
_MOST_STEPS = 10_000_000


def resource_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield faults for runs that are too large to compute; `parts` are without degenerate shapes."""
    small = [*_small_domain(parts), *_small_sizes(parts)]
    yield from small
    if not small:
        yield from _cell_faults(parts)
    end = _end(parts.generator)
    if parts.output is not None:
        yield from _frame_faults(parts.output, end)
    if parts.time is not None and parts.generator is not None:
        yield from _step_faults(parts.time, parts.generator, end)


def _small_domain(parts: CheckableCase) -> Iterator[Fault]:
    domain = parts.domain
    if domain is None or isinstance(domain, MeshDomain):
        return
    if isinstance(domain, BoxDomain):
        lengths = {"size": min(domain.size)}
    else:
        lengths = {"radius": domain.radius, "height": domain.height}
    for key, length in lengths.items():
        if length < _SMALLEST_DOMAIN:
            hint = f"m for mm? {length * 1e6:g} mm" if length * 1e3 >= _SMALLEST_DOMAIN else ""
            yield Fault(
                f"domain.{key}_mm", f"found {length * 1e3:g}", f"at least {_SMALLEST_DOMAIN * 1e3:g} [mm]", hint
            )


def _small_sizes(parts: CheckableCase) -> Iterator[Fault]:
    if parts.mesh is None:
        return
    for key in ("size_tip", "size_structure", "size_far"):
        size = getattr(parts.mesh, key)
        if size is not None and size < _SMALLEST:
            hint = f"m for mm? {size * 1e6:g} mm" if size * 1e3 >= _SMALLEST else ""
            yield Fault(f"mesh.{key}_mm", f"found {size * 1e3:g}", f"at least {_SMALLEST * 1e3:g} [mm]", hint)


def _cell_faults(parts: CheckableCase) -> Iterator[Fault]:
    domain, mesh = parts.domain, parts.mesh
    if domain is None or mesh is None or isinstance(domain, MeshDomain) or not parts.applicators:
        return
    applicators = [each for _, each in parts.applicators]
    structures = [placed.shape for placed in parts.structures]
    children = 4 if domain.kind == "axisymmetric" else 8
    cells = estimate_cells(domain, mesh, applicators, structures) * children**mesh.refine
    if cells <= mesh.max_cells:
        return
    sizes = choose_sizes(domain, mesh, applicators, structures)
    least = min(sizes.structure.values(), default=sizes.tip)
    found = (
        f"about {cells:.2g} cells, with {sizes.tip * 1e3:.3g} mm on the tip, {least * 1e3:.3g} mm on structures "
        f"and {sizes.far * 1e3:.3g} mm far from them"
    )
    if mesh.refine:
        found += f", after {mesh.refine} refinement{'s' if mesh.refine > 1 else ''}"
    hint = f"larger size_*_mm or scale; or mesh.max_cells = {cells:.1e} if the machine has enough memory"
    yield Fault("mesh", found, f"at most mesh.max_cells = {mesh.max_cells:.3g}", hint)


def _end(generator: Generator | None) -> float:
    """Return the duration of a treatment [s]; 0 where it is not known."""
    try:
        return on_time(generator) + generator.cooldown if generator is not None else 0.0
    except (OSError, ValueError):  # a log that cannot be read is reported with the faults of the generator
        return 0.0


def _frame_faults(output: OutputTable, end: float) -> Iterator[Fault]:
    if output.fields_interval is not None and end / output.fields_interval > _MOST_FRAMES:
        found = f"found {output.fields_interval:g}: {end / output.fields_interval:.3g} frames in {end:g} s"
        yield Fault("output.fields_interval_s", found, f"at most {_MOST_FRAMES} frames", f"{end / 100:.2g}")


def _step_faults(time: Time, generator: Generator, end: float) -> Iterator[Fault]:
    step = time.step if time.stepping == "fixed" else time.max_step
    if end / step > _MOST_STEPS:
        key = "step_s" if time.stepping == "fixed" else "max_step_s"
        found = f"found {step:g}: {end / step:.3g} steps in {end:g} s"
        yield Fault(f"time.{key}", found, f"at most {_MOST_STEPS} steps")
    if isinstance(generator, Pulsed) and generator.resolved and 2.0 * generator.rate * end > _MOST_STEPS:
        found = f"found true: {2.0 * generator.rate * end:.3g} steps, two per pulse"
        yield Fault("generator.resolved", found, f"at most {_MOST_STEPS} steps", "resolved = false")
