"""``samovar deploy agent``."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.attest.policy import find_policy
from samovar.cli import exit_codes
from samovar.cli.policies import policy_option
from samovar.cli.serve import read_workers
from samovar.cli.sizes import read_size
from samovar.cli.transfer import plain_http_option
from samovar.core.reference import Reference
from samovar.deploy.agent import unit
from samovar.deploy.agent.settings import Settings
from samovar.deploy.folder import write_files
from samovar.deploy.plan import MIB
from samovar.errors import Interrupted, Unavailable
from samovar.store.home import Home

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("reference", metavar="REF")
@click.option(
    "--interval",
    type=float,
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="The registry is asked at least this often.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="To listen on.")
@click.option("--app", is_flag=True, help="Serve the project's own application.")
@click.option("--workers", callback=read_workers, default="auto", show_default=True)
@click.option("--state", type=click.Path(path_type=Path), metavar="DIR", help="The agent's folder.")
@click.option(
    "--status-port", type=click.IntRange(0, 65535), help="Of loopback, for its page and metrics."
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write units for systemd there instead of running.",
)
@click.option("--cpus", type=click.FloatRange(min=0.01), default=1.0, help="For the unit.")
@click.option("--memory", callback=read_size, default="512m", help="For the unit, each server.")
@click.option("--apply", is_flag=True, help="With -o: also run it here.")
@plain_http_option
@policy_option
@click.pass_obj
def command(screen: Screen, /, reference: str, **options: Any) -> int:
    """Follow REF in its registry, and serve what was proven on this machine, until a signal."""
    settings = _settings(Reference.parse(reference), options)
    written: list[str] = []
    if options["folder"] is not None:
        memory_mib = -(-options["memory"] // MIB)
        files = unit.write(settings, cpus=options["cpus"], memory_mib=memory_mib)
        written = write_files(files, options["folder"])
        if not options["apply"]:
            document = {"written": written, "applied": False, "endpoints": []}
            screen.result(document, f"Wrote {len(written)} files into {options['folder']}.")
            return exit_codes.DONE
    return _run(screen, settings, written)


def _settings(reference: Reference, options: dict[str, Any]) -> Settings:
    workers = options["workers"]
    settings = Settings(
        reference=reference,
        interval_s=options["interval"],
        address=options["address"],
        port=options["port"],
        folder=Path(),
        app=options["app"],
        workers="auto" if workers is None else str(workers),
        plain_http=options["plain_http"],
        attested=_has_policy(options["policy"]),
        status_port=options["status_port"],
    )
    folder = options["state"] or Home.locate().path / "agents" / settings.label
    return replace(settings, folder=folder.absolute())


def _has_policy(named: Path | None) -> bool:
    """Say whether the operator asks for attestations; a file that says nothing is told now."""
    if named is not None:
        # Each of its commands asks for the same.
        os.environ["SAMOVAR_POLICY"] = str(named.absolute())
    if not os.environ.get("SAMOVAR_POLICY"):
        return False
    return find_policy(None, None) is not None


def _run(screen: Screen, settings: Settings, written: list[str]) -> int:
    if os.name != "posix":
        raise Unavailable(
            "An agent needs a POSIX system.",
            hint="Use WSL, or 'samovar run' here.",
            code="no_posix",
        )
    from samovar.deploy.agent.agent import Agent
    from samovar.deploy.agent.page import start_page

    # Its own commands find the same home, wherever they are started.
    os.environ["SAMOVAR_HOME"] = str(Home.locate().path)
    stop = threading.Event()
    signals: list[int] = []

    def ended(number: int, _frame: object) -> None:
        signals.append(number)
        if signals.count(signal.SIGINT) > 1:
            raise Interrupted("Interrupted.")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ended)

    def ready(status: dict[str, Any]) -> None:
        document = {
            "written": written,
            "applied": True,
            "endpoints": [status["endpoint"]],
            "status": status,
            "page": page,
        }
        serving = status["serving"]["digest"]
        screen.result(document, f"Serving {serving} at {status['endpoint']}.")

    agent = Agent(settings, stop=stop, tell=screen.note, on_serving=ready)
    page = None
    if settings.status_port is not None:
        page = start_page(settings.status_port, agent.status)
    agent.run()
    return exit_codes.DONE
