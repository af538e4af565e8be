"""Files that are complete or absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
