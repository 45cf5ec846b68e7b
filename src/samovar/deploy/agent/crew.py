"""The processes behind the door: which is open, which is coming, which are leaving."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from samovar.core.digest import Digest
    from samovar.deploy.agent.records import Journal
    from samovar.deploy.agent.servers import Orphan, Server

    Start = Callable[[Digest, socket.socket], Server]

_DRAINED_WITHIN_S: Final = 45.0
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0
_POLL_S: Final = 0.05


@dataclass(kw_only=True)
class Crew:
    """All servers of an agent.

    Parameters
    ----------
    journal : Journal
        Is told of deaths and restarts.
    """

    journal: Journal
    door: socket.socket | None = None
    current: Server | None = None
    coming: Server | None = None
    leaving: list[Server] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    restarts: int = 0
    _is_open: bool = False
    _deaths: int = 0
    _since: float = 0.0
    _restart_at: float | None = None

    @property
    def open_server(self) -> Server | None:
        """The server that clients reach, if one runs."""
        return self.current if self._is_open else None

    def put_in_front(self, server: Server) -> None:
        """Open the door to a server; then those before it retire, and finish what they have."""
        server.open()
        before, self.current, self.coming = self.current, server, None
        was_open, self._is_open = self._is_open, True
        self._deaths, self._since, self._restart_at = 0, time.monotonic(), None
        if before is not None:
            if was_open:
                before.retire()
            else:
                before.stop()
            self.leaving.append(before)
        for orphan in self.orphans:
            orphan.retire()

    def look_after(self, start: Start) -> None:
        """Start the current server again where it died, and let go of those that left."""
        self.leaving = [server for server in self.leaving if not _is_gone(server)]
        self.orphans = [orphan for orphan in self.orphans if not orphan.has_ended()]
        server = self.current
        if server is None or self.door is None:
            return
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self._restart(start, server, self.door)
        elif server.has_ended():
            self._plan_restart(server)
        elif not self._is_open and server.is_ready():
            server.open()
            self._is_open, self._since = True, time.monotonic()
            self.journal.say("restarted", "It serves again.", pid=server.pid)

    def end(self) -> None:
        """End all, each with what it has in flight; kill what takes too long."""
        if self.door is not None:
            self.door.close()
        started = (self.current, self.coming, *self.leaving)
        running: list[Server] = [server for server in started if server is not None]
        for server in running:
            server.stop()
        for orphan in self.orphans:
            orphan.stop()
        deadline = time.monotonic() + _DRAINED_WITHIN_S
        try:
            while (running or self.orphans) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                running = [server for server in running if not _is_gone(server)]
                self.orphans = [orphan for orphan in self.orphans if not orphan.has_ended()]
        finally:
            # Reached early where a second SIGINT lets nobody wait.
            for server in running:
                server.kill()
            for orphan in self.orphans:
                orphan.kill()
        self.current = self.coming = None
        self.leaving, self._is_open = [], False

    def _restart(self, start: Start, server: Server, door: socket.socket) -> None:
        try:
            self.current = start(server.source, door)
        except OSError as error:
            self.journal.say("system", f"No server can be started: {error.strerror}.")
            self._pause()
            return
        self._restart_at = None
        self.restarts += 1

    def _pause(self) -> None:
        """Wait longer each time, unless the last one had run well for a while."""
        steady = self._is_open and time.monotonic() - self._since > _STEADY_S
        self._deaths = 1 if steady else self._deaths + 1
        pause_s = 0.25 * 2.0 ** min(self._deaths - 1, 10) if self._deaths > 1 else 0.0
        self._restart_at = time.monotonic() + min(_LONGEST_PAUSE_S, pause_s)

    def _plan_restart(self, server: Server) -> None:
        self._pause()
        self._is_open = False
        self.journal.say(
            "died",
            f"The server ended ({server.last_words().words}); it is started again.",
            pid=server.pid,
        )


def _is_gone(server: Server) -> bool:
    if not server.has_ended():
        return False
    if server.process.stdout is not None:
        server.process.stdout.close()
    return True
