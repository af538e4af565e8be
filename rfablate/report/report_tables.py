"""Tables of the report page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from rfablate.report import figure_style as style
from rfablate.report.html_elements import bar, icon, pairs, table, verdict
from rfablate.report.page_templates import element
from rfablate.results.quantities import JOINING, LESION, STRUCTURE, TERMS, Quantity
from rfablate.results.run_reader import RunData
from rfablate.results.wording import duration, is_number, limit_degC, number, percent, rule_label, short

METRICS = (*LESION, JOINING[1])
ENERGY = (
    ("metabolic_J", "metabolic heat", "#c9a227"),
    ("stored_J", "stored heat", "#c43c33"),
    ("perfused_J", "removed by blood perfusion", "#0079a9"),
    ("boundary_J", "through the boundary", "#5d6878"),
    ("latent_J", "latent heat", "#6b4e9b"),
)
RESIDUAL_LIMIT = 1.0
"""Energy residual above which the page shows a warning [%]."""
NUMERICS = (
    ("nodes", "nodes"),
    ("cells", "cells"),
    ("smallest_edge_mm", "smallest edge (mm)"),
    ("interfaces", "structure surfaces"),
    ("steps", "accepted steps"),
    ("rejects", "rejected steps"),
    ("heat_iterations", "heat iterations"),
    ("potential_iterations", "potential iterations"),
    ("potentials_extrapolated", "potentials extrapolated"),
    ("ranks", "ranks"),
)
STAGES = (
    "mesh", "setup", "assemble", "potential", "heat", "damage", "judge", "measure", "structures", "write", "error bar",
)  # fmt: skip
"""Stages of a run in chronological order."""
TISSUE = (
    ("density_kg_per_m3", ("density", "kg/m³")),
    ("heat_capacity_J_per_kgK", ("heat capacity", "J/(kg\u00a0K)")),
    ("k_W_per_mK", ("k", "W/(m\u00a0K)")),
    ("k_slope_per_K", ("k\u00a0slope", "1/K")),
    ("sigma_S_per_m", ("σ", "S/m")),
    ("sigma_slope_per_K", ("σ\u00a0slope", "1/K")),
    ("perfusion_per_s", ("perfusion", "1/s")),
)


def lesion_card(run: RunData) -> str:
    """Return the lesion table: one row for each quantity, one column for each rule, with error bars."""
    rules, lesions = run.rules(), run.table("lesion")
    if not lesions:
        return ""
    errors = run.table("numerics").get("error_bar") or {}
    rows = []
    for quantity in METRICS:
        key, digits = quantity.key, quantity.decimals
        if not any(key in (lesions[rule] or {}) for rule in rules):
            continue
        row: list[str] = [element("quantity", quantity.label, quantity.unit, quantity.definition)]
        for rule in rules:
            card, error = lesions[rule] or {}, errors.get(f"{rule}.{key}")
            margin = Markup(" ") + element("span", "error", f"± {number(error, digits)}") if is_number(error) else ""
            empty = not card.get("volume_mm3") and key != "volume_mm3"
            row.append("–" if empty else number(card.get(key), digits) + margin)
        rows.append(row)
    styles = style.rule_styles(rules)
    head = ["", *(element("strong", rule_label(rule), styles[rule][0]) for rule in rules)]
    verdict_rule = f"The verdicts on structures use the {rule_label(rules[0])}."
    bars = TERMS["error bar"] if errors else "Numerical error bars were not requested."
    used = [each for each in METRICS if any(each.key in (lesions[rule] or {}) for rule in rules)]
    return table(head, rows, kind="card") + element("small", f"{verdict_rule} {bars}") + definitions(used)


def verdicts(run: RunData) -> str:
    """Return the table of structures: targets, then protected structures, then anatomy."""
    structures = run.table("structures")
    if not structures:
        return ""
    order = {"target": 0, "protect": 1}
    names = sorted(structures, key=lambda name: order.get(structures[name].get("role"), 2))
    colours = style.structure_colours(run)
    rows = [_structure_row(name, structures[name], colours[name], run.required_fraction(name)) for name in names]
    head = [
        "",
        "structure",
        "role",
        "covered fraction",
        "maximum temperature",
        "limit",
        "distance to the limit isotherm",
        "margin",
        "reached after",
        "coagulated length",
    ]
    used = [i for i in range(len(head)) if i < 3 or any(row[i] != "–" for row in rows)]
    head, rows = [head[i] for i in used], [[row[i] for i in used] for row in rows]
    used_labels = set(head)
    return table(head, rows, kind="verdicts", texts=3) + definitions(
        each for each in STRUCTURE if each.label in used_labels
    )


def definitions(quantities: Iterable[Quantity]) -> Markup:
    """Return a collapsible list with the definitions of quantities."""
    return element("definitions", list(quantities))


def _structure_row(name: str, s: Mapping[str, Any], colour: str, required: float) -> list[str]:
    role, limit = s.get("role", "anatomy"), limit_degC(s)
    covered = s.get("covered_fraction")
    coverage = Markup("{} {}").format(percent(covered), bar(float(covered), colour)) if is_number(covered) else "–"
    if role == "target" and required < 1:
        coverage += element("span", "need", f"{percent(required)} required")
    coagulated = "–"
    if is_number(s.get("coagulated_length_mm")):
        coagulated = f"{number(s['coagulated_length_mm'])} of {number(s.get('length_mm'))} mm"
    description = ", ".join(str(s[key]).replace("_", " ") for key in ("kind", "tissue") if s.get(key))
    judged = role in ("target", "protect")
    return [
        verdict(str(s.get("verdict") or "")) if judged else "",
        element("structure", name, colour, description),
        {"protect": "protected"}.get(role, str(role)),
        coverage,
        _with_unit(s.get("max_degC"), "°C"),
        f"{limit:g} °C" if limit is not None else "–",
        _with_unit(s.get("limit_margin_mm"), "mm", 2) if role == "protect" else "–",
        _with_unit(s.get("min_margin_mm"), "mm", 2) if judged else "–",
        duration(s.get("time_to_cover_s")) if role == "target" else "–",
        coagulated,
    ]


def _with_unit(value: Any, unit: str, digits: int = 1) -> str:
    return f"{number(value, digits)} {unit}" if is_number(value) else "–"


def energy(run: RunData) -> str:
    """Return the table of the energy balance, with a warning where the residual is too large."""
    balance = run.table("energy")
    joule = balance.get("joule_J")
    if not balance:
        return ""
    total = max([abs(float(v)) for k, v in balance.items() if k.endswith("_J") and is_number(v)] or [1.0]) or 1.0
    rows = [
        [
            element("strong", "delivered (Joule heat)"),
            bar((abs(joule) if is_number(joule) else 0.0) / total, "#e8873a"),
            _with_unit(joule, "J"),
            "100 %",
        ]
    ]
    for key, label, colour in ENERGY:
        value = balance.get(key)
        if is_number(value) and (value or key not in ("latent_J", "metabolic_J")):
            rows.append([label, bar(abs(value) / total, colour), _with_unit(value, "J"), _share(value, joule)])
    residual = balance.get("residual_percent")
    too_large = is_number(residual) and abs(residual) > RESIDUAL_LIMIT
    mark = icon("part") if too_large else Markup()
    percentage = f"{number(residual, 2)} %" if is_number(residual) else "–"
    rows.append([mark + "residual", "", _with_unit(balance.get("residual_J"), "J", 2), percentage])
    warning = Markup()
    if too_large:
        warning = element(
            "warning",
            f"The residual of the energy balance is above {RESIDUAL_LIMIT:g} %: "
            "the results are not reliable; refine the mesh or the time steps.",
        )
    return warning + table((), rows, kind="energy", caption="Energy balance", texts=2)


def _share(part: Any, whole: Any) -> str:
    return f"{number(100 * part / whole)} %" if is_number(whole) and whole else "–"


def electric(run: RunData) -> str:
    """Return the table of the generator output at the end of heating."""
    e = run.table("electric")
    rows = [
        (label, _with_unit(e.get(key), unit, digits))
        for key, label, unit, digits in (
            ("voltage_V", "voltage (RMS)", "V", 1),
            ("current_A", "current", "A", 3),
            ("power_W", "power", "W", 2),
            ("peak_power_W", "peak power", "W", 2),
            ("impedance_ohm", "impedance", "Ω", 1),
            ("limited_s", "time at a generator limit", "s", 1),
        )
        if is_number(e.get(key))
    ]
    return pairs(rows, "Generator at the end of heating") if rows else ""


def numerics(run: RunData) -> str:
    """Return the table of the mesh, the steps and the iterations."""
    found = run.table("numerics")
    rows = [
        (label, short(found[key]) if is_number(found[key]) else str(found[key]))
        for key, label in NUMERICS
        if found.get(key) is not None
    ]
    return pairs(rows, "Mesh and solver") if rows else ""


def timing(run: RunData) -> str:
    """Return the table of the wall time by stage."""
    times = {key: value for key, value in run.table("timing_s").items() if is_number(value)}
    total = times.pop("total", None) or sum(times.values())
    if not times or not total:
        return ""
    order = {stage: i for i, stage in enumerate(STAGES)}
    stages = sorted(times, key=lambda stage: order.get(stage, len(order)))
    rows = [[stage, bar(times[stage] / total, "#8fa3bb"), duration(times[stage])] for stage in stages]
    rows.append([element("strong", "total"), "", element("strong", duration(total))])
    return table((), rows, kind="energy", caption="Wall time by stage", texts=2)


def tissues(run: RunData) -> str:
    """Return the table of tissue values with their sources."""
    found = run.table("tissues")
    if not found:
        return ""
    rows = []
    for name, values in found.items():
        mark = Markup() if values.get("checked") else element("span", "unchecked", "not verified")
        source = str(values.get("source") or "no source given")
        rows.append(
            [
                element("strong", name),
                Markup("{} {}").format(source, mark),
                *(_tissue_value(values.get(key)) for key, _ in TISSUE),
            ]
        )
    text = "Values at 37 °C. “Not verified”: not every value was checked against the named source."
    head = ("tissue", "source", *(element("stacked", lines) for _, lines in TISSUE))
    return table(head, rows, kind="tissues", texts=2) + element("small", text)


def _tissue_value(value: Any) -> str:
    if not is_number(value):
        return "–"
    return f"{value:.4g}".replace("-", "−")


def provenance(run: RunData) -> str:
    """Return the table of the provenance: versions, hashes, resumptions."""
    rows = [
        (key.replace("_", " "), element("code", _as_text(value)))
        for key, value in run.table("provenance").items()
        if value != []
    ]
    return element("two_columns", pairs(rows)) if rows else ""


def _as_text(value: Any) -> str:
    """Return a provenance value as text; the list of resumptions becomes one clause for each."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if not isinstance(value, list):
        return str(value)
    return "; ".join(", ".join(f"{key} {part}" for key, part in each.items()) for each in value)
