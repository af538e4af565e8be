"""The library as tables to read: what `rfablate library` prints."""

from __future__ import annotations

from rfablate.case.describe import format_table, tissue_sources, tissue_table
from rfablate.case.suggest import did_you_mean
from rfablate.errors import CaseError, Fault
from rfablate.physics.library import (
    applicator_model,
    applicator_names,
    applicator_source,
    damage_set,
    damage_set_names,
    tissue,
    tissue_names,
)


def tissues_text(name: str | None = None) -> str:
    """Return all tissues and metals, or the one called `name`; raises CaseError where there is none."""
    names = tissue_names() if name is None else (_known(name, tissue_names(), "tissues"),)
    tissues = [tissue(each) for each in names]
    lines = ["Constants at 37 degC, sigma near 500 kHz; in brackets the range in the literature.", ""]
    return "\n".join([*lines, *tissue_table(tissues), "", "sources", *tissue_sources(tissues)])


def applicators_text(name: str | None = None) -> str:
    """Return all cannulae, or the one called `name` as a case's table; raises CaseError for none."""
    source, checked = applicator_source()
    note = f"source: {source} ({'checked' if checked else 'not all checked'})"
    if name is not None:
        model = applicator_model(_known(name, applicator_names(), "applicators"))
        keys = [
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:g}" for key, value in model.items()
        ]
        return "\n".join(["[[applicators]]", f'model = "{name}"', *(f"# {key}" for key in keys), "", note])
    models = {each: applicator_model(each) for each in applicator_names()}
    head = ["model", "diameter mm", "tip mm", "shape", "sensor mm", "metal"]
    rows = [
        [
            each,
            f"{model['outer_diameter_mm']:g}",
            f"{model['active_tip_mm']:g}",
            str(model["tip_shape"]),
            f"{model['sensor_offset_mm']:g}",
            str(model["metal"]),
        ]
        for each, model in models.items()
    ]
    return "\n".join([*format_table(rows, head), "", note])


def damage_text() -> str:
    """Return all Arrhenius damage sets."""
    sets = {name: damage_set(name) for name in damage_set_names()}
    rows = [[name, f"{A:.4g}", f"{Ea:.4g}", source] for name, (A, Ea, source) in sets.items()]
    trap = "Trap: the liver set reaches Omega = 1 in 12 min at 41.9 degC; long protocols overstate lesions."
    return "\n".join([*format_table(rows, ["set", "A 1/s", "Ea J/mol", "source"]), "", trap])


def _known(name: str, names: tuple[str, ...], table: str) -> str:
    if name in names:
        return name
    expected = f"one of rfablate library {table}"
    raise CaseError([Fault(name, "not in the library", expected, did_you_mean(name, names))], "the library")
