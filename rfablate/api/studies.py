"""Studies, searches and comparisons of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfablate.api.run_result import RunResult
from rfablate.case.read.overrides import setting
from rfablate.results.run_directory import refuse_unfinished
from rfablate.results.run_reader import load_run

if TYPE_CHECKING:
    import pandas

    from rfablate.comparison.two_runs import Comparison
    from rfablate.study.inverse_search import Answer


class StudyResult:
    """A study's directory: one row for each point of the design, and the runs behind them."""

    def __init__(self, directory: str | Path, *, interrupted: bool = False, complete: bool = True) -> None:
        """Take the directory of a study whose table is written."""
        self.directory = Path(directory)
        self.interrupted = interrupted
        """Whether Ctrl-C ended the study before its end; the same call continues it."""
        self.complete = complete
        """Whether every row has a result."""

    @cached_property
    def table(self) -> pandas.DataFrame | dict[str, list[Any]]:
        """The table of the study: axes, then every number of the runs' summaries under its path.

        A pandas DataFrame where pandas is installed, otherwise a dict of columns; None for what does not exist.
        """
        import csv

        with (self.directory / "table.csv").open(newline="", encoding="utf-8") as file:
            head, *rows = list(csv.reader(file))
        columns = {name: [_number(row[i]) for row in rows] for i, name in enumerate(head)}
        try:
            import pandas
        except ImportError:
            return columns
        return pandas.DataFrame(columns)

    def run(self, member: str) -> RunResult:
        """Return the run of a member, by its name in the table."""
        return RunResult(self.directory / "members" / member)


def run_study(
    study: str | Path,
    directory: str | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    retry_failed: bool = False,
) -> StudyResult:
    """Run the members of a study that have no result yet; write table and page. Each member is a process of its own.

    Args:
        study: the study file, or its folder.
        directory: study directory; by default `studies/<study>`.
        changes: keys of the case of every member, as for `Case.with_changes`.
        jobs: members at once; by default as many as the cores allow.
        retry_failed: run members again that failed before.

    Raises:
        CaseError: the study or its case has faults, or another process runs this study.
    """
    from rfablate.study.members import StudyDirectory
    from rfablate.study.study_plan import load_plan
    from rfablate.study.study_run import finish, keep_study_file, run, study_name
    from rfablate.study.worker_pool import start_run

    file = Path(study)
    plan = load_plan(file, [setting(key, value) for key, value in (changes or {}).items()])
    place = StudyDirectory(Path(directory) if directory is not None else Path("studies") / study_name(file))
    with place.alone() as lock:
        keep_study_file(file, place)
        interrupted = run(plan, place, start_run(plan.study.ranks), lock, jobs=jobs, retry_failed=retry_failed)
        complete = finish(plan, place)
    return StudyResult(place.path, interrupted=interrupted, complete=complete)


def find(  # noqa: PLR0913
    case: str | Path,
    *,
    vary: Mapping[str, tuple[float, float] | None] | Sequence[str] = (),
    goals: Sequence[str] = (),
    minimise: str | None = None,
    maximise: str | None = None,
    shortest_hold: str | None = None,
    least_temperature: str | None = None,
    largest_spacing: bool = False,
    margin_mm: float = 0.0,
    changes: Mapping[str, Any] | None = None,
    directory: str | Path | None = None,
    jobs: int | None = None,
    ranks: int = 1,
) -> Answer:
    """Search for the value of one or several keys of a case that meets goals. Each run is a process of its own.

    Args:
        case: the case file, or its folder.
        vary: keys with their range, `{"generator.target_degC": (60, 90)}`; None: half to twice the case's value.
        goals: such as `"structures.spinal_nerve.max_degC<=45"`.
        minimise: a column of a study's table, or a varied key.
        maximise: the same.
        shortest_hold: a target, whose least `generator.hold_s` is searched for.
        least_temperature: a target, whose least `generator.target_degC` is searched for.
        largest_spacing: search for the largest `applicators.spacing_mm` that makes one lesion.
        margin_mm: depth in the lesion of the target, or of the line between tips [mm].
        changes: keys of the case, as for `Case.with_changes`.
        directory: study directory; by default `studies/find-<case>`.
        jobs: runs at once; by default as many as the cores allow.
        ranks: MPI ranks of a run.

    Returns:
        The answer: `x` with one value for each varied key (None where no value meets the goals), `spread`, `numbers`
        of the run that confirms it, `member` (its name), `why`.

    Raises:
        CaseError: the case or the question has faults.
    """
    from rfablate.case.read.case_file import load_case
    from rfablate.study.find_run import keep_answer, run_open
    from rfablate.study.goals import Shorthand, question_of
    from rfablate.study.inverse_search import find as search_for
    from rfablate.study.members import StudyDirectory
    from rfablate.study.search_runs import Search
    from rfablate.study.study_run import finish, study_name
    from rfablate.study.worker_pool import start_run

    file, texts = Path(case), [setting(key, value) for key, value in (changes or {}).items()]
    ranges = vary.items() if isinstance(vary, Mapping) else ()
    varied = [key if ends is None else f"{key}={ends[0]}:{ends[1]}" for key, ends in ranges] or list(vary)
    shorthand = Shorthand(shortest_hold, least_temperature, largest_spacing, margin_mm)
    question = question_of(load_case(file, texts), varied, goals, minimise, maximise, shorthand)
    search = Search(file, texts, question)
    usual = Path("studies") / f"find-{study_name(file, 'case.toml')}"
    place = StudyDirectory(usual if directory is None else Path(directory))
    with place.alone() as lock:
        start = start_run(ranks)

        def run_these(members: Any) -> None:
            run_open(search, members, place, start, lock, ranks=ranks, jobs=jobs)

        answer = search_for(search, place, run_these)
        keep_answer(answer, place)
        finish(search.plan, place)
    return answer


def compare(a: RunResult | str | Path, b: RunResult | str | Path) -> Comparison:
    """Compare two finished runs: their cases, numbers and lesions. `print` of it is a text; differences are B - A.

    Raises:
        CaseError: a directory holds no finished run, or a damaged one.
    """
    from rfablate.comparison.two_runs import compare_runs, refuse_damaged

    places = [each.directory if isinstance(each, RunResult) else Path(each) for each in (a, b)]
    refuse_unfinished(places, "compare")
    runs = [load_run(each) for each in places]
    refuse_damaged(runs)
    return compare_runs(*runs)


def _number(cell: str) -> Any:
    """Return a cell of a table as a number where it is one; None where it is empty."""
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return cell
