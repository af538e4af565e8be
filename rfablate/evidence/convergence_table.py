"""A convergence study as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rfablate.evidence.converge_case import BASE, DOMAIN, ConvergedNumber, Convergence

HEADER = ("number", "value", "uncertainty", "mesh", "order", "time", "domain", "error bar")


def convergence_text(found: Convergence) -> str:
    """Return the table of a convergence study with its notes, as plain text."""
    rows = [HEADER, *(_row(each) for each in found.numbers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(_cell(text, width, column) for column, (text, width) in enumerate(zip(row, widths, strict=True)))
             for row in rows]  # fmt: skip
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([found.title, "", *_runs(found), "", *lines, "", *_notes(found)])


def covered_by_error_bar(numbers: Sequence[ConvergedNumber]) -> tuple[int, int]:
    """Return how many error bars contain the estimated mesh error, and how many could be judged."""
    judged = [(each.error_bar, each.mesh_error) for each in numbers]
    pairs = [(bar, error) for bar, error in judged if bar is not None and error is not None]
    return sum(bar >= error for bar, error in pairs), len(pairs)


def _row(each: ConvergedNumber) -> tuple[str, ...]:
    order = "-" if each.mesh.order is None else f"{each.mesh.order:.1f}"
    return (
        each.key,
        f"{each.value:.5g}",
        f"±{each.uncertainty:.2g}",
        f"{each.mesh.uncertainty:.2g}{'' if each.mesh.asymptotic else ' *'}",
        order,
        f"{each.time.uncertainty:.2g}{'' if each.time.asymptotic else ' *'}",
        "-" if each.domain is None else f"{each.domain:.2g}",
        "-" if each.error_bar is None else f"±{each.error_bar:.2g}",
    )


def _cell(text: str, width: int, column: int) -> str:
    return text.ljust(width) if column == 0 else text.rjust(width)


def _runs(found: Convergence) -> list[str]:
    return [
        f"  {name:<9} {run['nodes']:>8.0f} nodes {run['steps']:>5.0f} steps {run['wall_s']:>7.1f} s"
        for name, run in found.runs.items()
    ]


def _notes(found: Convergence) -> list[str]:
    inside, judged = covered_by_error_bar(found.numbers)
    notes = [
        "uncertainty = mesh + time + domain; mesh and time: grid convergence index with safety factor 1.25",
        "* not in the asymptotic range: three times the largest difference between the runs instead",
        f"error bar: the estimate in summary.json of the base run ({BASE.name}); "
        + (f"it contains the mesh error by Richardson for {inside} of {judged} numbers" if judged else "none judged"),
    ]
    if DOMAIN[1].name not in found.runs:
        notes.append("domain: this kind of domain cannot be enlarged; its uncertainty is not included")
    for name, verdicts in found.verdicts.items():
        notes.append(f"the verdict on {name} differs between the runs: {', '.join(verdicts)}")
    return notes
