"""Asking a registry what a reference points to: often, cheaply, and patiently where it is away."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import SamovarError
from samovar.registry.options import Options
from samovar.registry.remote import opened

if TYPE_CHECKING:
    from samovar.core.digest import Digest
    from samovar.core.reference import Reference

_TIMEOUT_S: Final = 10.0
_LONGEST_PAUSE_S: Final = 300.0
_SLOWEST: Final = 8
"""A registry that is away is asked no more seldom than once in so many intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one question brought.

    Parameters
    ----------
    digest : Digest or None
        What the reference points to.
    problem : str or None
        Why that is not known.
    failures : int
        How often in a row it was not known.
    """

    digest: Digest | None = None
    problem: str | None = None
    failures: int = 0


class Watcher(threading.Thread):
    """Looks again and again, in a thread, so that a silent registry keeps nobody waiting.

    Parameters
    ----------
    reference : Reference
        With a tag.
    interval_s : float
        Longest time between two looks, in seconds, while the registry answers.
    plain_http : bool
        See ``registry.options``.
    """

    def __init__(self, reference: Reference, *, interval_s: float, plain_http: bool) -> None:
        super().__init__(name="watcher", daemon=True)
        self.latest: Look | None = None
        self._reference = reference
        self._interval_s = interval_s
        self._options = Options(plain_http=plain_http, timeout_s=_TIMEOUT_S, attempts=1)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look until the program ends."""
        failures = 0
        while not self._stopping.is_set():
            try:
                digest = self._look()
                problem = None if digest else f"The registry has no {self._reference}."
                failures = 0
            except (SamovarError, OSError) as error:
                digest, problem = None, str(error)
                failures += 1
            self.latest = Look(digest=digest, problem=problem, failures=failures)
            self._stopping.wait(pause_s(self._interval_s, failures, random.random()))  # noqa: S311 - only spreads the load

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def _look(self) -> Digest | None:
        if self._reference.digest is not None:
            return self._reference.digest
        with opened(self._reference, self._options) as remote:
            return remote.find(str(self._reference.tag))


def pause_s(interval_s: float, failures: int, chance: float) -> float:
    """Give the seconds until the next look.

    Jitter only shortens: a new tag is seen within the interval, and a thousand hosts that were
    started together do not stay together.

    Parameters
    ----------
    interval_s : float
        As asked for.
    failures : int
        In a row.
    chance : float
        In [0, 1).

    Examples
    --------
    >>> pause_s(10, 0, 0.0), pause_s(10, 1, 0.0), pause_s(10, 30, 0.0)
    (10.0, 20.0, 80.0)
    >>> pause_s(3600, 5, 0.5)
    3150.0
    """
    longest = max(interval_s, min(_LONGEST_PAUSE_S, _SLOWEST * interval_s))
    pause = min(longest, interval_s * 2.0 ** min(failures, 10))
    return float(pause * (1.0 - 0.25 * chance))
