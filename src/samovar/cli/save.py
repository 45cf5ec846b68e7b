"""``samovar save``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.archive import save
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, find, names_of, open_store
from samovar.cli.sizes import human_size
from samovar.errors import UserError

if TYPE_CHECKING:
    from samovar.cli.render import Screen


@click.command()
@click.argument("reference", metavar="REF")
@click.argument("file", metavar="FILE.tar", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def command(screen: Screen, reference: str, file: Path) -> int:
    """Write the bundle REF to one tar file, an OCI image layout."""
    store = open_store()
    named, descriptor = find(store, reference)
    if named.digest is not None:
        named = next(iter(names_of(store, descriptor)), named)
    if not file.absolute().parent.is_dir():
        raise UserError(
            f"There is no folder {file.absolute().parent}.", hint="Make it first.", code="not_found"
        )
    size = save(store, named, descriptor, file)
    name = familiar(f"{named.name}:{named.tag or 'latest'}")
    screen.result(
        {"name": name, "digest": str(descriptor.digest), "file": str(file), "size_bytes": size},
        f"Saved {name} ({descriptor.digest}) to {file}, {human_size(size)}.",
    )
    return exit_codes.DONE
