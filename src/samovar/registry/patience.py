"""How long a registry is waited for, and how often it is asked again."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from samovar.errors import Interrupted, RegistryFailure
from samovar.registry.problems import redacted

if TYPE_CHECKING:
    import threading

    from samovar.registry.options import Options


class Backoff:
    """Pauses between attempts, each twice as long as the one before.

    Parameters
    ----------
    options : Options
        How many, how long.
    stop : threading.Event
        Ends a pause early.
    """

    def __init__(self, options: Options, stop: threading.Event) -> None:
        self._options = options
        self._stop = stop
        self._failures = 0

    def progressed(self) -> None:
        """Start counting again: something arrived."""
        self._failures = 0

    def pause_after(self, failure: RegistryFailure) -> None:
        """Wait before the next attempt.

        Raises
        ------
        RegistryFailure
            The failure itself, where another attempt is not worth it.
        """
        self._failures += 1
        asked = failure.retry_after_s
        if not failure.may_retry or self._failures >= self._options.attempts:
            raise failure
        if asked is not None and asked > self._options.longest_wait_s:
            raise failure
        pause_s = self._options.backoff_s * 2.0 ** (self._failures - 1)
        pause_s *= random.uniform(0.5, 1.0)  # noqa: S311  # only spreads the load
        if self._stop.wait(max(pause_s, asked or 0.0)):
            raise Interrupted("The transfer was ended.") from failure


class Stalled:
    """Notices a download that trickles.

    Parameters
    ----------
    options : Options
        What counts as stalled.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._begun_s, self._bytes = time.monotonic(), 0

    def saw(self, size_bytes: int) -> bool:
        """Count bytes, and say whether too few came for too long."""
        self._bytes += size_bytes
        elapsed_s = time.monotonic() - self._begun_s
        if elapsed_s < self._options.timeout_s:
            return False
        too_slow = self._bytes < self._options.slowest_bytes_s * elapsed_s
        self._begun_s, self._bytes = time.monotonic(), 0
        return too_slow

    def failure(self, method: str, url: str) -> RegistryFailure:
        """Make the error of it."""
        return RegistryFailure(
            f"The registry {urlsplit(url).netloc} sends too slowly.",
            why=f"{method} {redacted(url)} gave less than {self._options.slowest_bytes_s} bytes a "
            f"second for {self._options.timeout_s:.0f} s. Trying again may help.",
            code="registry_slow",
            may_retry=True,
        )
