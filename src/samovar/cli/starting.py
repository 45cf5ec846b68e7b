"""How ``samovar run`` starts its replicas, and what it says of itself in its folder."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samovar.bundle.serve import ServeOptions, prepare_server
from samovar.core.reference import Reference
from samovar.deploy.aside import ASIDE, Served
from samovar.deploy.balance import Balancer
from samovar.deploy.container_service import ContainerService
from samovar.deploy.doors.door import bind_door
from samovar.deploy.orders import Desk
from samovar.deploy.process_service import ProcessService
from samovar.deploy.running import RunFolder, RunState
from samovar.store.layout import Store

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack

    from samovar.bundle.opened import Bundle
    from samovar.deploy.limits import Limits
    from samovar.deploy.replicas import Replica
    from samovar.store.home import Home

    Progress = Callable[[str], None]
    Service = ProcessService | ContainerService


@dataclass(kw_only=True)
class Started:
    """What a run says of itself in its folder, whenever it changes.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    name : str
        Of the service; it stays when another bundle takes over.
    options : dict
        Of the line.
    """

    folder: RunFolder
    name: str
    options: dict[str, Any]
    service: Service = field(init=False)
    url: str = ""
    balancer: int | None = None
    doors: tuple[int, ...] = ()
    since: float = field(default_factory=time.time)

    def write(self) -> None:
        """Write it, once clients are answered; a full disk must not end what serves."""
        if not self.url:
            return
        with suppress(OSError):
            self.folder.write(self._state(self.service))

    def _state(self, service: Service) -> RunState:
        running: Sequence[Replica] = service.replicas
        return RunState(
            id=self.folder.id,
            name=self.name,
            bundle=service.served.name,
            digest=service.served.digest,
            url=self.url,
            isolation=self.options["isolation"],
            pid=os.getpid(),
            engine=os.environ.get("DOCKER_HOST"),
            started=self.since,
            replicas=tuple(
                {**one.state(), "address": service.address_of(number)}
                for number, one in enumerate(running)
            ),
            balancer=self.balancer,
            doors=self.doors,
            others=tuple(service.others()),
            aside=service.aside_state(),
            switches=service.switches,
        )


def start_processes(
    stack: ExitStack,
    started: Started,
    home: Home,
    bundle: Bundle,
    served: Served,
    limits: Limits,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Start replicas as processes, each behind a door of its own."""
    folder, options = started.folder, started.options
    count, alone = options["replicas"], options["replicas"] == 1
    doors: list[socket.socket | None] = [None] * count
    if os.name == "posix":
        doors = [bind_door("127.0.0.1", options["port"] if alone else 0) for _ in range(count)]
    started.doors = tuple(door.fileno() for door in doors if door is not None)
    service = ProcessService(
        folder, served, limits, doors, desk=Desk(folder), on_change=started.write
    )
    started.service = service
    stack.callback(service.end)
    port = options["port"] if alone and os.name != "posix" else 0
    for door in doors:
        if stop.is_set():
            return
        server = prepare_server(
            home,
            Store(home.store),
            bundle,
            name=Reference.parse(served.name).name,
            python=None,
            options=ServeOptions(
                port=port,
                as_json=True,
                door=None if door is None else door.fileno(),
                aside=str(folder.path / ASIDE),
            ),
            progress=progress,
        )
        if not service.start(server, is_wanted=lambda: not stop.is_set()):
            return
    if alone:
        started.url = f"http://{service.address_of(0)}"
    else:
        _balance(stack, started, [service.address_of(number) for number in range(count)])


def start_containers(
    stack: ExitStack,
    started: Started,
    home: Home,
    bundle: Bundle,
    served: Served,
    limits: Limits,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Start replicas as containers, in slots behind NGINX."""
    folder, count = started.folder, started.options["replicas"]
    image = engine_image(home, bundle, served.name, progress)
    service = ContainerService(
        folder, served, limits, count, desk=Desk(folder), on_change=started.write
    )
    started.service = service
    stack.callback(service.end)
    for _ in range(count):
        if stop.is_set():
            return
        service.start(image)
    slots = [f"127.0.0.1:{port}" for port in service.ports]
    _balance(stack, started, slots, spare=len(slots) // 2)


def _balance(stack: ExitStack, started: Started, addresses: list[str], *, spare: int = 0) -> None:
    """Put NGINX in front, under the one address."""
    own = started.folder.path / "balancer"
    own.mkdir()
    port = started.options["port"]
    balancer = Balancer(own, addresses, port=port, again=True, spare=spare)
    with started.folder.lock_of("balancer") as held:
        balancer.start(held=(held,))
    stack.callback(balancer.stop)
    started.url, started.balancer = balancer.url, balancer.pid


def engine_image(home: Home, bundle: Bundle, name: str, progress: Progress) -> str:
    """Build the bundle's image and hand it to the engine; give what the engine calls it."""
    from samovar.image.build import Options, build_image
    from samovar.image.engine import load_image

    store, reference = Store(home.store), Reference.parse(name)
    built = build_image(home, store, bundle, Options(), names=(), progress=progress)
    progress("Loading it into the Docker engine")
    load_image(store, built.image, reference)
    return str(built.image_id)
