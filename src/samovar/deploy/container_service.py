"""A running service of containers: slots behind NGINX, twice as many as replicas.

A slot is a port of this machine. Those without a container are held, so that nobody else can listen
there: NGINX is refused and asks the next. A switch fills the free slots, lets NGINX find them, and
then ends the old containers one by one; NGINX is never reloaded, so no connection of a client is
closed. The decision is docs/decisions/0014-switch.md.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.deploy.aside import Served
from samovar.deploy.containers import DockerReplica, remove_all, start_container
from samovar.deploy.doors.door import bind
from samovar.deploy.nginx import FAIL_TIMEOUT_S
from samovar.errors import Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from concurrent.futures import Future

    from samovar.deploy.limits import Limits
    from samovar.deploy.orders import Desk, Order
    from samovar.deploy.running import RunFolder

_HOST: Final = "127.0.0.1"
_NOTICED_S: Final = FAIL_TIMEOUT_S + 1.0


@dataclass(kw_only=True)
class Slot:
    """A port of this machine for one container.

    Parameters
    ----------
    held : socket or None
        Bound there and not listening, while no container is.
    port : int
        Its number.
    """

    held: socket.socket | None
    port: int

    @classmethod
    def free(cls) -> Slot:
        """Take a free port."""
        held = bind(_HOST, 0)
        return cls(held=held, port=int(held.getsockname()[1]))

    def let_go(self) -> int:
        """Leave the port to a container that is started at once."""
        if self.held is not None:
            self.held.close()
            self.held = None
        return self.port

    def hold(self) -> None:
        """Take the port again, once its container has let go of it."""
        if self.held is None:
            with suppress(OSError):
                self.held = bind(_HOST, self.port)


class ContainerService:
    """What ``samovar run --isolation docker`` keeps.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    served : Served
        The bundle.
    limits : Limits
        Of each container.
    count : int
        Replicas.
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
        count: int,
        *,
        desk: Desk,
        on_change: Callable[[], None],
    ) -> None:
        self.served = served
        self.switches = 0
        self.replicas: list[DockerReplica] = []
        self._folder = folder
        self._limits = limits
        self._slots = [Slot.free() for _ in range(2 * count)]
        self._used, self._spare = self._slots[:count], self._slots[count:]
        self._desk = desk
        self._on_change = on_change
        self._started = 0
        self._coming: list[DockerReplica] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="roll")
        self._rolling: Future[None] | None = None
        self._ending = threading.Event()

    @property
    def ports(self) -> list[int]:
        """Of all slots."""
        return [slot.port for slot in self._slots]

    def start(self, image: str) -> None:
        """Start the next container of an image and wait until it answers.

        Raises
        ------
        Unavailable
            Where it does not.
        """
        self.replicas.append(self._start(image, self._used[len(self.replicas)]))

    def address_of(self, number: int) -> str:
        """Give ``host:port`` of a replica."""
        return self.replicas[number].address

    def look_after(self) -> None:
        """Take an order; a roll that is under way goes on beside."""
        if self._rolling is not None:
            if not self._rolling.done():
                return
            done, self._rolling = self._rolling, None
            try:
                done.result()
            except (Unavailable, OSError) as error:
                self._desk.fail(error)
            else:
                self._desk.answer(done=True)
            self._on_change()
        for slot in self._spare:
            slot.hold()
        order = self._desk.next()
        if order is not None:
            self._rolling = self._pool.submit(self._roll, order)

    def others(self) -> list[dict[str, Any]]:
        """Name the containers beside the replicas."""
        return [{"id": one.id, "number": one.number} for one in self._coming]

    def aside_state(self) -> None:
        """Say that nobody stands aside: containers do not see each other's requests."""

    def end(self) -> None:
        """End all, each with what it has in flight."""
        self._ending.set()
        self._pool.shutdown(wait=True)
        remove_all([*self.replicas, *self._coming])
        for slot in self._slots:
            slot.let_go()

    def _roll(self, order: Order) -> None:
        """Start all new ones beside the old; only then end the old, one by one.

        Raises
        ------
        Unavailable
            Where one does not answer, or nobody waits for it any longer: the old ones stay.
        """
        try:
            for slot in self._spare:
                self._coming.append(self._start(order["image"], slot))
                self._on_change()
                if self._ending.is_set():
                    break
            if self._ending.wait(_NOTICED_S) or not self._desk.is_attended():
                raise Unavailable("Nobody waits for the switch any longer.", code="not_attended")
        except (Unavailable, OSError):
            remove_all(self._coming)
            self._coming = []
            raise
        before, self.replicas, self._coming = self.replicas, self._coming, []
        self.served = Served(name=order["name"], digest=order["digest"])
        self.switches += 1
        self._used, self._spare = self._spare, self._used
        self._on_change()
        for replica in before:
            replica.remove()

    def _start(self, image: str, slot: Slot) -> DockerReplica:
        number, self._started = self._started, self._started + 1
        replica = start_container(
            image,
            f"samovar-{self._folder.id}-{number}",
            self._limits,
            run=self._folder.id,
            port=slot.let_go(),
        )
        replica.number = number
        return replica
