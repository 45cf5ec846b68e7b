"""``samovar stop``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.deploy.running import find_runs, runs_of, stop_run
from samovar.errors import UserError
from samovar.store.home import Home

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--all", "every", is_flag=True, help="Everything that runs in this home.")
@click.pass_obj
def command(screen: Screen, runs: tuple[str, ...], every: bool) -> int:
    """End RUN and remove its replicas; what they accepted is answered first.

    RUN is an ID of 'samovar ps', the beginning of one, or a bundle's name: then all that run it.
    """
    home = Home.locate()
    if every == bool(runs):
        raise UserError("Nothing, or too much, is named.", hint="Give RUN..., or --all alone.")
    found = (
        runs_of(home)
        if every
        else list({pair[1].id: pair for text in runs for pair in find_runs(home, text)}.values())
    )
    with screen.progress("Stopping") as progress:
        for folder, state in found:
            progress(f"Stopping {state.id} ({state.name})")
            stop_run(folder, state)
    stopped = [state.id for _, state in found]
    screen.result({"stopped": stopped}, "\n".join(f"Stopped {one}" for one in stopped))
    return exit_codes.DONE
