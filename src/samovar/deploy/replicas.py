"""Replicas of one bundle as processes of this machine; as containers: ``deploy/containers.py``.

Each kind starts, says where it answers, and is removed whole. What balances between them is NGINX
(``deploy/balance.py``).
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.deploy.doors.servers import start_noted
from samovar.deploy.fallback import Fallback
from samovar.deploy.limits import ControlGroup
from samovar.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.serve import Server
    from samovar.core.digest import Digest
    from samovar.deploy.doors.servers import Server as DoorServer
    from samovar.deploy.limits import Limits
    from samovar.deploy.running import RunFolder

READY_S: Final = 180.0
_POLL_S: Final = 0.1
_TAIL: Final = 1000


class Replica(Protocol):
    """One replica that answers."""

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""

    def state(self) -> dict[str, Any]:
        """Give what the run's state says of it."""


@dataclass(kw_only=True)
class ProcessReplica:
    """A server as a process of this machine.

    Parameters
    ----------
    server : Server
        The server.
    number : int
        Which of all that its run ever started.
    group : ControlGroup
        Its limits.
    limits : Limits
        What was asked for.
    log : Path
        Where its stderr goes.
    by : dict of str to str
        What keeps which limit: ``cgroup``, ``rlimit``, ``affinity``.
    """

    server: DoorServer
    number: int
    group: ControlGroup
    limits: Limits
    log: Path
    by: dict[str, str]

    def ended(self) -> str | None:
        """Say how it ended; None while it runs."""
        if not self.server.has_ended():
            return None
        code = self.server.process.returncode
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def failure(self) -> Unavailable:
        """Say why it ended before it was ready, in its own words."""
        said = self.server.last_words().words
        words = self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL:].strip()
        return Unavailable(
            f"A replica ended with {self.ended()} before it was ready.",
            why=words or said,
            hint="Give it more memory, or see 'samovar serve' for the same bundle.",
            code="replica_failed",
        )

    def await_ready(self, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Wait until it answers at its own URL; False where nobody wants it any longer.

        Raises
        ------
        Unavailable
            Where it ends before.
        """
        while not self.server.is_ready():
            if self.ended() is not None:
                raise self.failure()
            if not is_wanted():
                return False
            time.sleep(_POLL_S)
        return True

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints; ``not_enforced`` names what the system refused."""
        asked = {"cpus": self.limits.cpus, "memory": self.limits.memory_bytes}
        wanted = [name for name, value in asked.items() if value is not None]
        missing = [name for name in wanted if name not in self.by]
        limits = {**self.limits.to_json(), "not_enforced": missing, "by": self.by}
        return {"id": str(self.server.pid), "limits": limits}

    def state(self) -> dict[str, Any]:
        """Give what the run's state says of it."""
        return {**self.to_json(), "number": self.number, "private": self.server.url}

    def is_gone(self) -> bool:
        """Say whether nothing of it is left, and tidy up where it has ended."""
        if not self.server.is_gone():
            return False
        self.group.remove()
        return True

    def stop(self) -> None:
        """Ask it to end."""
        self.server.stop()

    def kill(self) -> None:
        """End it at once."""
        self.server.kill()
        self.group.remove()


def start_process(
    prepared: Server,
    source: Digest,
    folder: RunFolder,
    number: int,
    limits: Limits,
    *,
    door: int | None,
    nice: int = 0,
) -> ProcessReplica:
    """Start a prepared server within its limits; it is ready when it says so.

    Parameters
    ----------
    prepared : Server
        Prints its ready line as JSON.
    source : Digest
        Of its bundle.
    folder : RunFolder
        Of the run; the server's words and its lock are there.
    number : int
        Of the replica, in its run.
    limits : Limits
        What it may use.
    door : int, optional
        Descriptor that it inherits.
    nice : int
        By how much it stands back where processors are short.
    """
    group = ControlGroup(f"{folder.id}-{number}", limits)
    fallback = Fallback.of(limits, group.make(), number)
    log = folder.log(number)

    def launch(lock: int | None, sign: Callable[[], None]) -> subprocess.Popen[bytes]:
        def first() -> None:
            sign()
            group.enter()
            fallback.enter()
            os.nice(nice)

        with log.open("ab") as words:
            return subprocess.Popen(
                prepared.arguments,
                env=prepared.variables,
                cwd=prepared.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                start_new_session=True,
                pass_fds=[one for one in (door, lock) if one is not None],
                preexec_fn=first if os.name == "posix" else None,  # noqa: PLW1509 - a few system calls
            )

    server = start_noted(source, folder.lock(f"replica-{number}"), launch)
    by = dict.fromkeys(group.enforced if group.holds(server.pid) else (), "cgroup")
    return ProcessReplica(
        server=server,
        number=number,
        group=group,
        limits=limits,
        log=log,
        by={**fallback.kept, **by},
    )
