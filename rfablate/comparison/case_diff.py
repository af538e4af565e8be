"""The keys in which two resolved cases differ, in the notation of `--set`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rfablate.case.messages.schema_guide import show

ABSENT = object()
"""Marks a key that a case does not have."""
Difference = tuple[str, Any, Any]
"""Key, value in A, value in B."""


def case_difference(a: Any, b: Any, path: str = "") -> Iterator[Difference]:
    """Yield each key whose values differ, with both values. For a table that only one case has, yield all its keys.

    An empty list counts as an absent key. List items are matched by name where all of them have one, else by index
    from 0. Where the common named items have a different order, the list is yielded with the names in both orders.
    """
    if isinstance(a, Mapping) and b is ABSENT:
        b = {}
    elif isinstance(b, Mapping) and a is ABSENT:
        a = {}
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from case_difference(a.get(key, ABSENT), b.get(key, ABSENT), _below(path, key))
    elif _is_list(a) and _is_list(b) and (named := _by_name(a, b)) is not None:
        yield from case_difference(*named, path)
        first, second = ([name for name in items if name in other] for items, other in (named, named[::-1]))
        if first != second:
            yield path, first, second
    elif _is_list(a) and _is_list(b) and len(a) == len(b) and (_has_tables(a) or (a != b and show(a) == show(b))):
        for number, (first, second) in enumerate(zip(a, b, strict=True)):
            yield from case_difference(first, second, _below(path, str(number)))
    elif a != b and not (_is_empty(a) and _is_empty(b)):
        yield path, a, b


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value == []


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _has_tables(items: Sequence[Any]) -> bool:
    return any(isinstance(each, Mapping) for each in items)


def _by_name(a: Sequence[Any], b: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return both lists as tables keyed by item name; None where an item has no name or two items have the same."""
    found = []
    for items in (a, b):
        names = [each.get("name") if isinstance(each, Mapping) else None for each in items]
        if None in names or len(set(names)) < len(names):
            return None
        found.append({str(name): each for name, each in zip(names, items, strict=True)})
    return (found[0], found[1]) if a or b else None
