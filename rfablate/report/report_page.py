"""The report of a run: a self-contained HTML page."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path

from rfablate.report import figure_style as style
from rfablate.report import report_tables as tables
from rfablate.report.channel_section import channels
from rfablate.report.electrode_section import electrodes
from rfablate.report.field_maps import damage_figure, temperature_figure
from rfablate.report.html_elements import icon, note, section
from rfablate.report.lesion_outline import dimension_drawing
from rfablate.report.prior_treatment_section import added
from rfablate.report.replay_section import misfit
from rfablate.report.scene_3d import LESION, Picture, SceneJob
from rfablate.report.time_histories import history_figure
from rfablate.results.run_reader import FIELDS, RunData, load_run
from rfablate.results.run_view import View, load_view
from rfablate.results.wording import answer, duration, rule_label

STATUS = {"completed": "good", "stopped": "part", "failed": "bad"}


def write_report(directory: Path) -> Path:
    """Write `report.html` of a run directory atomically and return its path. Root only.

    Reads summary.json, history.csv, case.toml and fields.vtkhdf; the page names the files that are missing.
    """
    directory = Path(directory)
    run = load_run(directory)
    scene = SceneJob(directory) if (directory / FIELDS).exists() else None
    view, problem = _view(run)
    text = _page(run, view, problem, scene)
    target = directory / "report.html"
    part = target.with_name(target.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, target)
    return target


def _view(run: RunData) -> tuple[View | None, str]:
    if not (run.directory / FIELDS).exists():
        return None, f"{FIELDS} is missing: slices and 3-D picture are not available."
    try:
        return load_view(run), ""
    except Exception as error:  # a page without slices is better than no page
        return None, f"{FIELDS} cannot be shown: {error}."


def _page(run: RunData, view: View | None, problem: str, scene: SceneJob | None) -> str:
    title = str(run.summary.get("title") or run.case.get("title") or run.directory.name)
    picture = [_slices(view) if view else note(problem), _histories(run)]
    scene_picture = scene.collect() if scene else Picture(reason=problem.rstrip("."))
    body = [
        _header(run, title),
        _warnings(run),
        section("Lesion", _lesion(run, view), "lesion"),
        section("Effect of this treatment", _attempt(added, run)),
        section("Targets and protected structures", _attempt(tables.verdicts, run)),
        section("Temperature and damage on slices through the applicator", picture[0], "slices"),
        section("Lesion and structures in three dimensions", _scene(run, scene_picture) if scene else "", "three"),
        section("Over time", picture[1]),
        section(
            "Energy and generator",
            _columns(*(_attempt(m, run) for m in (tables.energy, tables.electric, electrodes, channels, misfit))),
        ),
        section("Numerics and timing", _columns(_attempt(tables.timing, run), _attempt(tables.numerics, run))),
        section("Tissue values and their sources", _attempt(tables.tissues, run)),
        section("Case and provenance", _case(run), "case"),
    ]
    sheet = files("rfablate.report").joinpath("page.css").read_text(encoding="utf-8")
    opener = "addEventListener('beforeprint',()=>document.querySelectorAll('details').forEach(d=>d.open=true))"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{sheet}</style><script>{opener}</script></head>\n"
        "<body><main>" + "\n".join(part for part in body if part) + "</main></body></html>\n"
    )


def _attempt(make: Callable[[RunData], str], run: RunData) -> str:
    """Return a section of the page, or a note with the error where it cannot be made."""
    try:
        return make(run)
    except Exception as error:
        return note(f"This part could not be created: {type(error).__name__}: {error}")


def _header(run: RunData, title: str) -> str:
    status = str(run.summary.get("status") or "not ended")
    kind = STATUS.get(status, "bad")
    facts = [
        _generator(run),
        f"simulated {duration(run.summary.get('simulated_s'))}" if run.summary.get("simulated_s") else "",
        *(str(item.get("model") or item.get("name", "")) for item in run.applicators()),
        {True: "axisymmetric", False: "3-D"}.get(run.table("case").get("axisymmetric"), ""),  # type: ignore[arg-type]
        str(run.table("provenance").get("started", ""))[:10],
    ]
    reason = str(run.summary.get("reason") or "")
    reason_line = f'<p class="reason {kind}">{icon(kind)}{escape(reason)}</p>' if reason and kind != "good" else ""
    sentence = _attempt(answer, run)
    return (
        f'<header><p class="kicker">rfablate · run report</p><h1>{_unbroken(escape(title))}</h1>'
        f'<p class="facts"><span class="status {kind}">{icon(kind)}{escape(status)}</span>'
        + "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
        + f"</p>{reason_line}"
        + (f'<p class="answer">{_unbroken(escape(sentence))}</p>' if sentence else "")
        + "</header>"
    )


def _unbroken(text: str) -> str:
    """Return the text with non-breaking spaces between numbers and units."""
    return re.sub(r"(?<=\d) (?=(?:mm|°C|degC|%|s|min|W|V|G|mA|A)\b|%)", "\u00a0", text)


def _generator(run: RunData) -> str:
    g = run.case.get("generator")
    if not isinstance(g, dict):
        return ""
    if g.get("kind") == "staged":
        return f"{len(g.get('stages', ()))} stages"
    if g.get("kind") == "replay":
        return f"replay of {Path(str(g.get('file', ''))).name}"
    hold = f" for {g['hold_s']:g} s" if "hold_s" in g else f" for {g['duration_s']:g} s" if "duration_s" in g else ""
    for key, unit in (("target_degC", "°C"), ("power_W", "W"), ("voltage_V", "V"), ("current_A", "A")):
        if key in g:
            ramp = f" after a {g['ramp_s']:g} s ramp" if g.get("ramp_s") else ""
            pulses = f" in pulses of {g['pulse_ms']:g} ms, {g['rate_Hz']:g} Hz," if g.get("kind") == "pulsed" else ""
            return f"{g[key]:g} {unit}{pulses}{hold}{ramp}"
    return ""


def _warnings(run: RunData) -> str:
    lines = [*map(str, run.summary.get("warnings") or ()), *run.missing]
    if not lines:
        return ""
    items = "".join(f"<li>{icon('part')}<span>{escape(line)}</span></li>" for line in lines)
    return f'<aside class="warnings"><ul>{items}</ul></aside>'


def _lesion(run: RunData, view: View | None) -> str:
    card = _attempt(tables.lesion_card, run)
    if not card:
        return note("The run has no lesion.")
    drawing = _figure(dimension_drawing, view) if view else ""
    if not drawing:
        return card
    caption = "To scale, in the slice where the lesion is widest. Shaded: lesion of the verdict rule."
    return (
        f'<div class="beside"><div>{card}</div>'
        f'<figure class="drawing">{drawing}<figcaption>{caption}</figcaption></figure></div>'
    )


def _figure(make: Callable[[View], str], view: View) -> str:
    try:
        return make(view)
    except Exception as error:
        return note(f"This figure could not be drawn: {type(error).__name__}: {error}")


def _slices(view: View) -> str:
    cooled = view.end_s > view.time_s * (1 + 1e-9)
    heat = (
        f"<b>Temperature</b> at {duration(view.time_s)}{', the end of heating' if cooled else ''}, "
        "with isotherms in °C and the final outline of the lesion."
    )
    dead = (
        f"<b>Dead tissue</b> at {duration(view.end_s)}, Arrhenius 1 − exp(−Ω), with the lesion outline of "
        "each rule; white line: 99 %."
    )
    shown = {name for piece in view.slices for tag, name in view.names.items() if (piece.region == tag).any()}
    missed = [name for name in view.run.table("structures") if name not in shown]
    rest = f"<p class='small'>Not in these slices: {escape(', '.join(missed))}.</p>" if missed else ""
    kind = "pair" if len(view.slices) == 1 else "stack"
    if view.shapes:
        rest += (
            "<p class='small'>Outlines show the exact shapes of the structures; the mesh approximates them by whole "
            "cells.</p>"
        )
    return (
        f'<div class="{kind}">'
        f"<figure>{_figure(temperature_figure, view)}<figcaption>{heat}</figcaption></figure>"
        f"<figure>{_figure(damage_figure, view)}<figcaption>{dead}</figcaption></figure></div>"
        '<p class="small">Solid outlines: targets; dashed: protected structures; thin: other anatomy.</p>' + rest
    )


def _scene(run: RunData, picture: Picture) -> str:
    if not picture.url:
        return note(f"No 3-D picture: {picture.reason}.")
    colours, structures = style.structure_colours(run), run.table("structures")
    rules = run.rules()
    keys = [(LESION, f"lesion, {rule_label(rules[0])}")] if rules else []
    keys += [(colours[n], f"{n} ({structures[n].get('role', 'anatomy')})") for n in picture.shown]
    keys += [(style.METAL_ACTIVE, "active tip"), (style.METAL_SHAFT, "insulated shaft")]
    keys += [(style.RING, "ring electrode")] if run.rings() else []
    items = "".join(
        f'<li><i class="swatch" style="background:{colour}"></i>{escape(label)}</li>' for colour, label in keys
    )
    length = picture.scale_mm
    scale = f'<span class="scale" style="width:{100 * length / picture.width_mm:.2f}%">{length} mm</span>'
    return (
        '<figure class="scene"><div class="stage">'
        f'<img alt="Lesion, structures and cannula in three dimensions" src="{picture.url}">{scale}</div>'
        f'<figcaption><ul class="key">{items}</ul>'
        "<p>Oblique side view without perspective; structures are clipped at the edge of the picture.</p>"
        "</figcaption></figure>"
    )


def _histories(run: RunData) -> str:
    try:
        figure = history_figure(run)
    except Exception as error:
        return note(f"The curves could not be drawn: {type(error).__name__}: {error}")
    return f"<figure>{figure}</figure>" if figure else note("The history has no curves.")


def _columns(*parts: str) -> str:
    kept = [part for part in parts if part]
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in kept)}</div>' if kept else ""


def _case(run: RunData) -> str:
    case = ""
    if run.case_text:
        text = f"<pre>{escape(run.case_text)}</pre>"
        case = f"<details><summary>case.toml of this run</summary>{text}</details>"
    return tables.provenance(run) + case
