"""``samovar remove``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar, find, names_of, open_store
from samovar.errors import NotFound

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("reference", metavar="REF")
@click.pass_obj
def command(screen: Screen, reference: str) -> int:
    """Remove the name REF; what it pointed to stays until 'samovar gc'."""
    store = open_store()
    named, descriptor = find(store, reference)
    names = [named] if named.digest is None else names_of(store, descriptor)
    if not names:
        raise NotFound(
            f"No name points to {descriptor.digest}.", hint="'samovar gc' removes what is unnamed."
        )
    for name in names:
        store.remove_name(name)
    removed = [familiar(str(name)) for name in names]
    screen.result(
        {"removed": removed, "digest": str(descriptor.digest)},
        f"Removed {', '.join(removed)}. 'samovar gc' frees the space.",
    )
    return exit_codes.DONE
