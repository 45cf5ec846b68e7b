"""``samovar ps``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar
from samovar.deploy.aside import describe_run
from samovar.deploy.running import DIED, runs_of
from samovar.store.home import Home

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen


@click.command()
@click.pass_obj
def command(screen: Screen) -> int:
    """List what 'samovar run' started, with its replicas; one that died is told."""
    runs = [describe_run(folder, state) for folder, state in runs_of(Home.locate())]
    screen.result({"runs": runs}, lambda console: _people(console, runs))
    return exit_codes.DONE


def _people(console: Console, runs: list[dict[str, Any]]) -> None:
    for run in runs:
        died = sum(replica["state"] == DIED for replica in run["replicas"])
        living = f"{len(run['replicas']) - died} of {len(run['replicas'])} replicas"
        lost = "; its 'samovar run' died" if run["state"] == DIED else ""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["started"]))
        console.print(f"{run['id']}  {run['url']}  {familiar(run['name'])}  since {since}{lost}")
        console.print(f"  {run['isolation']}, {living}{f', {died} died' if died else ''}")
        if run["bundle"] != run["name"]:
            console.print(f"  serves {familiar(run['bundle'])}")
        if run["aside"] is not None:
            aside = run["aside"]
            counts = ", ".join(f"{count} {what}" for what, count in aside["answers"].items())
            console.print(
                f"  {aside['role']} {familiar(aside['name'])}: {counts or aside['state']}"
            )
