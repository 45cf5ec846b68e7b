"""A running service of processes: replicas behind doors, who stands aside, and what comes next.

One thread looks after all of it and never waits long (docs/decisions/0014-switch.md).
"""

from __future__ import annotations

import itertools
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.serve import Server
from samovar.core.digest import Digest
from samovar.deploy.aside import ASIDE, SHADOW, Aside, Served
from samovar.deploy.doors.crew import Crew, end_crews
from samovar.deploy.replicas import READY_S, start_process
from samovar.errors import Unavailable
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from samovar.deploy.limits import Limits
    from samovar.deploy.orders import Desk, Order
    from samovar.deploy.replicas import ProcessReplica
    from samovar.deploy.running import RunFolder

_SHADOW_STANDS_BACK: Final = 10
_GONE_WITHIN_S: Final = 60.0


class ProcessService:
    """What ``samovar run`` keeps as processes of this machine.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    served : Served
        The bundle.
    limits : Limits
        Of each replica.
    doors : sequence of socket or None
        One for each replica; None where the platform has no such sockets, and the replica takes
        its port itself.
    desk : Desk
        Where orders come from.
    on_change : callable
        Called whenever the state of the run is another.
    """

    def __init__(
        self,
        folder: RunFolder,
        served: Served,
        limits: Limits,
        doors: Sequence[socket.socket | None],
        *,
        desk: Desk,
        on_change: Callable[[], None],
    ) -> None:
        self.served = served
        self.switches = 0
        self.replicas: list[ProcessReplica] = []
        self.aside: Aside | None = None
        self._folder = folder
        self._limits = limits
        self._crews = [Crew(door=door) for door in doors]
        self._desk = desk
        self._on_change = on_change
        self._numbers = itertools.count()
        self._coming: list[ProcessReplica] = []
        self._coming_is: Served | None = None
        self._announce_by: float | None = None
        self._leaving: list[tuple[ProcessReplica, float]] = []

    # At the beginning

    def start(self, prepared: Server, *, is_wanted: Callable[[], bool]) -> bool:
        """Start the next replica and wait until it answers clients; False where nobody wants it.

        Raises
        ------
        Unavailable
            Where it ends before it is ready.
        """
        crew = self._crews[len(self.replicas)]
        replica = self._launch(prepared, Digest.parse(self.served.digest), crew.door)
        self._coming = [replica]
        if not replica.await_ready(is_wanted):
            return False
        self._coming = []
        self._put_in_front(crew, replica)
        self.replicas.append(replica)
        return True

    def address_of(self, number: int) -> str:
        """Give ``host:port`` under which a replica is reached."""
        door = self._crews[number].door
        if door is None:
            return str(self.replicas[number].server.url).removeprefix("http://")
        host, port = door.getsockname()[:2]
        return f"{host}:{port}"

    # All along

    def look_after(self) -> None:
        """Take an order, let go of what left, and drop what nobody attends to any longer."""
        for replica, deadline in list(self._leaving):
            if time.monotonic() > deadline:
                replica.kill()
            if replica.is_gone():
                self._leaving.remove((replica, deadline))
                self._on_change()
        for crew in self._crews:
            crew.let_go()
            crew.turn_away()
        if self._coming and not self._desk.is_attended():
            self._drop()
        self._announce()
        self._look_at_aside()
        order = self._desk.next()
        if order is not None:
            self._obey(order)

    def others(self) -> list[dict[str, Any]]:
        """Name the processes beside the replicas."""
        beside = [*self._coming, *(replica for replica, _ in self._leaving)]
        if self.aside is not None:
            beside.append(self.aside.replica)
        return [{"id": str(one.server.pid), "number": one.number} for one in beside]

    def aside_state(self) -> dict[str, Any] | None:
        """Give what the run's state says of who stands aside."""
        return None if self.aside is None else self.aside.to_json()

    def end(self) -> None:
        """End all, each with what it has in flight."""
        beside = [*self._coming, *(replica for replica, _ in self._leaving)]
        if self.aside is not None:
            beside.append(self.aside.replica)
        end_crews(self._crews, beside)
        for replica in (*self.replicas, *beside):
            replica.group.remove()

    # Orders

    def _obey(self, order: Order) -> None:
        try:
            if order["do"] == "start":
                self._begin(order)
                return  # answered when all of it is ready
            if order["do"] == "commit":
                self._commit()
            elif order["do"] == "aside":
                self._put_aside(str(order["role"]), float(order["share"]))
            elif order["do"] == "abort":
                self._end_aside()
            else:
                self._drop()
        except OSError as error:
            self._drop()
            self._desk.fail(error)
        except Unavailable as error:
            self._desk.fail(error)
        else:
            self._desk.answer(done=True)

    def _begin(self, order: Order) -> None:
        """Start what is to come, privately; it is announced when all of it is ready."""
        self._drop()
        self._coming_is = Served(name=order["name"], digest=order["digest"])
        doors = [crew.door for crew in self._crews] if order["role"] == "replica" else [None]
        for one, door in zip(order["servers"], doors, strict=True):
            folder = one["folder"]
            prepared = Server(
                arguments=tuple(one["arguments"]),
                variables=one["variables"],
                folder=None if folder is None else Path(folder),
            )
            digest = Digest.parse(self._coming_is.digest)
            nice = _SHADOW_STANDS_BACK if order["role"] == SHADOW else 0
            self._coming.append(self._launch(prepared, digest, door, nice=nice))
        self._announce_by = time.monotonic() + READY_S
        self._on_change()

    def _announce(self) -> None:
        if self._announce_by is None:
            return
        failed = next((one for one in self._coming if one.ended() is not None), None)
        if failed is not None:
            self._desk.fail(failed.failure())
            self._drop()
        elif all(one.server.is_ready() for one in self._coming):
            self._announce_by = None
            self._desk.answer(urls=[one.server.url for one in self._coming])
        elif time.monotonic() > self._announce_by:
            late = Unavailable(f"It was not ready within {READY_S:.0f} s.", code="replica_failed")
            self._desk.fail(late)
            self._drop()

    def _commit(self) -> None:
        """Let what came in front of what was: from here on it is served."""
        served = self._expect(len(self._crews))
        self._end_aside()
        before, self.replicas, self._coming = self.replicas, self._coming, []
        for crew, replica in zip(self._crews, self.replicas, strict=True):
            self._put_in_front(crew, replica)
        deadline = time.monotonic() + _GONE_WITHIN_S
        self._leaving += [(replica, deadline) for replica in before]
        self.served, self._coming_is = served, None
        self.switches += 1
        self._on_change()

    def _expect(self, count: int) -> Served:
        """Give what is coming, where it is all there and alive.

        Raises
        ------
        Unavailable
            Where it is not.
        """
        dead = next((one for one in self._coming if one.ended() is not None), None)
        if dead is not None:
            failure = dead.failure()
            self._drop()
            raise failure
        if self._coming_is is None or len(self._coming) != count:
            raise Unavailable("Nothing is about to be served.", code="nothing_coming")
        return self._coming_is

    def _put_in_front(self, crew: Crew, replica: ProcessReplica) -> None:
        if crew.door is None:
            crew.current = replica.server
        else:
            crew.put_in_front(replica.server)

    def _drop(self) -> None:
        """End what came and is not wanted."""
        for replica in self._coming:
            replica.stop()
            self._leaving.append((replica, time.monotonic() + _GONE_WITHIN_S))
        self._coming, self._coming_is, self._announce_by = [], None, None

    # Beside the replicas

    def _put_aside(self, role: str, share: float) -> None:
        """Have what came answer a share of the requests, or be compared."""
        served = self._expect(1)
        self._end_aside()
        (replica,) = self._coming
        document = {
            "role": role,
            "share": share,
            "address": str(replica.server.url).removeprefix("http://"),
            "digest": served.digest,
        }
        write_file(self._folder.path / ASIDE, json.dumps(document).encode(), mode=0o600)
        self.aside = Aside(replica=replica, served=served, role=role, share=share)
        self._coming, self._coming_is = [], None
        self._on_change()

    def _end_aside(self) -> None:
        with suppress(FileNotFoundError):
            (self._folder.path / ASIDE).unlink()
        if self.aside is not None:
            self.aside.replica.stop()
            self._leaving.append((self.aside.replica, time.monotonic() + _GONE_WITHIN_S))
            self.aside = None
            self._on_change()

    def _look_at_aside(self) -> None:
        """Where it died nobody is sent to it any longer; that it died stays to be seen."""
        if self.aside is not None and self.aside.replica.ended() is not None:
            with suppress(FileNotFoundError):
                (self._folder.path / ASIDE).unlink()

    def _launch(
        self, prepared: Server, digest: Digest, door: socket.socket | None, *, nice: int = 0
    ) -> ProcessReplica:
        return start_process(
            prepared,
            digest,
            self._folder,
            next(self._numbers),
            self._limits,
            door=None if door is None else door.fileno(),
            nice=nice,
        )
