"""How far a transfer is, for whoever shows it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a transfer is.

    Parameters
    ----------
    blobs, all_blobs : int
        Blobs that are done, and all of them.
    done_bytes, all_bytes : int
        The same in bytes; what need not move counts as done.
    """

    blobs: int
    all_blobs: int
    done_bytes: int
    all_bytes: int


Progress: TypeAlias = Callable[[State], None]


class Tally:
    """Counts what moved; threads share it.

    Parameters
    ----------
    progress : callable, optional
        Told after every change, by one thread at a time.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._blobs = self._all_blobs = self._done = self._all = 0
        self.moved_bytes = 0
        self.skipped_bytes = 0

    def expect(self, *sizes: int) -> None:
        """Count blobs that are to be done."""
        with self._lock:
            self._all_blobs += len(sizes)
            self._all += sum(sizes)
            self._tell()

    def arrived(self, size_bytes: int) -> None:
        """Count bytes that are on the other side; negative where they have to move again."""
        with self._lock:
            self._done += size_bytes
            self._tell()

    def moved(self, size_bytes: int) -> None:
        """Count a whole blob that moved; its bytes were counted as they arrived."""
        with self._lock:
            self._blobs += 1
            self.moved_bytes += size_bytes
            self._tell()

    def skipped(self, size_bytes: int) -> None:
        """Count a whole blob that was there already."""
        with self._lock:
            self._blobs += 1
            self._done += size_bytes
            self.skipped_bytes += size_bytes
            self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(
                State(
                    blobs=self._blobs,
                    all_blobs=self._all_blobs,
                    done_bytes=self._done,
                    all_bytes=self._all,
                )
            )
