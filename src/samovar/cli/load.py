"""``samovar load``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.archive import load
from samovar.cli import exit_codes
from samovar.cli.opening import familiar
from samovar.errors import NotFound
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("file", metavar="FILE.tar", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def command(screen: Screen, file: Path) -> int:
    """Read the bundle in a tar file into the store, under the name that it has there."""
    if not file.is_file():
        raise NotFound(f"There is no file {file}.", hint="'samovar save' makes one.")
    home = Home.locate()
    loaded = load(home, Store(home.store), file)
    entries = [
        {
            "name": None if reference is None else familiar(str(reference)),
            "digest": str(descriptor.digest),
        }
        for reference, descriptor in loaded
    ]
    if not entries:
        raise NotFound(f"{file} names no bundle.", hint="Make it with 'samovar save'.")
    lines = [f"Loaded {entry['name'] or 'without a name'} ({entry['digest']})" for entry in entries]
    screen.result({**entries[0], "loaded": entries}, "\n".join(lines))
    return exit_codes.DONE
