"""The question of a search: keys to vary, goals to meet, and a column to minimise or maximise. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rfablate.case.geometry.applicator_spacing import SPACING, spacing_of
from rfablate.case.messages.suggestions import did_you_mean
from rfablate.case.read.case_file import dump_case
from rfablate.case.read.overrides import setting
from rfablate.case.tables.geometry_tables import MeshDomain
from rfablate.case.tables.schema import Case
from rfablate.errors import CaseError, Fault
from rfablate.study.study_checks import Change, change_faults, column_faults
from rfablate.toml import tomllib

WORST = 10.0
"""Relative violation of a goal whose number is missing, such as a margin where there is no lesion."""
_GOAL = re.compile(r"\s*(\S+?)\s*(<=|>=)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True)
class VariedKey:
    """A key of the case and its range."""

    key: str
    low: float
    high: float
    given: bool
    """Whether the user gave the range; otherwise it is half to twice the value in the case."""


@dataclass(frozen=True)
class Goal:
    """An upper or lower limit on a column."""

    column: str
    sense: str
    value: float

    def violation(self, numbers: Mapping[str, Any], shift: float = 0.0) -> float:
        """Return the relative violation of the goal, from -10 to 10; zero or negative where the goal is met.

        shift: correction added to the number, in the column's unit.
        """
        found = numbers.get(self.column)
        if not isinstance(found, int | float) or not math.isfinite(found):
            return WORST
        over = found + shift - self.value if self.sense == "<=" else self.value - found - shift
        return max(-WORST, min(WORST, over / self.scale))

    @property
    def scale(self) -> float:
        """Reference value of the violation: the absolute value of the limit, 1 where the limit is 0."""
        return max(abs(self.value), 1e-3) if self.value else 1.0

    def __str__(self) -> str:
        """Return the goal in the form of the command line."""
        return f"{self.column}{self.sense}{self.value:g}"


@dataclass(frozen=True)
class SearchQuestion:
    """The question of a search: minimise `sign` times `column` subject to the goals."""

    varied: tuple[VariedKey, ...]
    goals: tuple[Goal, ...]
    column: str
    sign: float

    def __str__(self) -> str:
        """Return the question as text."""
        keys = ", ".join(f"{v.key} from {v.low:g} to {v.high:g}" for v in self.varied)
        goals = f" with {', '.join(map(str, self.goals))}" if self.goals else ""
        return f"{'smallest' if self.sign > 0 else 'largest'} {self.column}{goals}, varying {keys}"


@dataclass(frozen=True)
class QuestionTexts:
    """A question as on the command line."""

    vary: Sequence[str] = ()
    """Keys, KEY or KEY=LOW:HIGH."""
    goals: Sequence[str] = ()
    """Limits, COLUMN<=NUMBER or COLUMN>=NUMBER."""
    minimise: str | None = None
    maximise: str | None = None
    """The column to minimise or to maximise; one of the two."""


NOTHING_MORE = QuestionTexts()


def ask(case: Case, texts: QuestionTexts, known: Sequence[Fault] = ()) -> SearchQuestion:
    """Return the question from texts; `known`: faults that were found before.

    Raises:
        CaseError: the question has faults; the error holds all of them, including `known`.
    """
    vary, goals, minimise, maximise = texts.vary, texts.goals, texts.minimise, texts.maximise
    faults = list(known)
    varied = [found for text in vary if (found := _vary(case, text, faults)) is not None]
    faults += _key_faults(case, [Change("--vary", ((setting(v.key, 0.5 * (v.low + v.high)),),)) for v in varied])
    wanted = [goal for text in goals if (goal := _goal(text, faults)) is not None]
    columns = {"--minimise": minimise, "--maximise": maximise, **{f"--goal {goal}": goal.column for goal in wanted}}
    keys = [text.partition("=")[0] for text in vary]
    faults += column_faults(case, {where: each for where, each in columns.items() if each is not None}, keys)
    if (minimise is None) == (maximise is None):
        problem = "no column to minimise or maximise" if minimise is None else "both --minimise and --maximise"
        faults.append(Fault("find", problem, "one of --minimise COLUMN and --maximise COLUMN"))
    if not vary:
        faults.append(Fault("find", "no key to vary", "--vary KEY=LOW:HIGH"))
    if faults:
        raise CaseError(faults, "find")
    column, sign = (minimise, 1.0) if minimise is not None else (str(maximise), -1.0)
    return SearchQuestion(tuple(varied), tuple(wanted), column, sign)


def _key_faults(case: Case, changes: Sequence[Change]) -> list[Fault]:
    """Return the faults that the changes cause in the case."""
    return change_faults(tomllib.loads(dump_case(case)), Path(), changes)


def to_cover(case: Case, key: str, target: str, margin_mm: float, more: QuestionTexts = NOTHING_MORE) -> SearchQuestion:
    """Return the question for the smallest value of a key that covers a target with a margin.

    Args:
        case: the case.
        key: KEY or KEY=LOW:HIGH.
        target: name of the target structure.
        margin_mm: required depth of the target inside the lesion [mm].
        more: additional keys to vary, and goals.

    Raises:
        CaseError: the case has no such target, or its generator has no such key.
    """
    regions = case.domain.regions if isinstance(case.domain, MeshDomain) else ()
    required = {each.name: each.required_fraction for each in (*case.structures, *regions) if each.role == "target"}
    names = list(required)
    if target not in names:
        near = did_you_mean(target, names)
        known = [Fault("find", f"no target {target}", f"one of {', '.join(names) or '(none)'}", near)]
        return ask(case, QuestionTexts([key, *more.vary], more.goals, minimise=key.partition("=")[0]), known)
    own = [f"structures.{target}.covered_fraction>={required[target] - 1e-6:.9g}"]
    own += [f"structures.{target}.min_margin_mm>={margin_mm:g}"] if margin_mm > 0 else []
    return ask(case, QuestionTexts([key, *more.vary], [*own, *more.goals], minimise=key.partition("=")[0]))


def to_join(case: Case, key: str, margin_mm: float, more: QuestionTexts = NOTHING_MORE) -> SearchQuestion:
    """Return the question for the largest spacing of the applicators that gives one continuous lesion.

    Args:
        case: the case.
        key: `applicators.spacing_mm`, with or without =LOW:HIGH.
        margin_mm: required depth of the line between the tips inside the lesion, half the width of its neck [mm].
        more: additional keys to vary, and goals.

    Raises:
        CaseError: the case has fewer than two applicators.
    """
    if len(case.applicators) < 2:
        raise CaseError([Fault("find", "fewer than two applicators", "a case with two or more applicators")], "find")
    rule = case.lesion.verdict_rule or case.lesion.rules[0]
    joined = f"lesion.{rule}." + (f"bridge_margin_mm>={margin_mm:g}" if margin_mm else "bridge_level>=0")
    return ask(case, QuestionTexts([key, *more.vary], [joined, *more.goals], maximise=SPACING))


def _goal(text: str, faults: list[Fault]) -> Goal | None:
    match = _GOAL.fullmatch(text)
    if match is None:
        faults.append(Fault("--goal", f"found {text!r}", "COLUMN<=NUMBER or COLUMN>=NUMBER"))
        return None
    return Goal(match[1], match[2], float(match[3]))


def _vary(case: Case, text: str, faults: list[Fault]) -> VariedKey | None:
    key, _, span = text.partition("=")
    if span:
        ends = span.split(":")
        try:
            low, high = (float(end) for end in ends)
        except ValueError:
            low, high = math.nan, math.nan
        if not low < high:
            faults.append(Fault("--vary", f"found {text!r}", "KEY=LOW:HIGH with LOW below HIGH"))
            return None
        return VariedKey(key, low, high, given=True)
    value = _value_at(case, key) if key != SPACING else spacing_of([a.tip for a in case.applicators]) * 1e3
    if not isinstance(value, int | float) or isinstance(value, bool) or value == 0:
        unknown = [
            f for f in _key_faults(case, [Change("--vary", ((f"{key}=1",),))]) if not f.found.startswith("found")
        ]
        no_range = Fault("--vary", f"{key} has no nonzero number in the case", "KEY=LOW:HIGH")
        faults += unknown or [no_range]
        return None
    return VariedKey(key, min(0.5 * value, 2.0 * value), max(0.5 * value, 2.0 * value), given=False)


def _value_at(case: Case, key: str) -> Any:
    """Return the value of a key in the case; None where it has none."""
    found: Any = case.model_dump(by_alias=True)
    for part in key.split("."):
        if isinstance(found, list | tuple):
            named = [item for item in found if isinstance(item, dict) and item.get("name") == part]
            found = named[0] if named else found[int(part)] if part.isdigit() and int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found


@dataclass(frozen=True)
class CommonQuestion:
    """Common questions; at most one of the first three is set."""

    shortest_hold: str | None = None
    """Target for the smallest generator.hold_s that covers it."""
    least_temperature: str | None = None
    """Target for the lowest generator.target_degC that covers it."""
    largest_spacing: bool = False
    margin_mm: float = 0.0
    """Required depth inside the lesion of the target, or of the line between the tips [mm]."""


def question_of(case: Case, texts: QuestionTexts, shorthand: CommonQuestion) -> SearchQuestion:
    """Return the question, from a shorthand or from keys, goals and a column as in `ask`.

    Raises:
        CaseError: a key, column or target is wrong.
    """
    shorthands = {
        "generator.hold_s": shorthand.shortest_hold,
        "generator.target_degC": shorthand.least_temperature,
        SPACING: shorthand.largest_spacing,
    }
    key = next((key for key, wanted in shorthands.items() if wanted), None)
    if key is None:
        return ask(case, texts)
    ranged = next((text for text in texts.vary if text.partition("=")[0] == key), key)
    more = QuestionTexts([text for text in texts.vary if text != ranged], texts.goals)
    if key == SPACING:
        return to_join(case, ranged, shorthand.margin_mm, more)
    return to_cover(case, ranged, str(shorthands[key]), shorthand.margin_mm, more)
