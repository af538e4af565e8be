"""Suggestions for unknown keys and invalid values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rfablate.case.messages.schema_guide import show, split_unit

_FOREIGN_SUFFIX = re.compile(
    r"_(um|cm|dm|m|in|inch|C|K|F|ms|min|minutes|h|sec|seconds|kW|mW|kV|mV|mA|celsius|kelvin|rad|degrees)$"
)
_FACTORS: dict[tuple[str, str], tuple[float, float]] = {
    ("mm", "um"): (1e-3, 0.0),
    ("mm", "cm"): (10.0, 0.0),
    ("mm", "m"): (1e3, 0.0),
    ("degC", "K"): (1.0, -273.15),
    ("degC", "kelvin"): (1.0, -273.15),
    ("degC", "C"): (1.0, 0.0),
    ("degC", "celsius"): (1.0, 0.0),
    ("degC", "°C"): (1.0, 0.0),
    ("degC", "F"): (5 / 9, -160 / 9),
    ("s", "ms"): (1e-3, 0.0),
    ("s", "sec"): (1.0, 0.0),
    ("s", "seconds"): (1.0, 0.0),
    ("s", "min"): (60.0, 0.0),
    ("s", "minutes"): (60.0, 0.0),
    ("s", "h"): (3600.0, 0.0),
    ("W", "mW"): (1e-3, 0.0),
    ("W", "kW"): (1e3, 0.0),
    ("V", "mV"): (1e-3, 0.0),
    ("V", "kV"): (1e3, 0.0),
    ("A", "mA"): (1e-3, 0.0),
}
"""Value in the first unit = factor x value in the second unit + offset."""
_TWINS = {"radius": ("diameter", 2.0, "twice the radius"), "diameter": ("radius", 0.5, "half the diameter")}
SURE = 0.8
"""Smallest similarity ratio at which one word counts as a misspelling of another."""
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z°]*)\s*")


def closest(word: str, words: Iterable[str]) -> str:
    """Return the element of `words` most similar to `word`; '' if none is similar."""
    by_lower = {each.lower(): each for each in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    if not near and len(word) > 3:
        near = [each for each in by_lower if word.lower() in each][:1]
    return by_lower[near[0]] if near else ""


def is_certain_misspelling(word: str, meant: str) -> bool:
    """Return whether `word` is a misspelling of `meant` beyond doubt: very similar and in the same unit."""
    same_unit = split_unit(word)[1] == split_unit(meant)[1]
    return same_unit and difflib.SequenceMatcher(None, word.lower(), meant).ratio() >= SURE


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return 'did you mean "x"?' for the most similar of `words`; '' if none is similar."""
    near = closest(word, words)
    return f'did you mean "{near}"?' if near else ""


def near_path(path: Path, fits: Callable[[Path], bool]) -> str:
    """Return 'did you mean x?' for the existing path most similar to `path` for which `fits` holds; '' if none."""
    found = Path(path.anchor)
    parts = path.relative_to(found).parts
    for number, part in enumerate(parts, start=1):
        last = number == len(parts)
        there = [each for each in found.glob("*") if (fits(each) if last else each.is_dir())]
        near = part if part in ("..", *(each.name for each in there)) else closest(part, [each.name for each in there])
        if not near:
            return ""
        found /= near
    return f"did you mean {found}?" if fits(found) else ""


def for_unknown_key(key: str, value: Any, known: Iterable[str], homes: Iterable[str] = ()) -> tuple[str, str]:
    """Return the key that an unknown `key` probably means ('' if there is none), and the suggestion.

    In this order: the key with its unit, radius for diameter or the reverse, a similar name, the key's own table.
    """
    candidates = tuple(known)
    if key.startswith("perfusion") and "perfusion_per_s" in candidates:
        units = "perfusion_per_s, _mL_per_min_per_kg, _mL_per_min_per_100g or _kg_per_m3_s"
        return "perfusion_per_s", f"one of the keys: {units}"
    stem, unit = _stem(key)
    stems = {split_unit(candidate)[0]: candidate for candidate in candidates}
    if stem in stems:
        meant = stems[stem]
        return meant, _instead(meant, _converted(value, split_unit(meant)[1], unit))
    for word, (twin, factor, relation) in _TWINS.items():
        if word in stem and (meant := stems.get(stem.replace(word, twin), "")):
            number = _converted(value, split_unit(meant)[1], unit)
            return meant, f"{_instead(meant, None if number is None else number * factor)} ({relation})"
    # For a key with a unit, consider only candidates with one.
    near = [each for each, candidate in stems.items() if not unit or each != candidate]
    meant = closest(key, candidates) or stems.get(closest(stem, near), "")
    if meant:
        return meant, _instead(meant, None)
    places = tuple(homes)
    return "", f"{key} belongs in {' or '.join(places)}" if places else ""


def for_text_number(key: str, text: str) -> str:
    """Return the suggestion for a number given as text: the number in the key's unit; '' if it is not a number."""
    match = _QUANTITY.fullmatch(text)
    if not match:
        return ""
    number = _converted(float(match.group(1)), split_unit(key)[1], match.group(2))
    return "" if number is None else f"{key} = {show(number)}"


def _stem(key: str) -> tuple[str, str]:
    """Return the key without its unit suffix, and that unit, which may be one that no case key uses."""
    stem, unit = split_unit(key)
    if unit:
        return stem, unit
    match = _FOREIGN_SUFFIX.search(key)
    return (key[: match.start()], match.group(1)) if match else (key, "")


def _converted(value: Any, to: str, unit: str) -> float | None:
    """Return a number converted to unit `to` (unchanged if no unit was written); None for an unknown unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if unit in ("", to):
        return float(value)
    factor, offset = _FACTORS.get((to, unit), (None, 0.0))
    return None if factor is None else float(f"{factor * value + offset:.12g}")


def _instead(key: str, number: float | None) -> str:
    return f"did you mean {key}?" if number is None else f"did you mean {key} = {show(number)}?"
