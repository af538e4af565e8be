"""Running the remaining members of a study, and writing its table and page."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rfablate.errors import CaseError

if TYPE_CHECKING:
    from rfablate.study.members import StudyDirectory
    from rfablate.study.results_table import StudyTable
    from rfablate.study.study_plan import Plan
    from rfablate.study.worker_pool import Workers


@dataclass(frozen=True)
class MemberChoice:
    """Which members of a study are run, of those that have no result yet."""

    share: tuple[int, int] = (0, 1)
    """(K, N): only every N-th member from the K-th."""
    retry_failed: bool = False
    """Whether members that failed before are run again."""


ALL_OPEN = MemberChoice()


def run(
    plan: Plan,
    directory: StudyDirectory,
    workers: Workers,
    choice: MemberChoice = ALL_OPEN,
    say: Callable[[str], None] = print,
) -> bool:
    """Run the members that have no result yet; return whether the study was interrupted. `say` prints a line."""
    from rfablate.study.study_progress import MemberCounts, StudyProgress
    from rfablate.study.worker_pool import run_members

    members = plan.members[choice.share[0] :: choice.share[1]]
    states = [directory.state(member.name) for member in members]
    if choice.retry_failed:
        for member, state in zip(members, states, strict=True):
            if state == "failed":
                directory.forget_failure(member.name)
        states = ["open" if state == "failed" else state for state in states]
    todo = [member for member, state in zip(members, states, strict=True) if state == "open"]
    done, failed = states.count("completed"), states.count("failed")
    if done or failed:
        say(f"from earlier runs: {done} completed, {failed} failed; {len(todo)} to run")
    progress, interrupted = StudyProgress(MemberCounts(len(states), done, failed)), False
    try:
        run_members(plan, todo, directory, workers, progress)
    except KeyboardInterrupt:
        interrupted = True
        say("\ninterrupted: finished members are kept; repeat the command to continue")
    progress.show(0, last=True)
    return interrupted


def finish(
    plan: Plan,
    directory: StudyDirectory,
    *,
    sensitivity: bool = False,
    predict: Sequence[str] = (),
    say: Callable[[str], None] = print,
) -> bool:
    """Write the table and the page, print their paths, and return whether all members have completed."""
    from rfablate.study.results_table import collect
    from rfablate.study.study_page import write_page

    begin = time.monotonic()
    if plan.study.reports:
        _write_missing_reports(plan, directory, say)
    table = collect(plan, directory)
    names = table.write(directory.path)
    extra, lead = "", ""
    if any(axis.distribution is not None for axis in plan.run_axes):
        from rfablate.study.uncertainty_section import add_uncertainty

        lead, files = add_uncertainty(plan, table, directory, say)
        names += files
    if sensitivity:
        extra = _sensitivity(plan, table, directory, say)
        names.append("sensitivity.csv")
    if predict:
        _predict(plan, table, predict, say)
    names.insert(0, write_page(directory.path, plan, table, extra, lead).name)
    status = table.columns["status"]
    bad = sum(each in ("failed", "not run", "not seen") for each in status)
    say(f"{table.length} rows, {bad} without a result, collected in {time.monotonic() - begin:.1f} s")
    say(f"written to {directory.path}: {', '.join(names)}")
    return bad == 0


def _write_missing_reports(plan: Plan, directory: StudyDirectory, say: Callable[[str], None]) -> None:
    """Write the report of each completed member that has none, as members do that ran before `reports` was set."""
    from rfablate.report import write_report

    places = [directory.members / each.name for each in plan.members if directory.state(each.name) == "completed"]
    for place in places:
        if not (place / "report.html").is_file():
            try:
                say(f"written: {write_report(place)}")
            except (OSError, ValueError, CaseError) as error:
                say(f"no report of {place}: {error}")


def _sensitivity(plan: Plan, table: StudyTable, directory: StudyDirectory, say: Callable[[str], None]) -> str:
    """Print and write the sensitivity indices of the shown responses; return them as a section of the page."""
    from rfablate.study.sensitivity import analyse, as_section, as_text, write_csv
    from rfablate.study.study_data import shown_responses

    found = [analyse(plan, table, name) for name in shown_responses(plan, table)]
    for each in found:
        say(as_text(each))
    write_csv(found, directory.path / "sensitivity.csv")
    return as_section(found)


def _predict(plan: Plan, table: StudyTable, texts: Sequence[str], say: Callable[[str], None]) -> None:
    """Print the predictions of the surrogates of the shown responses at a point."""
    from rfablate.study.study_data import shown_responses
    from rfablate.study.surrogate import fit, parse_point

    for name in shown_responses(plan, table):
        model = fit(table, name)
        values, deviations = model.predict(parse_point(texts, model.keys))
        error = f"cross-validation error {model.rmse:.2g}, maximum {model.worst:.2g}, Q2 {model.q2:.4f}"
        say(f"{name} = {values[0]:.5g} ±{1.96 * deviations[0]:.2g} (95 % interval of the surrogate; {error})")


def keep_study_file(study_file: Path, directory: StudyDirectory) -> None:
    """Copy the study file into the directory of the study."""
    source = study_file / "study.toml" if study_file.is_dir() else study_file
    target = directory.path / "study.toml"
    if source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def study_name(study_file: Path, usual: str = "study.toml") -> str:
    """Return the name of a study's directory: the name of its folder for a file named `usual`, else of the file."""
    file = study_file.resolve()
    if file.is_dir():
        return file.name
    return file.parent.name if file.name == usual else file.stem
