"""The report of a run: a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rfablate.files import write_text
from rfablate.report import figure_style as style
from rfablate.report import report_tables as tables
from rfablate.report.channel_section import channels
from rfablate.report.clinical_summary import clinical_summary
from rfablate.report.electrode_section import electrodes
from rfablate.report.html_elements import note, together
from rfablate.report.interactive_scene import Interactive, SceneSettings
from rfablate.report.page_templates import element, render
from rfablate.report.picture_process import FIRST_HALF, PICTURE, SECOND_HALF, SURFACES, Caller, PictureJob
from rfablate.report.prior_treatment_section import added
from rfablate.report.replay_section import misfit
from rfablate.report.run_figures import DAMAGE, DIMENSIONS, DOSES, HISTORIES, TEMPERATURE, RunFigures
from rfablate.report.scene_3d import LESION, Picture
from rfablate.report.time_histories import history_readings
from rfablate.results.run_reader import FIELDS, RunData, load_run
from rfablate.results.run_view import View
from rfablate.results.wording import answer, duration, rule_label

STATUS = {"completed": "good", "stopped": "part", "failed": "bad"}
FINDINGS, SCENE = "Targets and limits", "Lesion and structures in three dimensions"
ENGINEERING = "Energy and generator"
"""The first of the sections for engineers."""


def write_report(directory: Path, caller: Caller | None = None) -> Path:
    """Write `report.html` of a run directory atomically and return its path. Root only.

    Reads summary.json, history.csv, case.toml and fields.vtkhdf; the page names the files that are missing.

    Args:
        directory: the run directory.
        caller: process that draws the 3-D pictures; None: a new one.
    """
    directory = Path(directory)
    run = load_run(directory)
    parts = (*FIRST_HALF, *SECOND_HALF) if caller is not None else (SURFACES, PICTURE)
    job = PictureJob(directory, parts, caller) if (directory / FIELDS).exists() else None
    text = _page(_Figures(run, job), job)
    target = directory / "report.html"
    write_text(target, text)
    return target


def printed_page(directory: Path) -> str:
    """Return the page of a run directory for printing: no interactive scene."""
    run = load_run(directory)
    job = PictureJob(directory, (PICTURE,)) if (directory / FIELDS).exists() else None
    return _page(_Figures(run, job), job, printed=True)


class _Figures:
    """The figures of the page: those of the other process, or drawn here."""

    def __init__(self, run: RunData, job: PictureJob | None) -> None:
        self.run = run
        self._own = RunFigures(run.directory, run)
        self._job = job
        self._drawn: dict[str, Markup] | None = None

    def problem(self) -> str:
        """Return why there are no slices, '' if there are."""
        if not (self.run.directory / FIELDS).exists():
            return f"{FIELDS} is missing: slices and 3-D picture are not available."
        try:
            self.view()
            return ""
        except Exception as error:  # a page without slices is better than no page
            return f"{FIELDS} cannot be shown: {error}."

    def view(self) -> View:
        """Return the slices; raises an exception where `problem` names one."""
        view = self._own.view
        assert view is not None
        return view

    def __call__(self, name: str) -> str:
        """Return the figure `name`, a note with the error where it cannot be drawn, '' where it is empty."""
        if self._drawn is None:
            self._drawn = self._job.figures() if self._job is not None else {}
        try:
            return self._drawn[name] if name in self._drawn else self._own.draw(name)
        except Exception as error:
            return note(f"This figure could not be drawn: {type(error).__name__}: {error}")


def _page(figures: _Figures, job: PictureJob | None, *, printed: bool = False) -> str:
    run, problem = figures.run, figures.problem()
    slices = _slices(figures) if not problem else note(problem)
    histories = _histories(figures)
    lesion, doses = _lesion(figures, drawn=not problem), figures(DOSES)
    engineering = (tables.energy, tables.electric, electrodes, channels, misfit)
    picture, live = job.collect() if job else (Picture(), Interactive())
    three = _scene(run, picture, live) if job else Markup()
    sections = [
        (FINDINGS, _attempt(clinical_summary, run), "clinical"),
        ("Lesion", lesion, "lesion"),
        ("Effect of this treatment", _attempt(added, run), ""),
        ("Targets and protected structures", _attempt(tables.verdicts, run), ""),
        ("Dose and margins", doses, ""),
        (SCENE, three, "three"),
        ("Over time", histories, ""),
        ("Temperature and damage on slices through the applicator", slices, "slices"),
        (ENGINEERING, _columns(*(_attempt(make, run) for make in engineering)), ""),
        ("Numerics and timing", _columns(_attempt(tables.timing, run), _attempt(tables.numerics, run)), ""),
        ("Tissue values and their sources", _attempt(tables.tissues, run), ""),
        ("Case and provenance", _case(run), "case"),
    ]
    if printed:  # the picture fills the first page, below the findings
        sections.sort(key=lambda each: (each[0] != FINDINGS) + (each[0] not in (FINDINGS, SCENE)))
    return render(
        "report.html",
        **_header(run),
        sections=sections,
        engineering=ENGINEERING,
        warnings=[*map(str, run.summary.get("warnings") or ()), *run.missing],
        readings=history_readings(run),
        live=live,
        settings=SceneSettings(),
    )


def _attempt(make: Callable[[RunData], str], run: RunData) -> str:
    """Return a section of the page, or a note with the error where it cannot be made."""
    try:
        return make(run)
    except Exception as error:
        return note(f"This part could not be created: {type(error).__name__}: {error}")


def _header(run: RunData) -> dict[str, Any]:
    """Return the values of the header: title, status, facts, reason and the result in one sentence."""
    status = str(run.summary.get("status") or "not ended")
    kind = STATUS.get(status, "bad")
    facts = [
        _generator(run),
        f"simulated {duration(run.summary.get('simulated_s'))}" if run.summary.get("simulated_s") else "",
        *(str(item.get("model") or item.get("name", "")) for item in run.applicators()),
        {True: "axisymmetric", False: "3-D"}.get(run.table("case").get("axisymmetric"), ""),  # type: ignore[arg-type]
        str(run.table("provenance").get("started", ""))[:10],
    ]
    return {
        "title": str(run.summary.get("title") or run.case.get("title") or run.directory.name),
        "status": status,
        "status_kind": kind,
        "facts": [fact for fact in facts if fact],
        "reason": str(run.summary.get("reason") or "") if kind != "good" else "",
        "answer": _attempt(answer, run),
    }


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


def _lesion(figures: _Figures, *, drawn: bool) -> str:
    card = _attempt(tables.lesion_card, figures.run)
    if not card:
        return note("The run has no lesion.")
    drawing = figures(DIMENSIONS) if drawn else ""
    return render("lesion.html", card=card, drawing=drawing) if drawing else card


def _slices(figures: _Figures) -> Markup:
    view = figures.view()
    shown = {name for piece in view.slices for tag, name in view.names.items() if (piece.region == tag).any()}
    return render(
        "slices.html",
        kind="pair" if len(view.slices) == 1 else "stack",
        temperature=figures(TEMPERATURE),
        damage=figures(DAMAGE),
        heat_time=duration(view.time_s),
        end_time=duration(view.end_s),
        cooled=view.end_s > view.time_s * (1 + 1e-9),
        missed=[name for name in view.run.table("structures") if name not in shown],
        exact=bool(view.shapes),
    )


def _scene(run: RunData, picture: Picture, live: Interactive) -> Markup:
    still = _still(run, picture) if picture.url else note(f"No 3-D picture: {picture.reason}.")
    return render("scene.html", live=live, still=still, settings=SceneSettings())


def _still(run: RunData, picture: Picture) -> Markup:
    colours, structures = style.structure_colours(run), run.table("structures")
    rules = run.rules()
    keys = [(LESION, f"lesion, {rule_label(rules[0])}")] if rules else []
    keys += [(colours[n], f"{n} ({structures[n].get('role', 'anatomy')})") for n in picture.shown]
    keys += [(style.METAL_ACTIVE, "active tip"), (style.METAL_SHAFT, "insulated shaft")]
    keys += [(style.RING, "ring electrode")] if run.rings() else []
    return render("still.html", picture=picture, keys=keys)


def _histories(figures: _Figures) -> Markup:
    figure = figures(HISTORIES)
    return render("histories.html", figure=figure) if figure else note("The history has no curves.")


def _columns(*parts: str) -> str:
    kept = [part for part in parts if part]
    return element("columns", kept) if kept else ""


def _case(run: RunData) -> Markup:
    return together([tables.provenance(run), render("case.html", text=run.case_text) if run.case_text else ""])
