"""``samovar run``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from samovar.bundle.serve import ServeOptions, prepare_server
from samovar.cli import exit_codes
from samovar.cli.policies import enforce_policy, policy_option
from samovar.cli.sizes import read_size
from samovar.cli.targets import open_target
from samovar.core.reference import Reference
from samovar.deploy.balance import Balancer
from samovar.deploy.limits import Limits
from samovar.deploy.replicas import Replica, remove_all, start_container, start_process
from samovar.deploy.running import RunFolder, RunState, new_run
from samovar.errors import Unavailable
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen

    Progress = Callable[[str], None]

_LOOK_EVERY_S: Final = 0.25
_LOOK_AT_CONTAINERS_EVERY_S: Final = 5.0


@click.command()
@click.argument("target", required=False)
@click.option("--cpus", type=click.FloatRange(min=0.01), help="Processors' worth for each.")
@click.option("--memory", callback=read_size, metavar="SIZE", help="Memory for each, as 512m.")
@click.option("--replicas", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=5000, show_default=True)
@click.option(
    "--isolation",
    type=click.Choice(["process", "docker"]),
    default="process",
    show_default=True,
    help="Processes of this machine, or containers of the Docker engine.",
)
@policy_option
@click.pass_obj
def command(screen: Screen, /, target: str | None, **options: Any) -> int:
    """Run TARGET with limits, in one or several replicas behind one address, until a signal."""
    name, bundle = open_target(screen, target)
    # The image of --isolation docker is built here and now, of nothing but the bundle.
    store = Store(Home.locate().store)
    enforce_policy(store, target, name, bundle, options["policy"], with_index=False)
    limits = Limits(cpus=options["cpus"], memory_bytes=options["memory"])
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    home = Home.locate()
    with ExitStack() as stack:
        folder = new_run(home)
        stack.enter_context(folder.held())
        replicas: list[Replica] = []
        stack.callback(remove_all, replicas)
        with screen.progress("Starting replicas") as progress:
            start = _starter(home, folder, bundle, name, limits, options, progress)
            for number in range(options["replicas"]):
                if stop.is_set():
                    return exit_codes.INTERRUPTED
                replicas.append(start(number))
            front = _front(stack, folder, replicas, options)
        folder.write(_state(folder, bundle, name, options, replicas, front))
        described = [replica.to_json() for replica in replicas]
        document = {"url": front.url, "id": folder.id, "replicas": described}
        lines = [f"Running {name} at {front.url}; Ctrl-C or 'samovar stop {folder.id}' ends it."]
        lines += [f"  replica {replica['id'][:12]}" for replica in described]
        screen.result(document, "\n".join(lines))
        _watch(screen, folder, replicas, options["isolation"], stop)
    return exit_codes.DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Front:
    """Where a run answers, and who balances it."""

    url: str
    balancer: int | None = None


def _starter(
    home: Home,
    folder: RunFolder,
    bundle: Bundle,
    name: str,
    limits: Limits,
    options: dict[str, Any],
    progress: Progress,
) -> Callable[[int], Replica]:
    """Give the function that starts the replica of a number."""
    store = Store(home.store)
    alone = options["replicas"] == 1
    if options["isolation"] == "docker":
        image = _image(home, store, bundle, name, progress)
        return lambda number: start_container(
            image, f"samovar-{folder.id}-{number}", limits, run=folder.id
        )

    def start(number: int) -> Replica:
        server = prepare_server(
            home,
            store,
            bundle,
            name=Reference.parse(name).name,
            python=None,
            options=ServeOptions(port=options["port"] if alone else 0, as_json=True),
            progress=progress,
        )
        with folder.lock_of(f"replica-{number}") as held:
            return start_process(
                server, f"{folder.id}-{number}", limits, log=folder.log(number), held=(held,)
            )

    return start


def _image(home: Home, store: Store, bundle: Bundle, name: str, progress: Progress) -> str:
    """Build the bundle's image and hand it to the engine; give what the engine calls it."""
    from samovar.image.build import Options, build_image
    from samovar.image.engine import load_image

    reference = Reference.parse(name)
    built = build_image(home, store, bundle, Options(), names=(), progress=progress)
    progress("Loading it into the Docker engine")
    load_image(store, built.image, reference)
    return str(built.image_id)


def _front(
    stack: ExitStack, folder: RunFolder, replicas: list[Replica], options: dict[str, Any]
) -> _Front:
    """Give the one address: a lone process answers by itself, the others are balanced."""
    if len(replicas) == 1 and options["isolation"] == "process":
        return _Front(url=f"http://{replicas[0].address}")
    own = folder.path / "balancer"
    own.mkdir()
    addresses = [replica.address for replica in replicas]
    balancer = Balancer(own, addresses, port=options["port"], again=True)
    with folder.lock_of("balancer") as held:
        balancer.start(held=(held,))
    stack.callback(balancer.stop)
    return _Front(url=balancer.url, balancer=balancer.pid)


def _state(
    folder: RunFolder,
    bundle: Bundle,
    name: str,
    options: dict[str, Any],
    replicas: list[Replica],
    front: _Front,
) -> RunState:
    return RunState(
        id=folder.id,
        name=name,
        digest=str(bundle.digest),
        url=front.url,
        isolation=options["isolation"],
        pid=os.getpid(),
        engine=os.environ.get("DOCKER_HOST"),
        started=time.time(),
        replicas=tuple({**one.to_json(), "address": one.address} for one in replicas),
        balancer=front.balancer,
    )


def _watch(
    screen: Screen,
    folder: RunFolder,
    replicas: list[Replica],
    isolation: str,
    stop: threading.Event,
) -> None:
    """Wait for a signal; show what replicas say, and tell when one dies.

    Raises
    ------
    Unavailable
        Where the last one died.
    """
    every = _LOOK_EVERY_S if isolation == "process" else _LOOK_AT_CONTAINERS_EVERY_S
    living = list(replicas)
    with ExitStack() as stack:
        paths = [folder.log(number) for number in range(len(replicas))]
        logs = [stack.enter_context(path.open("rb")) for path in paths if path.exists()]
        while not stop.wait(every):
            for log in logs:
                sys.stderr.buffer.write(log.read())
            sys.stderr.flush()
            for replica in list(living):
                how = replica.ended()
                if how is not None and not stop.is_set():
                    living.remove(replica)
                    screen.note(f"Replica {replica.to_json()['id'][:12]} ended with {how}.")
            if not living:
                raise Unavailable(
                    "All replicas ended.",
                    hint="Give them more memory, or see 'samovar serve' for the same bundle.",
                    code="replica_failed",
                )
