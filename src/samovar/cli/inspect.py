"""``samovar inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from samovar.cli import exit_codes
from samovar.cli.opening import familiar
from samovar.cli.sizes import human_size
from samovar.cli.targets import open_target
from samovar.core.origin import IMPORT, RUN
from samovar.core.run import flatten
from samovar.env.lock import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from samovar.bundle.opened import Bundle
    from samovar.cli.render import Screen

_MOST: Final = 12
_LIBRARIES: Final = (
    "scikit-learn", "xgboost", "lightgbm", "catboost", "torch", "tensorflow", "numpy", "pandas",
)  # fmt: skip


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
            "trained_on": None if receipt.trained_on is None else receipt.trained_on.to_json(),
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
        "origin": None if document.origin is None else document.origin.to_json(),
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
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    origin = document["origin"]
    made = {} if origin is None or origin["kind"] != RUN else _training(origin)
    for label, value in {**_head(document), **made, **_body(document)}.items():
        table.add_row(label, Text(value))
    console.print(table)


def _head(document: dict[str, Any]) -> dict[str, str]:
    model, origin = document["model"], document["origin"]
    came = f", from {origin['tool']}" if origin is not None and origin["kind"] == IMPORT else ""
    return {
        "Bundle": f"{document['name']} {document['version']}, {human_size(document['size_bytes'])}",
        "Digest": document["digest"],
        "Model": f"{model['path']} ({model['format']}, {model['library'] or 'no library known'}, "
        f"Python {document['python']}{came})",
    }


def _body(document: dict[str, Any]) -> dict[str, str]:
    signature, receipt = document["signature"], document["receipt"]
    return {
        "Takes": ", ".join(f"{one['name']} {one['dtype']}" for one in signature["inputs"]),
        "Gives": ", ".join(f"{one['name']} {one['datatype']}" for one in signature["outputs"]),
        "Receipt": f"{receipt['rows']} rows by {receipt['method']}, batching {receipt['batching']}",
        "Holds": ", ".join(file["path"] for file in document["files"])
        + f"; {len(document['packages'])} packages",
        "Application": document["service"]["app"] or "none",
    }


def _training(origin: dict[str, Any]) -> dict[str, str]:
    """Tell in a few lines how the model was made."""
    git, machine = origin["git"], origin["machine"]
    at = ""
    if git is not None:
        at = f", at commit {git['commit'][:12]}{' with changes' if git['dirty'] else ''}"
    data = (
        f"{one['path']} ({human_size(one['size_bytes'])}, {one['digest'][:19]})"
        for one in origin["data"]
    )
    params = (f"{name} {value}" for name, value in flatten(origin["params"]).items())
    libraries = (f"{name} {origin['packages'][name]}" for name in _known(origin["packages"]))
    metrics = (
        f"{name} {value}" + (f" ± {noise:.3g}" if (noise := origin["noise"].get(name)) else "")
        for name, value in origin["metrics"].items()
    )
    repeated = {True: ", repeatable", False: ", NOT repeatable", None: ""}[origin["repeatable"]]
    return {
        "Trained": f"by {origin['command']!r} in {origin['seconds']:.1f} s, "
        f"{origin['started'][:19]}Z, run {origin['name']} ({origin['run'][:19]}){at}",
        "On": _listed(data) or "no recorded data",
        "With": _listed((f"Python {origin['python']}", *libraries, *params))
        + f"; on {machine.get('cpu', 'an unknown processor')}, "
        f"{machine.get('threads', '?')} threads, numerics {origin['numerics']}",
        "Result": (_listed(metrics) or "no metrics") + repeated,
    }


def _known(packages: dict[str, str]) -> list[str]:
    """Give the libraries that decide what a model is, as far as the training had them."""
    return [name for name in _LIBRARIES if name in packages]


def _listed(parts: Iterable[str]) -> str:
    listed = list(parts)
    more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
    return ", ".join(listed[:_MOST]) + more
