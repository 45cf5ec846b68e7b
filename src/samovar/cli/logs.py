"""``samovar logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.deploy.running import find_run
from samovar.store.home import Home

if TYPE_CHECKING:
    from samovar.cli.render import Screen

_SHOWN_ID = 12


@click.command()
@click.argument("run", required=False)
@click.option(
    "--tail", type=click.IntRange(0), metavar="N", help="The last N lines of each replica only."
)
@click.pass_obj
def command(screen: Screen, run: str | None, tail: int | None) -> int:
    """Show what the replicas of RUN wrote; RUN is an ID of 'samovar ps', or a bundle's name."""
    folder, state = find_run(Home.locate(), run)
    replicas = [
        {"id": replica["id"], "lines": folder.words(state, replica, tail)}
        for replica in state.replicas
    ]
    screen.result({"id": state.id, "replicas": replicas}, _text(replicas))
    return exit_codes.DONE


def _text(replicas: list[dict[str, Any]]) -> str:
    alone = len(replicas) == 1
    return "\n".join(
        line if alone else f"{replica['id'][:_SHOWN_ID]} | {line}"
        for replica in replicas
        for line in replica["lines"]
    )
