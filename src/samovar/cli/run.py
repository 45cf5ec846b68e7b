"""``samovar run``."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.serve import ServeOptions, prepare_server
from samovar.cli import exit_codes
from samovar.cli.sizes import read_size
from samovar.cli.targets import open_target
from samovar.core.reference import Reference
from samovar.deploy.balance import Balancer
from samovar.deploy.limits import Limits
from samovar.deploy.replicas import Docker, Replica, group_name, remove_all, start_process
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen

    Progress = Callable[[str], None]


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
@click.pass_obj
def command(screen: Screen, /, target: str | None, **options: Any) -> int:
    """Run TARGET with limits, in one or several replicas behind one address, until a signal."""
    name, bundle = open_target(screen, target)
    limits = Limits(cpus=options["cpus"], memory_bytes=options["memory"])
    stop = threading.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: stop.set())
    home = Home.locate()
    with ExitStack() as stack:
        workspace = stack.enter_context(home.workspace())
        replicas: list[Replica] = []
        stack.callback(remove_all, replicas)
        with screen.progress("Starting replicas") as progress:
            start = _starter(home, bundle, name, limits, options, progress)
            for number in range(options["replicas"]):
                if stop.is_set():
                    return exit_codes.INTERRUPTED
                replicas.append(start(number))
            url = _front(stack, replicas, workspace, options)
        document = {"url": url, "replicas": [replica.to_json() for replica in replicas]}
        lines = [f"Running {name} at {url}; SIGTERM or Ctrl-C ends it."]
        lines += [f"  replica {replica.to_json()['id'][:12]}" for replica in replicas]
        screen.result(document, "\n".join(lines))
        stop.wait()
    return exit_codes.DONE


def _starter(
    home: Home,
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
        engine = Docker()
        return lambda number: engine.start(image, f"samovar-{group_name(number)}", limits)

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
        return start_process(server, group_name(number), limits)

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
    stack: ExitStack, replicas: list[Replica], workspace: Path, options: dict[str, Any]
) -> str:
    """Give the one address: a lone process answers by itself, the others are balanced."""
    if len(replicas) == 1 and options["isolation"] == "process":
        return f"http://{replicas[0].address}"
    folder = workspace / "balancer"
    folder.mkdir()
    addresses = [replica.address for replica in replicas]
    balancer = Balancer(folder, addresses, port=options["port"], again=True)
    balancer.start()
    stack.callback(balancer.stop)
    return balancer.url
