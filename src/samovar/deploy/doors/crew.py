"""The processes behind one door: which is open, which is coming, which are leaving."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from samovar.deploy.doors.door import shut_door

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Sequence

    from samovar.deploy.doors.servers import Server

_DRAINED_WITHIN_S: Final = 45.0
_POLL_S: Final = 0.05


class Member(Protocol):
    """Whatever of a crew has to be ended with it."""

    def is_gone(self) -> bool:
        """Say whether nothing of it runs any longer."""

    def stop(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


@dataclass(kw_only=True)
class Crew:
    """The servers behind one door.

    Parameters
    ----------
    door : socket, optional
        What clients connect to.
    """

    door: socket.socket | None = None
    current: Server | None = None
    coming: Server | None = None
    leaving: list[Server] = field(default_factory=list)
    is_open: bool = False

    @property
    def open_server(self) -> Server | None:
        """The server that clients reach, if one runs."""
        return self.current if self.is_open else None

    def put_in_front(self, server: Server) -> None:
        """Open the door to a server; then the one before it retires, and finishes what it has."""
        server.open()
        before, self.current, self.coming = self.current, server, None
        was_open, self.is_open = self.is_open, True
        if before is not None:
            if was_open:
                before.retire()
            else:
                before.stop()
            self.leaving.append(before)

    def turn_away(self) -> None:
        """Where the open server died and no other is started: let clients be refused, not wait."""
        server = self.open_server
        if server is not None and self.door is not None and server.has_ended():
            self.is_open = False
            shut_door(self.door)

    def let_go(self) -> None:
        """Forget those that left."""
        self.leaving = [server for server in self.leaving if not server.is_gone()]

    def members(self) -> list[Member]:
        """Give all that runs."""
        started = (self.current, self.coming, *self.leaving)
        return [server for server in started if server is not None]

    def end(self) -> None:
        """End all, each with what it has in flight; kill what takes too long."""
        end_crews([self])

    def forget(self) -> None:
        """Have nobody any longer."""
        self.current = self.coming = None
        self.leaving, self.is_open = [], False


def end_crews(crews: Sequence[Crew], beside: Iterable[Member] = ()) -> None:
    """End some crews together, and what runs beside them."""
    for crew in crews:
        if crew.door is not None:
            crew.door.close()
    running = [*(member for crew in crews for member in crew.members()), *beside]
    for member in running:
        member.stop()
    deadline = time.monotonic() + _DRAINED_WITHIN_S
    try:
        while running and time.monotonic() < deadline:
            running = [member for member in running if not member.is_gone()]
            if running:
                time.sleep(_POLL_S)
    finally:
        # Reached early where a second SIGINT lets nobody wait.
        for member in running:
            member.kill()
        for crew in crews:
            crew.forget()
