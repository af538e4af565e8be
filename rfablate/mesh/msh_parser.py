"""Parser of the sections of Gmsh mesh files (MSH 2.2 and 4.1, ASCII and binary). Root only.

Format: Gmsh reference manual, sections "MSH file format" and "MSH file format version 2 (Legacy)".
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rfablate.arrays import FloatArray, IntArray
from rfablate.errors import MeshError

HEADER = b"$MeshFormat"
ELEMENTS = {
    1: (1, 2), 2: (2, 3), 3: (2, 4), 4: (3, 4), 5: (3, 8), 6: (3, 6), 7: (3, 5), 8: (1, 3), 9: (2, 6), 10: (2, 9),
    11: (3, 10), 12: (3, 27), 13: (3, 18), 14: (3, 14), 15: (0, 1), 16: (2, 8), 17: (3, 20), 18: (3, 15), 19: (3, 13),
    21: (2, 10), 23: (2, 15), 26: (1, 4), 27: (1, 5), 28: (1, 6), 29: (3, 20), 30: (3, 35), 31: (3, 56),
}  # fmt: skip
"""Dimension and number of nodes of each Gmsh element type."""


@dataclass
class MshContent:
    """The content of the sections read so far."""

    points: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    node_tags: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    names: dict[tuple[int, str], int] = field(default_factory=dict)
    groups: dict[tuple[int, int], IntArray] = field(default_factory=dict)
    """Physical groups of each (dimension, entity); MSH 4 only."""
    elements: list[tuple[int, int, IntArray]] = field(default_factory=list)
    """(element type, physical group, node tags of each element)."""


class MshParser:
    """Parses the sections of a file; checks that each number is present."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._at, self._name = data, 0, name
        self._binary, self._major = False, 0
        self._content = MshContent()

    def content(self) -> MshContent:
        """Return the content of the whole file."""
        self._read_format()
        section = {
            b"PhysicalNames": self._read_names,
            b"Entities": self._read_entities,
            b"Nodes": self._read_nodes_4 if self._major == 4 else self._read_nodes_2,
            b"Elements": self._read_elements_4 if self._major == 4 else self._read_elements_2,
        }
        while (line := self._next_line()) is not None:
            if not line.startswith(b"$") or not line[1:].isalnum():
                raise self._fault(f"{_shown(line)} found between two sections; expected a section such as $Nodes")
            title = line[1:]
            if title == b"PartitionedEntities":
                raise self._fault(
                    "the mesh is partitioned; write it as a single part (Mesh.PartitionSplitMeshFiles = 0)"
                )
            if title in section:
                section[title]()
                if (line := self._next_line()) != b"$End" + title:
                    raise self._fault(f"{_shown(line)} found; expected $End{title.decode()}")
            else:
                self._skip(title)
        return self._content

    # --- sections -----------------------------------------------------------------------------------------------------

    def _read_format(self) -> None:
        if self._next_line() != HEADER:
            raise MeshError(
                f"{self._name} is not a Gmsh mesh: it does not begin with $MeshFormat. Gmsh scripts are not executed; "
                "write the mesh with `gmsh -3 FILE.geo -o FILE.msh` and use the .msh file"
            )
        words = (self._next_line() or b"").split()
        if len(words) != 3 or words[0] not in (b"2.2", b"4.1") or words[1] not in (b"0", b"1") or words[2] != b"8":
            raise self._fault(
                f"found format {_shown(b' '.join(words))}; expected MSH 2.2 or 4.1 with 8-byte numbers "
                "(`gmsh FILE -save -format msh41` converts)"
            )
        self._major, self._binary = int(words[0][:1]), words[1] == b"1"
        if self._binary and self._take("<i4", 1)[0] != 1:
            raise self._fault("found big-endian binary numbers; write the file on a little-endian machine")
        if self._next_line() != b"$EndMeshFormat":
            raise self._fault("$EndMeshFormat is missing")

    def _read_names(self) -> None:
        for _ in range(self._count()):
            words = (self._next_line() or b"").split(None, 2)
            if len(words) != 3 or not (words[0] + words[1]).isdigit() or words[2][:1] + words[2][-1:] != b'""':
                raise self._fault('found an invalid line of $PhysicalNames; expected: dimension tag "name"')
            self._content.names[int(words[0]), words[2][1:-1].decode("utf-8", "replace")] = int(words[1])

    def _read_entities(self) -> None:
        numbers = self._numbers("Entities", np.float64)
        for dim, count in enumerate(numbers.take("<i8", 4)):
            for _ in range(count):
                tag = int(numbers.take("<i4", 1)[0])
                numbers.take("<f8", 3 if dim == 0 else 6)
                groups = numbers.take("<i4", int(numbers.take("<i8", 1)[0]))
                self._content.groups[dim, tag] = np.abs(groups).astype(np.int64)
                if dim > 0:
                    numbers.take("<i4", int(numbers.take("<i8", 1)[0]))
        numbers.close()

    def _read_nodes_2(self) -> None:
        count = self._count()
        if self._binary:
            table = self._take(np.dtype([("tag", "<i4"), ("x", "<f8", 3)]), count)
            self._content.node_tags, self._content.points = table["tag"].astype(np.int64), table["x"].astype(np.float64)
            return
        numbers = self._numbers("Nodes", np.float64)
        table = numbers.take("<f8", 4 * count).reshape(-1, 4)
        numbers.close()
        self._content.node_tags, self._content.points = table[:, 0].astype(np.int64), table[:, 1:].copy()

    def _read_nodes_4(self) -> None:
        numbers = self._numbers("Nodes", np.float64)
        tags, points = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 3))]
        for _ in range(int(numbers.take("<i8", 4)[0])):
            dim, _, parametric = (int(value) for value in numbers.take("<i4", 3))
            count = int(numbers.take("<i8", 1)[0])
            width = 3 + (dim if parametric else 0)
            tags.append(numbers.take("<i8", count).astype(np.int64))
            points.append(numbers.take("<f8", width * count).reshape(-1, width)[:, :3])
        numbers.close()
        self._content.node_tags, self._content.points = np.concatenate(tags), np.concatenate(points)

    def _read_elements_2(self) -> None:
        count = self._count()
        if self._binary:
            while count > 0:
                kind, block, tags = (int(value) for value in self._take("<i4", 3))
                if block < 1 or block > count or tags < 0:
                    raise self._fault("found a block of $Elements with an invalid length")
                width = 1 + tags + self._nodes_of(kind)
                self._add_2(kind, tags, self._take("<i4", block * width).reshape(-1, width).astype(np.int64))
                count -= block
            return
        for kind, tags, rows in self._runs(self._text("Elements", np.int64).flat, count):
            self._add_2(kind, tags, rows)

    def _runs(self, flat: IntArray, count: int) -> Iterator[tuple[int, int, IntArray]]:
        """Yield (type, number of tags, rows) of each run of elements with rows of equal length."""
        at = 0
        while count > 0:
            if at + 3 > len(flat):
                raise self._fault("$Elements ends prematurely")
            kind, tags = int(flat[at + 1]), int(flat[at + 2])
            if tags < 0:
                raise self._fault("found an element with a negative number of tags")
            width = 3 + tags + self._nodes_of(kind)
            most = min(count, (len(flat) - at) // width)
            rows = flat[at : at + most * width].reshape(most, width)
            other = np.flatnonzero((rows[:, 1] != kind) | (rows[:, 2] != tags))
            rows = rows[: other[0]] if len(other) else rows
            if len(rows) == 0:
                raise self._fault("$Elements ends prematurely")
            yield kind, tags, np.delete(rows, (1, 2), axis=1)
            at, count = at + rows.size, count - len(rows)
        if at != len(flat):
            raise self._fault("$Elements contains more numbers than its elements require")

    def _add_2(self, kind: int, tags: int, rows: IntArray) -> None:
        """Add elements of MSH 2: number, tags (the first is the physical group, 0 for none) and nodes."""
        if tags == 0:
            return
        for group in np.unique(rows[:, 1]):
            if group != 0:
                self._content.elements.append((kind, abs(int(group)), rows[rows[:, 1] == group][:, 1 + tags :]))

    def _read_elements_4(self) -> None:
        numbers = self._numbers("Elements", np.int64)
        for _ in range(int(numbers.take("<i8", 4)[0])):
            dim, entity, kind = (int(value) for value in numbers.take("<i4", 3))
            count = int(numbers.take("<i8", 1)[0])
            width = 1 + self._nodes_of(kind)
            nodes = numbers.take("<i8", count * width).reshape(-1, width)[:, 1:].astype(np.int64)
            for group in self._content.groups.get((dim, entity), ()):
                self._content.elements.append((kind, int(group), nodes))
        numbers.close()

    # --- lines and numbers --------------------------------------------------------------------------------------------

    def _nodes_of(self, kind: int) -> int:
        if kind not in ELEMENTS:
            raise self._fault(f"found elements of Gmsh type {kind}; expected linear simplices")
        return ELEMENTS[kind][1]

    def _next_line(self) -> bytes | None:
        """Return the next non-blank line; None at the end of the file."""
        while self._at < len(self._data):
            end = self._data.find(b"\n", self._at)
            end = len(self._data) if end < 0 else end
            line, self._at = self._data[self._at : end].strip(), end + 1
            if line:
                return line
        return None

    def _count(self) -> int:
        line = self._next_line() or b""
        if not line.isdigit() or len(line) > 12:
            raise self._fault(f"{_shown(line)} found; expected a count")
        return int(line)

    def _skip(self, title: bytes) -> None:
        end = self._data.find(b"$End" + title, self._at)
        if end < 0:
            raise self._fault(f"$End{title.decode()} is missing")
        self._at = end + len(title) + 4

    def _take(self, kind: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
        """Return binary numbers."""
        size = np.dtype(kind).itemsize
        if count < 0 or self._at + count * size > len(self._data):
            raise self._fault("the file ends prematurely")
        found = np.frombuffer(self._data, kind, count, self._at)
        self._at += count * size
        return found

    def _numbers(self, title: str, kind: type[np.float64] | type[np.int64]) -> _Binary | _Text:
        """Return the numbers of a section: binary from the current position, or all of its text."""
        return _Binary(self) if self._binary else self._text(title, kind)

    def _text(self, title: str, kind: type[np.float64] | type[np.int64]) -> _Text:
        """Return the numbers of the rest of an ASCII section."""
        end = self._data.find(b"$End" + title.encode(), self._at)
        if end < 0:
            raise self._fault(f"$End{title} is missing")
        text, self._at = self._data[self._at : end].decode("ascii", "replace"), end
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # NumPy only warns about text that is not a number
                return _Text(np.fromstring(text, kind, sep=" "), self)
        except (ValueError, DeprecationWarning):
            raise self._fault(f"${title} contains text that is not a number") from None

    def _fault(self, found: str) -> MeshError:
        return MeshError(f"{self._name}, byte {min(self._at, len(self._data))}: {found}")


@dataclass
class _Text:
    """Numbers of an ASCII section."""

    flat: npt.NDArray[Any]
    parser: MshParser
    at: int = 0

    def take(self, kind: str, count: int) -> npt.NDArray[Any]:
        """Return the next `count` numbers; integers unless `kind` is a float."""
        if count < 0 or self.at + count > len(self.flat):
            raise self.parser._fault("a section ends prematurely")
        found = self.flat[self.at : self.at + count]
        self.at += count
        return found if "f" in kind else found.astype(np.int64)

    def close(self) -> None:
        """Check that no numbers remain."""
        if self.at != len(self.flat):
            raise self.parser._fault("a section contains more numbers than it declares")


@dataclass
class _Binary:
    """Numbers of a binary section."""

    parser: MshParser

    def take(self, kind: str, count: int) -> npt.NDArray[Any]:
        """Return the next `count` numbers of a kind."""
        return self.parser._take(kind, count)

    def close(self) -> None:
        """Do nothing: the end of the section is read next."""


def _shown(line: bytes | None) -> str:
    """Return a line for a message, truncated."""
    if line is None:
        return "the end of the file"
    return repr(line[:40].decode("ascii", "replace")) + ("..." if len(line) > 40 else "")
