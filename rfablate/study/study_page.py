"""study.html: a self-contained page with the table and the figures of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from rfablate.arrays import FloatArray
from rfablate.errors import CaseError, Fault
from rfablate.files import write_text
from rfablate.report.html_elements import note, section, table, together
from rfablate.report.page_templates import element, render
from rfablate.results.wording import number, short
from rfablate.study import study_figures as figures
from rfablate.study.axis_labels import axis_title, axis_unit, value_labels
from rfablate.study.linked_plots import LinkedPlots, linked_plots
from rfablate.study.results_table import StudyTable, column_of
from rfablate.study.study_data import Varied, response_title, shown_responses, varied_axes
from rfablate.study.study_plan import Plan
from rfablate.study.study_tables import StudyAxis

ROWS_SHOWN = 400
FAULTS_SHOWN = 50
Numbers = list[tuple[str, FloatArray]]

CAPTIONS = {
    "Main effects": "Line: mean over all rows with that value; band: minimum to maximum. Dots: rows of a ranged axis.",
    "Interactions": "Means of the first response; non-parallel lines indicate an interaction.",
    "Contours": "Over the two axes with the largest effect on the first response; means over the other axes.",
    "Parallel coordinates": "One line for each row, coloured by the first response.",
}


def write_page(folder: Path, plan: Plan, data: StudyTable, extra: str = "", lead: str = "") -> Path:
    """Write study.html into the folder of a study atomically and return its path.

    extra, lead: additional sections made by templates, after and before the figures; plain text is escaped.
    """
    title = plan.study.title or folder.name
    plots = _linked(plan, data, folder)
    sections = [
        lead,
        section("Linked plots", render("linked_plots.html", plots=plots), "linked-section") if plots else "",
        *_sections(plan, data, folder),
        extra,
        section("Failed members", _failures(data)),
        section("Table", _table(plan, data, folder)),
        section("Study file", _study_file(folder)),
    ]
    text = render("study.html", title=title, sections=sections, plots=plots, **_header(data, len(plan.members)))
    write_text(folder / "study.html", text)
    return folder / "study.html"


def _linked(plan: Plan, data: StudyTable, folder: Path) -> LinkedPlots | None:
    """Return the linked plots; None where no member has a result."""
    axes, names = varied_axes(plan, data), shown_responses(plan, data)
    if not axes or not names:
        return None
    responses: Numbers = [(name, data.numbers(name)) for name in names]
    pages = [_report_of(data, row, folder) for row in range(data.length)]
    try:
        return linked_plots(axes, responses, [str(name) for name in data.columns["member"]], pages)
    except Exception as error:  # plotting libraries raise many types; the page must still be written
        return LinkedPlots(reason=f"The linked plots could not be made: {type(error).__name__}: {error}")


def _report_of(data: StudyTable, row: int, folder: Path) -> str:
    """Return the address of a row's report relative to study.html; '' where there is none."""
    address = f"members/{data.columns['member'][row]}/report.html"
    return address if (folder / address).is_file() else ""


def _header(data: StudyTable, members: int) -> dict[str, Any]:
    """Return the values of the header: facts and state."""
    status = data.columns["status"]
    good = sum(each not in ("failed", "not run", "not seen") for each in status)
    failed, waiting = status.count("failed"), status.count("not run")
    facts = [f"{members} members", f"{data.length} rows", f"{good} with a result"]
    facts += [f"{failed} failed"] * bool(failed) + [f"{waiting} not run yet"] * bool(waiting)
    kind = "good" if good == data.length else "part"
    state = "complete" if kind == "good" else "incomplete"
    return {"facts": facts, "kind": kind, "state": state}


def _sections(plan: Plan, data: StudyTable, folder: Path) -> list[Markup]:
    """Return the sections with figures; a note where no member has a result."""
    axes = varied_axes(plan, data)
    responses: Numbers = [(name, data.numbers(name)) for name in shown_responses(plan, data)]
    if not responses or not axes:
        return [note("No figures: no member has a result yet.")]
    drawings: dict[str, Callable[[], str]] = {
        "Main effects": lambda: figures.main_effects(axes, responses),
        "Interactions": lambda: figures.interactions(axes, *responses[0]),
        "Contours": lambda: figures.contours(axes, responses),
        "Parallel coordinates": lambda: figures.parallel(axes, responses),
    }
    found = [section(name, _figure(draw, CAPTIONS[name]), _kind(name)) for name, draw in drawings.items()]
    if plan.study.collect.pareto is not None:
        found.append(section("Pareto front", _pareto(plan, data, axes, folder)))
    return found


def _kind(name: str) -> str:
    """Return the class of a figure's section: linked plots replace static parallel coordinates on a screen."""
    return "still" if name == "Parallel coordinates" else ""


def _figure(draw: Callable[[], str], caption: str) -> Markup:
    """Return a figure with its caption, or a note with the error where it cannot be drawn."""
    try:
        drawn = draw()
    except Exception as error:  # plotting libraries raise many types; the page must still be written
        return note(f"This figure could not be drawn: {type(error).__name__}: {error}")
    return element("figure", drawn, caption) if drawn else Markup()


def read_goal(text: str, data: StudyTable, where: str) -> tuple[str, str, FloatArray]:
    """Return the sense, the column and the numbers of a goal `min COLUMN` or `max COLUMN`.

    Raises:
        CaseError: the text is not a goal, or there is no such column.
    """
    sense, _, name = text.partition(" ")
    if sense not in ("min", "max"):
        raise CaseError([Fault(where, f"found {text!r}", "min COLUMN or max COLUMN")], "study")
    return sense, name.strip(), column_of(data, name.strip(), where)


def _pareto(plan: Plan, data: StudyTable, axes: list[Varied], folder: Path) -> str:
    goals = [read_goal(text, data, "collect.pareto") for text in plan.study.collect.pareto or ()]
    drawn, front = figures.pareto(goals, [axis.title for axis in axes])
    head = [*(axis.title for axis in axes), *(response_title(name) for _, name, _ in goals), "member"]
    rows = []
    for n in front:
        chosen = [axis.labels[int(axis.x[n])] if axis.named else short(axis.x[n], 5) for axis in axes]
        rows.append([*chosen, *(short(y[n], 4) for _, _, y in goals), _link(data, n, folder)])
    caption = "Dots: all rows. Line: Pareto front, the rows for which no other row is better in both goals."
    return element("figure", drawn, caption, "narrow") + table(head, rows)


def _failures(data: StudyTable) -> str:
    seen: dict[str, str] = {}
    for name, status, reason in zip(*(data.columns[key] for key in ("member", "status", "reason")), strict=True):
        if status == "failed":
            seen.setdefault(name, str(reason))
    shown = list(seen.items())[:FAULTS_SHOWN]
    rows = [(element("code", f"failed/{name}"), element("text_block", reason)) for name, reason in shown]
    left = len(seen) - len(shown)
    rest = element("small", f"and {left} more: see table.csv") if left else Markup()
    return table(("member", "reason"), rows, texts=2) + rest if rows else ""


def _table(plan: Plan, data: StudyTable, folder: Path) -> str:
    responses = shown_responses(plan, data) if data.responses() else []
    head = [*(axis_heading(axis, plan.axes) for axis in plan.axes), *(response_title(r) for r in responses), "run"]
    shown = min(data.length, ROWS_SHOWN)
    columns = [_cells(axis, data.columns[axis.key][:shown]) for axis in plan.axes]
    rows = []
    for n in range(shown):
        answers = []
        for name in responses:
            bar = data.columns.get(f"{name}.bar", [None] * data.length)[n]
            error = [Markup(" "), element("span", "error", f"±{short(bar, 1)}")] if bar is not None else []
            answers.append(together([number(data.columns[name][n], 2), *error]))
        rows.append([*(column[n] for column in columns), *answers, _link(data, n, folder)])
    left = data.length - len(rows)
    rest = f"The first {len(rows)} of {data.length} rows; " if left else ""
    return element("small", f"{rest}all columns are in table.csv.") + table(head, rows, "linked", texts=0)


def axis_heading(axis: StudyAxis, axes: Sequence[StudyAxis]) -> str:
    """Return the title of an axis with the unit of its values."""
    unit = axis_unit(axis)
    return axis_title(axis, axes) + (f" ({unit})" if unit else "")


def _cells(axis: StudyAxis, values: Sequence[Any]) -> list[Markup | str]:
    """Return the label of each value, and the value itself where the label is another text."""
    cells: list[Markup | str] = []
    for value, label in zip(values, value_labels(axis, values), strict=True):
        plain = f"{value:g}" if isinstance(value, float) else str(value)
        both = together([label, Markup(" "), element("span", "error", plain)])
        cells.append(label if label == plain or isinstance(value, str | bool) else both)
    return cells


def _link(data: StudyTable, row: int, folder: Path) -> str:
    name, status = str(data.columns["member"][row]), data.columns["status"][row]
    if status in ("failed", "not run", "not seen"):
        return element("span", "warn", status)
    report = _report_of(data, row, folder)
    return element("link", report, "report") if report else element("link", f"members/{name}/", "folder")


def _study_file(folder: Path) -> str:
    file = folder / "study.toml"
    return element("text_block", file.read_text(encoding="utf-8")) if file.is_file() else ""
