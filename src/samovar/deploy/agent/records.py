"""What an agent knows after it was killed, and what it tells: files of its own folder.

``state.json`` is what it converges from, ``status.json`` what others read, ``events.jsonl`` a JSON
line for each thing that happened, ``servers/`` a locked file for each server that may still run.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from samovar.core.digest import Digest
from samovar.errors import InvalidReference, Unavailable
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STATE: Final = "state.json"
STATUS: Final = "status.json"
EVENTS: Final = "events.jsonl"
_MAX_EVENTS_BYTES: Final = 4 * 1024 * 1024
_KEPT_REFUSALS: Final = 100


@dataclass(kw_only=True)
class State:
    """What must be known to go on.

    Parameters
    ----------
    serving : Digest or None
        What the reference pointed to when the bundle that is served was proven.
    port : int
        That the door had; 0 where none was opened yet.
    refused : dict of str to str
        Why a digest is never tried again.
    """

    serving: Digest | None = None
    port: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, reference: str) -> State:
        """Read the state of an agent of this reference; what is damaged, or another's, is empty."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, InvalidReference):
            document: Any = json.loads((folder / STATE).read_text(encoding="utf-8"))
            port = int(document["port"])
            if document["reference"] != reference:
                return cls(port=port)
            serving = document["serving"]
            return cls(
                serving=None if serving is None else Digest.parse(serving),
                port=port,
                refused={str(name): str(why) for name, why in document["refused"].items()},
            )
        return cls()

    def write(self, folder: Path, reference: str) -> None:
        """Replace the state on disk, at once and wholly."""
        kept = dict(list(self.refused.items())[-_KEPT_REFUSALS:])
        document = {
            "reference": reference,
            "serving": None if self.serving is None else str(self.serving),
            "port": self.port,
            "refused": kept,
        }
        write_file(folder / STATE, (json.dumps(document, indent=1) + "\n").encode())


class Journal:
    """Tells what happens: to people, and as JSON lines.

    Parameters
    ----------
    folder : Path
        The agent's.
    tell : callable
        Takes a sentence for people.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        self._path = folder / EVENTS
        self._tell = tell

    def say(self, event: str, sentence: str, **facts: Any) -> None:
        """Tell that something happened.

        Parameters
        ----------
        event : str
            Its stable name.
        sentence : str
            For people.
        **facts
            For programs.
        """
        self._tell(sentence)
        line = json.dumps({"time": now(), "event": event, "message": sentence, **facts})
        # A full disk must not end what serves: the sentence was told.
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size > _MAX_EVENTS_BYTES:
                self._path.replace(self._path.with_suffix(".1.jsonl"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


def now() -> str:
    """Give the time as RFC 3339 has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep the folder for this agent; the system lets go of it when the process dies.

    Raises
    ------
    Unavailable
        Where another agent has it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Unavailable(
            f"Another agent works in {folder}.",
            hint="End it first, or give this one a folder of its own with --state.",
            code="agent_runs",
        ) from None
    try:
        yield
    finally:
        os.close(handle)
