"""Files that are complete or absent, and hashes that show damage."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TAIL = b"\nsha256 "
"""Marker before the hash at the end of a sealed file."""
BLOCK = 1 << 22
"""Block size of reads [bytes]."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which replaces it at the end of the `with` block.

    If the block raises, the temporary file is removed and `path` is unchanged.
    """
    part = path.with_name(path.name + ".part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 completely or not at all.

    Raises:
        OSError: it cannot be written; an earlier file is unchanged.
    """
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def seal(path: Path) -> None:
    """Append the SHA-256 of its content to a file; HDF5 ignores what follows its data."""
    with path.open("rb") as file:
        digest = _digest(file, path.stat().st_size)
    with path.open("ab") as end:
        end.write(TAIL + digest)


def is_sealed(path: Path) -> bool:
    """Return whether a file ends with the hash of its content, so that HDF5, which damage can crash, may open it.

    Raises:
        OSError: it does not exist, or cannot be read.
    """
    with path.open("rb") as file:  # one open file: another process may replace the path meanwhile
        size = os.fstat(file.fileno()).st_size - len(TAIL) - 64
        digest = _digest(file, size)
        file.seek(max(0, size))
        return size >= 0 and file.read() == TAIL + digest


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _digest(file: BinaryIO, size: int) -> bytes:
    """Return the SHA-256 of the next `size` bytes of an open file, in hexadecimal."""
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, BLOCK))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest().encode()
