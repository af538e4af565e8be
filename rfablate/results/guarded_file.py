"""A file that HDF5 writes to, and that never tells HDF5 of a full disk: HDF5 crashes on a write that fails.

The first fault is kept for `check` to raise; from then on writes are dropped, so that HDF5 closes in peace.
"""

from __future__ import annotations

import os
from pathlib import Path


class GuardedFile:
    """What h5py takes for a file object. Root only."""

    def __init__(self, path: Path) -> None:
        """Make the file anew; raises OSError where that is refused."""
        self.path = path
        self.fault: OSError | None = None
        self._number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._at = self._size = 0

    def check(self) -> None:
        """Raise OSError where a write has failed."""
        if self.fault is not None:
            raise self.fault

    def write(self, data: memoryview) -> int:
        """Write all of the data at the present place."""
        view, done = memoryview(data).cast("B"), 0
        while self.fault is None and done < len(view):
            try:
                done += os.pwrite(self._number, view[done:], self._at + done)
            except OSError as error:
                self.fault = OSError(error.errno, error.strerror, str(self.path))
        self._at += len(view)
        self._size = max(self._size, self._at)
        return len(view)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer from the present place; what was dropped reads as zeros."""
        view = memoryview(buffer).cast("B")
        found = os.pread(self._number, len(view), self._at)
        view[: len(found)] = found
        view[len(found) :] = bytes(len(view) - len(found))
        self._at += len(view)
        return len(view)

    def read(self, size: int) -> bytes:
        """Return so many bytes from the present place."""
        buffer = bytearray(size)
        self.readinto(memoryview(buffer))
        return bytes(buffer)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place, and return it."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the present place."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """Make the file so long."""
        self._size = self._at if size is None else size
        if self.fault is None:
            try:
                os.ftruncate(self._number, self._size)
            except OSError as error:
                self.fault = OSError(error.errno, error.strerror, str(self.path))
        return self._size

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Close the file; does nothing the second time."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1
