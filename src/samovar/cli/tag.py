"""``samovar tag``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar, find, new_name, open_store

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.pass_obj
def command(screen: Screen, source: str, destination: str) -> int:
    """Give what SRC names one more name, DST."""
    store, name = open_store(), new_name(destination)
    _, descriptor = find(store, source)
    store.set_name(name, descriptor)
    document = {"name": familiar(str(name)), "digest": str(descriptor.digest)}
    screen.result(document, f"{document['name']} is {descriptor.digest}")
    return exit_codes.DONE
