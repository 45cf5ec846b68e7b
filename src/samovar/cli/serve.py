"""``samovar serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.serve import ServeOptions, become, prepare_server
from samovar.cli.policies import enforce_policy, policy_option
from samovar.cli.sizes import read_size
from samovar.cli.targets import open_target
from samovar.core.reference import Reference
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.cli.render import Screen

_MAX_WORKERS = 1024


def read_workers(_ctx: click.Context, _option: click.Parameter, value: str) -> int | None:
    """Read a number of processes; None is ``auto``."""
    if value == "auto":
        return None
    if not value.isdigit() or not 1 <= int(value) <= _MAX_WORKERS:
        raise click.BadParameter(
            f"{value!r} is neither 'auto' nor a number from 1 to {_MAX_WORKERS}."
        )
    return int(value)


@click.command()
@click.argument("target", required=False)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=5000,
    show_default=True,
    help="0 takes a free one.",
)
@click.option("--unix-socket", metavar="PATH", help="Listen on this socket instead.")
@click.option("--workers", callback=read_workers, default="auto", show_default=True)
@click.option("--app", is_flag=True, help="Serve the project's own WSGI or ASGI application.")
@click.option("--python", type=click.Path(path_type=Path), help="Use this interpreter as it is.")
@click.option("--max-body", callback=read_size, default="16MiB", show_default=True)
@click.option(
    "--max-queue",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    help="Requests that may wait; further ones get 503.",
)
@click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    help="Answer over gRPC there too; 0 takes a free one.",
)
@click.option("--access-log", is_flag=True, help="Write one JSON line for each request on stderr.")
@click.option(
    "--numerics",
    type=click.Choice(["pinned", "native"]),
    default="pinned",
    show_default=True,
    help="Arithmetic as in the receipt, or whatever is fastest here.",
)
@click.option(
    "--door",
    type=click.IntRange(3),
    metavar="FD",
    help="An inherited listening socket; SIGUSR2 opens it, SIGUSR1 leaves it to another process.",
)
@policy_option
@click.pass_obj
def command(screen: Screen, /, target: str | None, **options: Any) -> int:
    """Answer HTTP requests with the model: /, /predict, /docs and the standard protocols."""
    home = Home.locate()
    name, bundle = open_target(screen, target)
    store = Store(home.store)
    enforce_policy(store, target, name, bundle, options["policy"], with_index=False)
    with screen.progress("Preparing the environment") as progress:
        server = prepare_server(
            home,
            store,
            bundle,
            name=Reference.parse(name).name,
            python=options["python"],
            options=_serve_options(options, as_json=screen.as_json),
            progress=progress,
        )
    return become(server)


def _serve_options(options: dict[str, Any], *, as_json: bool) -> ServeOptions:
    return ServeOptions(
        host=options["host"],
        port=options["port"],
        unix_socket=options["unix_socket"],
        workers=options["workers"],
        app=options["app"],
        max_body_bytes=options["max_body"],
        max_queue=options["max_queue"],
        access_log=options["access_log"],
        grpc_port=options["grpc_port"],
        native_numerics=options["numerics"] == "native",
        door=options["door"],
        as_json=as_json,
    )
