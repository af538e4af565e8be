"""Checks of body, boundary, time steps, damage and lesion rules; `generator_checks` checks the generator."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rfablate.case.checks.generator_checks import KELVIN, generator_faults
from rfablate.case.checks.structure_checks import kelvin_fault
from rfablate.case.geometry.applicator_parts import electrode_roles
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.resolve.checkable_case import CheckableCase
from rfablate.case.tables.generator_tables import Generator, Replay, SurfaceTemperature, on_time
from rfablate.case.tables.numerics_tables import Mesh, Solver, Time
from rfablate.case.tables.schema import Boundary, Damage, LesionTable, OutputTable
from rfablate.errors import Fault
from rfablate.physics.damage import RULE_NAMES, parse_rule
from rfablate.physics.library import damage_set_names

_OPTION = re.compile(r"[A-Za-z]\w*")
_OWN_OPTIONS = (
    "ksp_rtol", "ksp_atol", "ksp_divtol", "ksp_max_it", "ksp_norm_type", "ksp_convergence_test",
    "ksp_initial_guess_nonzero",
)  # fmt: skip
"""Options that the solver sets itself."""
_LONGEST_CELL_DEATH = 1800.0
"""Time [s] after which the three-state model gives 1 % cell death at 37 degC."""
_USUAL_RULES = ("isotherm_45C", "isotherm_50C", "isotherm_60C", "arrhenius", "arrhenius_4.6", "cem43_240", "cell_death")


def protocol_faults(parts: CheckableCase) -> Iterator[Fault]:
    """Yield the faults of all tables except geometry and tissues."""
    yield from _body_faults(parts)
    if parts.generator is not None:
        yield from generator_faults(parts.generator, parts)
    if parts.boundary is not None and parts.generator is not None:
        between_tips = "return" in electrode_roles([applicator for _, applicator in parts.applicators]).values()
        if _generated(parts) and not between_tips and not parts.channel_count:
            yield from _return_faults(parts.boundary, parts.generator)
    if len(parts.applicators) > 1:
        for where, applicator in parts.applicators:
            if applicator.contact > 0.0:
                found = f"found {applicator.contact * 1e6:g} with several applicators"
                expected = "a contact layer with a single applicator only"
                yield Fault(f"{where}.contact_ohm_mm2", found, expected, "remove contact_ohm_mm2")
    if isinstance(parts.generator, SurfaceTemperature):
        for where, applicator in parts.applicators:
            if applicator.contact > 0.0:
                found = f"found {applicator.contact * 1e6:g} with a surface temperature"
                yield Fault(f"{where}.contact_ohm_mm2", found, "omit this key: no current flows")
    if parts.time is not None:
        yield from _time_faults(parts.time, parts.generator)
    if parts.solver is not None and parts.solver.mass == "consistent" and _half_plane(parts):
        yield Fault("solver.mass", 'found "consistent" in the (r, z) half plane', '"lumped"', "remove solver.mass")
    if parts.solver is not None and parts.solver.mass == "consistent":
        for name, own in parts.tissues.items():
            if own.water_fraction is not None:
                found = 'found with solver.mass = "consistent"'
                yield Fault(f"tissues.{name}.water_fraction", found, 'solver.mass = "lumped"', "remove solver.mass")
    if parts.solver is not None:
        yield from _engine_faults(parts.solver)
    if parts.output is not None and parts.generator is not None:
        yield from _observed_faults(parts.output, parts.generator)
    if parts.mesh is not None:
        yield from _size_faults(parts.mesh)
    if parts.damage is not None:
        yield from _damage_faults(parts.damage)
    if parts.lesion is not None:
        yield from _lesion_faults(parts.lesion)


def _engine_faults(solver: Solver) -> Iterator[Fault]:
    """Yield options without PETSc, and options that other keys of the table set."""
    if solver.petsc_options and solver.engine != "petsc":
        found = f'found options with solver.engine = "{solver.engine}"'
        yield Fault("solver.petsc_options", found, 'solver.engine = "petsc"', 'set solver.engine = "petsc"')
    if solver.coarse_levels != "auto" and solver.engine == "petsc":
        found = f'found "{solver.coarse_levels}" with solver.engine = "petsc"'
        yield Fault("solver.coarse_levels", found, '"auto": the levels of PETSc are chosen by its options')
    for key in solver.petsc_options:
        if not _OPTION.fullmatch(key):
            expected = "the name of an option of PETSc, without a leading minus"
            yield Fault(f"solver.petsc_options.{key}", "found this name", expected, f"use {key.lstrip('-')}")
        elif key.removeprefix("heat_").removeprefix("potential_") in _OWN_OPTIONS:
            instead = "solver.heat_rtol, solver.potential_rtol and solver.max_iterations"
            expected = "no option for the end of a solve: PETSc has the criterion of the native solver"
            yield Fault(f"solver.petsc_options.{key}", "found this option", expected, f"use {instead}")
        elif key.removeprefix("heat_").removeprefix("potential_") == "pc_type" and solver.petsc_options[key] == "none":
            expected = 'a preconditioner, e.g. "jacobi": the error of a solve is measured with it'
            yield Fault(f"solver.petsc_options.{key}", 'found "none"', expected)


def _half_plane(parts: CheckableCase) -> bool:
    domain = parts.domain
    return domain is not None and (domain.kind == "axisymmetric" or (domain.kind == "mesh" and domain.axisymmetric))


def cell_death_warnings(parts: CheckableCase) -> Iterator[str]:
    """Yield a warning if the treatment is long enough for the three-state model to kill cells at body temperature."""
    if parts.lesion is None or parts.generator is None or not any("cell_death" in rule for rule in parts.lesion.rules):
        return
    end = _length(parts, parts.generator)
    if end > _LONGEST_CELL_DEATH:
        yield (
            f"lesion.rules: over {end:g} s the cell_death model also kills cells at 37 degC (65 % in an hour); "
            f"it is valid up to {_LONGEST_CELL_DEATH:g} s"
        )


def _generated(parts: CheckableCase) -> bool:
    return parts.domain is not None and parts.domain.kind != "mesh"


def _body_faults(parts: CheckableCase) -> Iterator[Fault]:
    if parts.body is not None:
        temperatures = {
            "temperature_degC": parts.body.temperature,
            "blood_temperature_degC": parts.body.blood_temperature,
        }
        for key, value in temperatures.items():
            if value > KELVIN:
                yield kelvin_fault(f"body.{key}", value)


def _length(parts: CheckableCase, generator: Generator) -> float:
    """Return the duration of the treatment [s]; sequential channels add up."""
    each = [channel.generator or generator for _, channel in parts.channels] or [generator]
    times = [on_time(generator) for generator in each]
    follow = parts.sharing is not None and parts.sharing.mode == "sequential"
    return (sum(times) if follow else max(times)) + max(generator.cooldown for generator in each)


def _return_faults(boundary: Boundary, generator: Generator) -> Iterator[Fault]:
    if boundary.electric == "insulated" and not isinstance(generator, SurfaceTemperature):
        expected = '"return": the current needs a return path'
        hint = 'electric = "return", or electrode = "return" for a second applicator'
        yield Fault("boundary.electric", 'found "insulated"', expected, hint)


def _time_faults(time: Time, generator: Generator | None) -> Iterator[Fault]:
    if time.min_step > time.max_step:
        expected = f"at most max_step_s = {time.max_step:g}"
        yield Fault("time.min_step_s", f"found {time.min_step:g}", expected, "are the two values swapped?")
    elif not time.min_step <= time.first_step <= time.max_step:
        expected = f"from min_step_s = {time.min_step:g} to max_step_s = {time.max_step:g}"
        yield Fault("time.first_step_s", f"found {time.first_step:g}", expected)
    on = on_time(generator) if generator is not None and not isinstance(generator, Replay) else 0.0
    if time.stepping == "fixed" and 0.0 < on < time.step:
        expected = f"at most the generator on-time, {on:g} [s]"
        yield Fault("time.step_s", f"found {time.step:g}", expected)


def _observed_faults(output: OutputTable, generator: Generator) -> Iterator[Fault]:
    try:
        end = on_time(generator) + generator.cooldown
    except (OSError, ValueError):  # `generator_checks` reports an unreadable log
        return
    for number, time in enumerate(output.observe_at):
        if time > end:
            yield Fault(
                f"output.observe_at_s[{number}]", f"found {time:g}", f"at most the end of treatment, {end:g} [s]"
            )


def _size_faults(mesh: Mesh) -> Iterator[Fault]:
    if mesh.size_tip is not None and mesh.size_far is not None and mesh.size_tip > mesh.size_far:
        expected = f"at most size_far_mm = {mesh.size_far * 1e3:g}"
        yield Fault("mesh.size_tip_mm", f"found {mesh.size_tip * 1e3:g}", expected, "are the two values swapped?")


def _damage_faults(damage: Damage) -> Iterator[Fault]:
    if (damage.A is None) != (damage.Ea is None):
        given, missing = ("A_per_s", "Ea_J_per_mol") if damage.Ea is None else ("Ea_J_per_mol", "A_per_s")
        expected = "both keys, or neither to use the library set"
        yield Fault(f"damage.{missing}", f"missing key, although {given} is given", expected)
    if damage.A is None and damage.set not in damage_set_names():
        expected = "one of " + ", ".join(damage_set_names()) + ", or A_per_s and Ea_J_per_mol"
        hint = did_you_mean(damage.set, damage_set_names())
        yield Fault("damage.set", f'found "{damage.set}"', expected, hint)


def _lesion_faults(lesion: LesionTable) -> Iterator[Fault]:
    expected = RULE_NAMES
    if not lesion.rules:
        yield Fault("lesion.rules", "found []", f"at least one of {expected}", 'rules = ["isotherm_50C", "arrhenius"]')
    for number, rule in enumerate(lesion.rules):
        try:
            parse_rule(rule)
        except ValueError:
            hint = did_you_mean(rule, _USUAL_RULES)
            yield Fault(f"lesion.rules[{number}]", f'found "{rule}"', expected, hint)
        if rule in lesion.rules[:number]:
            yield Fault(f"lesion.rules[{number}]", f'found "{rule}" a second time', "each rule once")
    if lesion.verdict_rule is not None and lesion.verdict_rule not in lesion.rules:
        hint = did_you_mean(lesion.verdict_rule, lesion.rules)
        expected = "one of lesion.rules: " + ", ".join(lesion.rules)
        yield Fault("lesion.verdict_rule", f'found "{lesion.verdict_rule}"', expected, hint)
