"""``samovar gc``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.cli.sizes import human_size
from samovar.store.home import Home
from samovar.store.layout import Store
from samovar.store.reach import collect, remove_dead_workspaces

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.pass_obj
def command(screen: Screen) -> int:
    """Delete the blobs that no name reaches, and what dead processes left."""
    home = Home.locate()
    collected = collect(Store(home.store))
    remove_dead_workspaces(home.path / "work")
    screen.result(
        {"removed_blobs": collected.blobs, "freed_bytes": collected.size_bytes},
        f"Removed {collected.blobs} blobs, {human_size(collected.size_bytes)}.",
    )
    return exit_codes.DONE
