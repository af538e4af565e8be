"""Users' files: regular files of limited size, and TOML of limited depth. Without limits parsing can take minutes."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Any

from rfablate.toml import tomllib

LARGEST_TEXT, LARGEST_TABLE = 1 << 20, 1 << 28
"""Largest size of a TOML file, and of a CSV file or the text of a mesh [B]."""
DEEPEST = 32
"""Largest number of levels of brackets, and of parts of a dotted key."""
_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|\#[^\n]*|[\[{]|[\]}]|\.|[=,\n]', re.DOTALL
)


def read_user_file(path: str | Path, largest: int = LARGEST_TEXT) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file (a device, a pipe, a folder) or has more than `largest` bytes.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL in the path
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    with os.fdopen(number, "rb") as file:
        found = os.fstat(number)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        data = file.read(largest + 1) if found.st_size <= largest else b""
    size = max(found.st_size, len(data))
    if size > largest:
        raise OSError(errno.EFBIG, f"{size} bytes, more than the limit of {largest}", str(path))
    return data


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises:
        tomllib.TOMLDecodeError: it is not TOML, or is nested deeper than DEEPEST.
    """
    _refuse_deep(text)
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits
        raise tomllib.TOMLDecodeError(f"{error} (at end of document)") from None
    return tables


def _refuse_deep(text: str) -> None:
    """Count brackets and dots outside strings and comments; the parser reports invalid TOML."""
    depth = parts = 0
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth, parts = depth + 1, 0
        elif mark in "]}":
            depth, parts = max(0, depth - 1), 0
        elif mark == ".":
            parts += 1
        elif mark in "=,\n":
            parts = 0
        if depth > DEEPEST or parts > DEEPEST:
            line = text.count("\n", 0, token.start()) + 1
            what = f"more than {DEEPEST} " + ("levels of brackets" if depth > DEEPEST else "parts of a dotted key")
            raise tomllib.TOMLDecodeError(f"{what} (at line {line}, column 1)")
