"""``samovar list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from samovar.bundle.opened import is_bundle
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, open_store
from samovar.cli.sizes import human_size
from samovar.store.reach import size_bytes

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen

_SHOWN: Final = len("sha256:") + 12


@click.command()
@click.pass_obj
def command(screen: Screen) -> int:
    """List the bundles in the store."""
    store = open_store()
    rows: list[dict[str, Any]] = [
        {
            "name": familiar(name),
            "digest": str(descriptor.digest),
            "size_bytes": size_bytes(store, descriptor),
        }
        for name, descriptor in store.names().items()
        if is_bundle(store, descriptor)
    ]

    def people(console: Console) -> None:
        from rich.table import Table

        # A terminal of 80 columns would cut it short somewhere; this much of it is a TARGET too.
        shown = str if console.soft_wrap else (lambda digest: digest[:_SHOWN])
        table = Table("Name", "Digest", "Size", box=None, pad_edge=False)
        for row in rows:
            table.add_row(row["name"], shown(row["digest"]), human_size(row["size_bytes"]))
        console.print(table if rows else "The store has no bundles yet. 'samovar pack' makes one.")

    screen.result({"bundles": rows}, people)
    return exit_codes.DONE
