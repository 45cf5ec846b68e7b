"""``samovar pack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.resolve import pack_folder
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, new_name
from samovar.cli.sizes import human_size
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.bundle.pack import Packed
    from samovar.cli.render import Screen


@click.command()
@click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--tag", metavar="NAME:TAG", help="What to call it; by default the project's name.")
@click.pass_obj
def command(screen: Screen, folder: Path, tag: str | None) -> int:
    """Make one bundle of model, code, lock and receipt; lock first where there is no lock."""
    name = None if tag is None else new_name(tag)
    home = Home.locate()
    with screen.progress("Packing") as progress:
        reference, packed = pack_folder(
            home, Store(home.store), folder, tag=name, progress=progress
        )
    document = describe(familiar(str(reference)), packed)
    screen.result(document, lambda console: _people(console, document, packed))
    return exit_codes.DONE


def describe(name: str, packed: Packed) -> dict[str, Any]:
    """Give the object that ``pack --json`` prints."""
    bundle = packed.bundle
    return {
        "name": name,
        "digest": str(bundle.digest),
        "size_bytes": bundle.size_bytes,
        "files": [file.to_json() for file in bundle.document.files],
        "signature": bundle.document.signature.to_json(),
        "receipt": {
            "rows": len(bundle.receipt.rows),
            "method": bundle.receipt.method,
            "batching": bundle.receipt.batching,
        },
        "audit": {"ok": packed.audit.ok, "globals": list(packed.audit.globals)},
        "left_out": [{"path": path, "why": why} for path, why in packed.left_out],
        "reused": packed.reused,
    }


def _people(console: Console, document: dict[str, Any], packed: Packed) -> None:
    receipt = document["receipt"]
    again = " (nothing had changed)" if packed.reused else ""
    console.print(f"Packed {document['name']}{again}: {human_size(document['size_bytes'])}")
    console.print(f"  {document['digest']}")
    for file in document["files"]:
        console.print(f"  {file['kind']:5} {file['path']} ({human_size(file['size_bytes'])})")
    console.print(
        f"  receipt of {receipt['rows']} rows by {receipt['method']}; "
        f"batching is {receipt['batching']}"
    )
    for path, why in packed.left_out:
        console.print(f"  left out: {path} ({why})")
    console.print(f"Next: samovar verify {document['name']}")
