"""How ``samovar switch`` speaks with the ``samovar run`` that it changes: files of its folder.

Whoever orders holds ``order.lock``, which the system releases when the process dies, writes
``order.json`` and reads ``answer.json``. The supervisor looks there as often as after its replicas.
What was begun and not committed when nobody holds the lock any longer is dropped: an order either
happens wholly or leaves no trace.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import Unavailable
from samovar.store import locks
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.deploy.running import RunFolder

_ORDER: Final = "order.json"
_ANSWER: Final = "answer.json"
_HOLDER: Final = "order"
_POLL_S: Final = 0.05
_BUSY_AFTER_S: Final = 1.0

Order = dict[str, Any]


class Desk:
    """Where a supervisor takes orders.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._last: str | None = None
        self._unwritten: bytes | None = None

    def next(self) -> Order | None:
        """Give the order that was not taken yet; none as long as an answer cannot be written."""
        self._write()
        if self._unwritten is not None:
            return None
        order = _read(self._folder.path / _ORDER)
        if order is None or order.get("key") == self._last:
            return None
        self._last = str(order.get("key"))
        return order

    def answer(self, **facts: Any) -> None:
        """Answer the last order, once."""
        self._unwritten = json.dumps({"key": self._last, **facts}).encode()
        self._write()

    def fail(self, error: Unavailable | OSError) -> None:
        """Answer the last order with why it failed; who ordered raises it again."""
        if isinstance(error, OSError):
            error = Unavailable(f"The system refuses: {error.strerror}.", code="system")
        self.answer(
            error={
                "message": error.message,
                "why": error.why,
                "hint": error.hint,
                "code": error.code,
            }
        )

    def _write(self) -> None:
        """Write the answer; a disk that is full must not end what serves, so try again later."""
        if self._unwritten is not None:
            with suppress(OSError):
                write_file(self._folder.path / _ANSWER, self._unwritten, mode=0o600)
                self._unwritten = None

    def is_attended(self) -> bool:
        """Say whether somebody who orders is still there."""
        return self._folder.is_held(_HOLDER)


class Orderer:
    """The other side of the desk; made by :func:`ordering`."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    def order(self, do: str, **facts: Any) -> dict[str, Any]:
        """Have something done, and give the answer.

        Parameters
        ----------
        do : str
            What.
        **facts
            What the supervisor has to know for it; JSON values.

        Raises
        ------
        Unavailable
            In the supervisor's words; or where it ended meanwhile.
        """
        path = self._folder.path
        key = f"{time.time_ns()}"
        order = json.dumps({"key": key, "do": do, **facts})
        try:
            write_file(path / _ORDER, order.encode(), mode=0o600)
            answer = self._wait(key)
        except FileNotFoundError:
            answer = None
        if answer is None:
            raise Unavailable(
                f"The run {self._folder.id} ended meanwhile.",
                hint="'samovar ps' lists what runs.",
                code="run_ended",
            )
        error = answer.get("error")
        if error is not None:
            raise Unavailable(
                error["message"], why=error["why"], hint=error["hint"], code=error["code"]
            )
        return answer

    def _wait(self, key: str) -> dict[str, Any] | None:
        while True:
            answer = _read(self._folder.path / _ANSWER)
            if answer is not None and answer.get("key") == key:
                return answer
            if not self._folder.is_held("supervisor"):
                return None
            time.sleep(_POLL_S)


@contextmanager
def ordering(folder: RunFolder) -> Iterator[Orderer]:
    """Be the one who orders, as long as it takes.

    Raises
    ------
    Unavailable
        Where somebody else is.
    """
    with locks.exclusive(folder.lock(_HOLDER), wait_s=_BUSY_AFTER_S, busy=lambda: _busy(folder)):
        yield Orderer(folder)


def _busy(folder: RunFolder) -> Unavailable:
    return Unavailable(
        f"Another change of the run {folder.id} is under way.",
        hint="Wait until it ends; 'samovar ps' shows what is served.",
        code="switch_runs",
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
