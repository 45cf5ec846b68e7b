"""``samovar run``."""

from __future__ import annotations

import signal
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import click

from samovar.cli import exit_codes
from samovar.cli.policies import enforce_policy, policy_option
from samovar.cli.sizes import read_size
from samovar.cli.starting import Started, start_containers, start_processes
from samovar.cli.targets import open_target
from samovar.deploy.aside import Served
from samovar.deploy.fallback import describe
from samovar.deploy.limits import Limits
from samovar.deploy.replicas import ProcessReplica
from samovar.deploy.running import RunFolder, new_run
from samovar.errors import Unavailable
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.cli.render import Screen
    from samovar.cli.starting import Service
    from samovar.deploy.replicas import Replica

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
    store = Store(Home.locate().store)
    # The image of --isolation docker is built here and now, of nothing but the bundle.
    enforce_policy(store, target, name, bundle, options["policy"], with_index=False)
    limits = Limits(cpus=options["cpus"], memory_bytes=options["memory"])
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    home = Home.locate()
    with ExitStack() as stack:
        folder = new_run(home)
        stack.enter_context(folder.held())
        started = Started(folder=folder, name=name, options=options)
        served = Served(name=name, digest=str(bundle.digest))
        with screen.progress("Starting replicas") as progress:
            if options["isolation"] == "docker":
                start_containers(stack, started, home, bundle, served, limits, stop, progress)
            else:
                start_processes(stack, started, home, bundle, served, limits, stop, progress)
        if stop.is_set():
            return exit_codes.INTERRUPTED
        started.write()
        described = [replica.to_json() for replica in started.service.replicas]
        document = {"url": started.url, "id": folder.id, "replicas": described}
        lines = [f"Running {name} at {started.url}; Ctrl-C or 'samovar stop {folder.id}' ends it."]
        lines += [f"  replica {replica['id'][:12]}" for replica in described]
        screen.result(document, "\n".join(lines))
        for sentence in _how_limited(limits, started.service.replicas[0]):
            screen.note(sentence)
        _watch(screen, folder, started.service, options["isolation"], stop)
    return exit_codes.DONE


def _how_limited(limits: Limits, replica: Replica) -> list[str]:
    """Say how far limits hold; of replicas that are processes one speaks for all."""
    return describe(limits, replica.by) if isinstance(replica, ProcessReplica) else []


def _watch(
    screen: Screen,
    folder: RunFolder,
    service: Service,
    isolation: str,
    stop: threading.Event,
) -> None:
    """Wait for a signal, and take orders; show what replicas say, and tell when one dies.

    Raises
    ------
    Unavailable
        Where the last one died.
    """
    every = _LOOK_AT_CONTAINERS_EVERY_S if isolation == "docker" else _LOOK_EVERY_S
    told: set[int] = set()
    words = _Words(folder)
    look_at = 0.0
    while not stop.wait(_LOOK_EVERY_S):
        words.show()
        service.look_after()
        if time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + every
        ended = [(one, one.ended()) for one in service.replicas]
        for replica, how in ended:
            if how is not None and id(replica) not in told and not stop.is_set():
                told.add(id(replica))
                screen.note(f"Replica {replica.to_json()['id'][:12]} ended with {how}.")
        if all(how is not None for _, how in ended):
            raise Unavailable(
                "All replicas ended.",
                hint="Give them more memory, or see 'samovar serve' for the same bundle.",
                code="replica_failed",
            )


class _Words:
    """What replicas wrote, shown as it comes."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._seen: dict[Path, int] = {}

    def show(self) -> None:
        """Show what is new."""
        for path in sorted(self._folder.path.glob("replica-*.log")):
            with path.open("rb") as log:
                log.seek(self._seen.get(path, 0))
                sys.stderr.buffer.write(log.read())
                self._seen[path] = log.tell()
        sys.stderr.flush()
