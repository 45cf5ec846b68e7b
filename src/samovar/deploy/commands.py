"""samovar's own commands, each in a process of its own.

What is pulled is a stranger's: it is unpacked, judged and loaded in processes whose crash, hunger
or endless loop is theirs, while the agent keeps serving.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PROGRAM: Final = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "from samovar.cli.main import main; main()"
)
_END_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that came to its end.

    Parameters
    ----------
    code : int
        Its exit code; negative where a signal ended it.
    document : dict
        The JSON that it printed; empty where it printed none.
    """

    code: int
    document: dict[str, Any]

    @property
    def error_code(self) -> str:
        """The stable name of what went wrong; empty where nothing did."""
        error = self.document.get("error")
        return str(error.get("code", "")) if isinstance(error, dict) else ""

    @property
    def words(self) -> str:
        """What went wrong, in one line."""
        error = self.document.get("error")
        if isinstance(error, dict):
            return " ".join(str(error.get("message", "")).split())
        verdict = self.document.get("verdict")
        if verdict is not None:
            changed = len(self.document.get("differences", ()))
            return f"the receipt was replayed: {verdict}, {changed} rows differ"
        ended = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        return f"the command ended with {ended} and said nothing"


def start(
    *arguments: str,
    stdout: int | IO[bytes],
    keep: tuple[int, ...] = (),
    first: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command of samovar in a session of its own.

    Parameters
    ----------
    *arguments : str
        After ``samovar``; ``--json`` is added.
    stdout : int or file
        Where its answer goes.
    keep : tuple of int
        Descriptors that it inherits.
    first : callable, optional
        Called in the process before the command is.
    """
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments, "--json"],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        start_new_session=True,
        pass_fds=keep,
        preexec_fn=first,  # noqa: PLW1509 - writes one number
    )


def answer_of(code: int, output: bytes) -> Finished:
    """Read what a command printed."""
    with suppress(ValueError):
        document = json.loads(output)
        if isinstance(document, dict):
            return Finished(code=code, document=document)
    return Finished(code=code, document={})


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """End a command that is at work, and all that it started."""
    for how in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
            return
