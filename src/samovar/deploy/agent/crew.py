"""The agent's servers: started again where they die, and those that a killed agent left retired."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from samovar.deploy.doors.crew import Crew

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from samovar.core.digest import Digest
    from samovar.deploy.agent.orphans import Orphan
    from samovar.deploy.agent.records import Journal
    from samovar.deploy.doors.crew import Member
    from samovar.deploy.doors.servers import Server

    Start = Callable[[Digest, socket.socket], Server]

_LONGEST_PAUSE_S: Final = 30.0
_STEADY_S: Final = 60.0


@dataclass(kw_only=True)
class AgentCrew(Crew):
    """All servers of an agent.

    Parameters
    ----------
    journal : Journal
        Is told of deaths and restarts.
    """

    journal: Journal
    orphans: list[Orphan] = field(default_factory=list)
    restarts: int = 0
    _deaths: int = 0
    _since: float = 0.0
    _restart_at: float | None = None

    def put_in_front(self, server: Server) -> None:
        """As ``Crew``; what a killed agent left retires too."""
        super().put_in_front(server)
        self._deaths, self._since, self._restart_at = 0, time.monotonic(), None
        for orphan in self.orphans:
            orphan.retire()

    def members(self) -> list[Member]:
        """As ``Crew``, and what a killed agent left."""
        return [*super().members(), *self.orphans]

    def look_after(self, start: Start) -> None:
        """Start the current server again where it died, and let go of those that left."""
        self.let_go()
        self.orphans = [orphan for orphan in self.orphans if not orphan.is_gone()]
        server = self.current
        if server is None or self.door is None:
            return
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self._restart(start, server, self.door)
        elif server.has_ended():
            self._plan_restart(server)
        elif not self.is_open and server.is_ready():
            server.open()
            self.is_open, self._since = True, time.monotonic()
            self.journal.say("restarted", "It serves again.", pid=server.pid)

    def forget(self) -> None:
        """As ``Crew``."""
        super().forget()
        self.orphans = []

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
        steady = self.is_open and time.monotonic() - self._since > _STEADY_S
        self._deaths = 1 if steady else self._deaths + 1
        pause_s = 0.25 * 2.0 ** min(self._deaths - 1, 10) if self._deaths > 1 else 0.0
        self._restart_at = time.monotonic() + min(_LONGEST_PAUSE_S, pause_s)

    def _plan_restart(self, server: Server) -> None:
        self._pause()
        self.is_open = False
        self.journal.say(
            "died",
            f"The server ended ({server.last_words().words}); it is started again.",
            pid=server.pid,
        )
