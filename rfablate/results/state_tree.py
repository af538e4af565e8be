"""Conversion of nested dataclasses, lists and numbers to a JSON tree plus arrays, and back by type. Pure.

A new field of a dataclass is included automatically, so that a checkpoint is always complete.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

ARRAY = "array"
"""Key of the table that represents an array in the tree; its value is the name of the array."""

Arrays = dict[str, npt.NDArray[Any]]
Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class Deferred:
    """A part of a value whose type is declared as `Any`: its owner knows the type and puts it together."""

    tree: Any
    arrays: Mapping[str, npt.NDArray[Any]]

    def put_together(self, kind: type[Value]) -> Value:
        """Return the part as a value of type `kind`; raises as `from_tree`."""
        return from_tree(kind, self.tree, self.arrays)

    def like(self, example: Value) -> Value:
        """Return the part as a value of the type of `example`, whose own parts give the types of fields of type `Any`.

        Raises:
            KeyError, TypeError, ValueError: the tree does not match the example.
        """
        return cast(Value, _like(example, self.tree, self.arrays))


def to_tree(value: Any) -> tuple[Any, Arrays]:
    """Return the tree of a value, and its arrays named by their path; an array that occurs twice is stored once.

    Raises:
        TypeError: a part is not a number, text, array, list, mapping or dataclass; the message has its path.
    """
    arrays: Arrays = {}
    return _tree(value, "", arrays), arrays


def from_tree(kind: type[Value], tree: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Value:
    """Return the value of type `kind` from the tree and arrays of `to_tree`.

    Raises:
        KeyError, TypeError, ValueError: the tree does not match the type.
    """
    return cast(Value, _value(kind, tree, arrays))


def _tree(value: Any, path: str, arrays: Arrays) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        name = next((name for name, array in arrays.items() if array is value), path.strip("/"))
        arrays[name] = value
        return {ARRAY: name}
    if dataclasses.is_dataclass(value):
        parts: Any = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    elif isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list | tuple):
        return [_tree(each, f"{path}/{number}", arrays) for number, each in enumerate(value)]
    else:
        raise TypeError(f"{path.strip('/')}: a {type(value).__name__} cannot be stored in a checkpoint")
    return {str(name): _tree(each, f"{path}/{name}", arrays) for name, each in parts}


def _like(example: Any, tree: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if example is None:
        if tree is not None:
            raise TypeError(f"found {tree!r}, expected nothing")
        return None
    if not dataclasses.is_dataclass(example):
        return _value(type(example), tree, arrays)
    hints = get_type_hints(type(example))
    parts = {
        field.name: _like(getattr(example, field.name), tree[field.name], arrays)
        if hints[field.name] is Any
        else _value(hints[field.name], tree[field.name], arrays)
        for field in dataclasses.fields(example)
    }
    return cast(Any, type(example))(**parts)


def _value(kind: Any, tree: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    if kind is Any:
        return Deferred(tree, arrays)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if tree is None else _value(next(k for k in inner if k is not type(None)), tree, arrays)
    if origin is np.ndarray:
        return arrays[tree[ARRAY]]
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        return cast(Any, kind)(**{name: _value(hints[name], tree[name], arrays) for name in names})
    if origin is tuple and inner[-1] is not Ellipsis:
        return tuple(_value(each, part, arrays) for each, part in zip(inner, tree, strict=True))
    if origin in (list, tuple, Sequence):
        return (tuple if origin is tuple else list)(_value(inner[0], part, arrays) for part in tree)
    if origin is not None and issubclass(origin, Mapping):
        return {name: _value(inner[1], part, arrays) for name, part in tree.items()}
    if not isinstance(tree, kind if kind is not float else (float, int)):
        raise TypeError(f"found {tree!r}, expected a {kind.__name__}")
    return kind(tree)
