"""``samovar inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar
from samovar.cli.sizes import human_size
from samovar.cli.targets import open_target
from samovar.env.lock import Lock

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen


@click.command()
@click.argument("target", required=False)
@click.pass_obj
def command(screen: Screen, target: str | None) -> int:
    """Show what a bundle is made of; nothing is loaded."""
    name, bundle = open_target(screen, target)
    document = describe(name, bundle)
    screen.result(document, lambda console: _people(console, document))
    return exit_codes.DONE


def describe(name: str, bundle: Bundle) -> dict[str, Any]:
    """Give the object that ``inspect --json`` prints."""
    document, receipt = bundle.document, bundle.receipt
    return {
        "name": familiar(name),
        "digest": str(bundle.digest),
        "size_bytes": bundle.size_bytes,
        "version": document.version,
        "python": document.python,
        "model": document.model.to_json(),
        "signature": document.signature.to_json(),
        "receipt": {
            "rows": len(receipt.rows),
            "method": receipt.method,
            "batching": receipt.batching,
            "policy": receipt.policy.to_json(),
            "numerics": receipt.numerics,
        },
        "engines": [
            {
                "name": document.model.library or document.model.format,
                "proof": "identical",
                "rows_from": 1,
                "rows_to": None,
            },
            *(engine.to_json() for engine in receipt.engines),
        ],
        "service": {"app": document.app, "message": document.message},
        "packages": [
            {"name": package.name, "version": package.version}
            for package in Lock.from_bytes(bundle.lock).packages
        ],
        "files": [file.to_json() for file in document.files],
        "layers": [
            {
                "digest": str(layer.digest),
                "size_bytes": layer.size_bytes,
                "media_type": layer.media_type,
            }
            for layer in bundle.manifest.layers
        ],
    }


def _people(console: Console, document: dict[str, Any]) -> None:
    from rich.table import Table

    model, receipt = document["model"], document["receipt"]
    inputs = document["signature"]["inputs"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    rows = {
        "Bundle": f"{document['name']} {document['version']}",
        "Digest": document["digest"],
        "Size": human_size(document["size_bytes"]),
        "Python": document["python"],
        "Model": f"{model['path']} ({model['format']}, {model['library'] or 'no library known'})",
        "Takes": ", ".join(f"{column['name']} {column['dtype']}" for column in inputs),
        "Gives": ", ".join(
            f"{output['name']} {output['datatype']}" for output in document["signature"]["outputs"]
        ),
        "Receipt": f"{receipt['rows']} rows by {receipt['method']}, batching {receipt['batching']}",
        "Packages": str(len(document["packages"])),
        "Files": ", ".join(file["path"] for file in document["files"]),
        "Application": document["service"]["app"] or "none",
    }
    for label, value in rows.items():
        table.add_row(label, value)
    console.print(table)
