"""The page of a comparison: what differs in the cases, the numbers and the lesions of two or more runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from rfablate.comparison.compare_text import lesion_row, number_row, shown_pairs, value_text
from rfablate.comparison.number_deltas import Pair
from rfablate.comparison.two_runs import Comparison, LesionPairs
from rfablate.files import write_text
from rfablate.report import figure_style as style
from rfablate.report.comparison_map import difference_figure
from rfablate.report.comparison_scene import LETTERS
from rfablate.report.html_elements import note, table, together
from rfablate.report.interactive_scene import SceneSettings
from rfablate.report.page_templates import element, render
from rfablate.report.picture_process import SURFACES, PictureJob
from rfablate.results.quantities import JOINING, LESION, STRUCTURE
from rfablate.results.run_reader import FIELDS, RunData
from rfablate.results.wording import rule_label

LARGEST_NUMBER = len(LETTERS)
"""Largest number of runs on one page [1]."""
LABELS = {each.key: each for each in (*LESION, *JOINING, *STRUCTURE)}
SETTINGS = SceneSettings(tuple(style.DIFFERENCE_MAP), (), "", "temperature of B minus that of A", "K", symmetric=True)


def write_comparison_page(pairs: Sequence[Comparison], target: Path) -> Path:
    """Write the page of comparisons of the same first run with one or more others, atomically; return its path.

    Args:
        pairs: at most LARGEST_NUMBER - 1 comparisons; `a` is the same run in all of them.
        target: HTML file.

    Raises:
        OSError: the file cannot be written.
    """
    runs = [pairs[0].a, *(pair.b for pair in pairs)]
    drawn = all((run.directory / FIELDS).is_file() for run in runs)
    job = PictureJob(runs[0].directory, [SURFACES], compared=[run.directory for run in runs[1:]]) if drawn else None
    sections = [("What differs in the cases", _cases(pairs), "")]
    for letter, pair in zip(LETTERS[1:], pairs, strict=False):
        sections += [
            (f"Numbers of A and {letter}", _numbers(pair, letter), ""),
            (f"Temperature and lesions of A and {letter}", _map(pair, letter), ""),
            (f"Overlap of A and {letter}", _overlaps(pair, letter), ""),
        ]
    live = job.collect()[1] if job else None
    if live is not None:
        scene = render("scene.html", live=live, still=Markup(), settings=SETTINGS)
        sections.insert(1, ("All lesions in one scene", scene, "three"))
    page = render(
        "comparison.html",
        title=_heading(runs),
        runs=[_header(letter, run, target) for letter, run in zip(LETTERS, runs, strict=False)],
        sections=sections,
        live=live,
        settings=SETTINGS,
    )
    write_text(target, page)
    return target


def _heading(runs: Sequence[RunData]) -> str:
    titles = list(dict.fromkeys(_title(run) for run in runs))
    return titles[0] if len(titles) == 1 else " against ".join(titles) if len(titles) == 2 else f"{len(runs)} runs"


def _title(run: RunData) -> str:
    return str(run.summary.get("title") or run.directory.name)


def _header(letter: str, run: RunData, target: Path) -> dict[str, str]:
    report = os.path.relpath(run.directory / "report.html", target.parent)
    colour = style.COMPARED[LETTERS.index(letter)]
    return {"letter": letter, "title": run.directory.name, "report": report, "colour": colour}


def _cases(pairs: Sequence[Comparison]) -> Markup:
    parts = []
    for letter, pair in zip(LETTERS[1:], pairs, strict=False):
        if not pair.case:
            parts.append(element("small", f"The cases of A and {letter} are identical."))
            continue
        rows = [(element("code", key), value_text(a), value_text(b)) for key, a, b in pair.case]
        parts.append(table(("key", "A", letter), rows, texts=3))
    return together(parts)


def _map(pair: Comparison, letter: str) -> Markup:
    """Return the difference map, or a note with the reason why there is none."""
    try:
        drawn = difference_figure(pair.a, pair.b, ("A", letter))
    except (OSError, ValueError, KeyError) as error:
        return note(f"No map: {error}.")
    caption = f"Colours: temperature of {letter} minus that of A at the last common output time. Lines: lesions then."
    return element("figure", drawn, caption)


def _overlaps(pair: Comparison, letter: str) -> Markup:
    if not pair.lesions:
        return note(f"The lesions were not compared: {pair.refused}.")
    return together(_overlap(lesions, letter) for lesions in pair.lesions)


def _overlap(lesions: LesionPairs, letter: str) -> Markup:
    head = ["rule", "Dice", "in both", "only A", f"only {letter}"]
    head += [f"A from {letter}: mean", "95 %", "largest", f"{letter} from A: mean", "95 %", "largest"]
    same = lesions.time_a_s == lesions.time_b_s
    when = f"At {lesions.time_a_s:g} s" if same else f"A at {lesions.time_a_s:g} s, {letter} at {lesions.time_b_s:g} s"
    caption = f"{when}: volumes in mm³, distances between the surfaces in mm"
    return table(head, [(rule, *lesion_row(each)) for rule, each in lesions.rules.items()], "", caption)


def _numbers(pair: Comparison, letter: str) -> Markup:
    """Return one table of all numbers shown: structures first, because they decide."""
    rows: list[Sequence[str]] = []
    for name in sorted(pair.numbers, key=lambda each: not each.startswith("structures.")):
        shown = [_number(each) for each in shown_pairs(name.partition(".")[0], pair.numbers[name])]
        if shown:
            rows += [(element("strong", _table_label(name)), "", "", "", ""), *shown]
    return table(("", "A", letter, f"{letter} − A", "%"), rows)


def _number(pair: Pair) -> tuple[str, ...]:
    key, a, bar_a, b, bar_b, change, percent = number_row(pair)
    known = LABELS.get(pair.key)
    label = element("quantity", known.label, known.unit, known.definition) if known else key.strip()
    bars = [element("span", "error", bar) for bar in (bar_a, bar_b)]
    return label, together([a, " ", bars[0]]), together([b, " ", bars[1]]), change, percent.removesuffix(" %")


def _table_label(name: str) -> str:
    section, _, rest = name.partition(".")
    return f"lesion, {rule_label(rest)}" if section == "lesion" else rest or section.removesuffix("_s")
