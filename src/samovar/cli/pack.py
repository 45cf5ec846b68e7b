"""``samovar pack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.resolve import pack_folder
from samovar.cli import exit_codes
from samovar.cli.opening import familiar, new_name
from samovar.cli.sizes import human_size
from samovar.core.origin import Training
from samovar.errors import NotFound
from samovar.record.from_mlflow import pack_mlflow
from samovar.record.packing import Choice, pack_run
from samovar.record.runs import find_or_pull_run
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from samovar.bundle.pack import Packed
    from samovar.cli.render import Screen
    from samovar.record.runs import Run


@click.command()
@click.argument("source", metavar="[DIR | RUN]", required=False)
@click.option("--tag", metavar="NAME:TAG", help="What to call it; by default the project's name.")
@click.option("--model", metavar="PATH", help="Which output of the run is the model.")
@click.option(
    "--examples",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Example rows, where the run or the MLflow model brings none.",
)
@click.option(
    "--from-mlflow",
    "mlflow",
    metavar="MODEL",
    help="Take over a model of MLflow: models:/NAME/VERSION, runs:/RUN/PATH, or its folder.",
)
@click.pass_obj
def command(
    screen: Screen,
    source: str | None,
    tag: str | None,
    model: str | None,
    examples: Path | None,
    mlflow: str | None,
) -> int:
    """Make one bundle of model, code, lock and receipt: of a project, or of what a run wrote.

    It locks first where there is no lock. A bundle of a run says on which data and with what its
    model was trained.
    """
    name = None if tag is None else new_name(tag)
    folder = Path(source or ".")
    is_project = mlflow is None and (source is None or folder.is_dir())
    if is_project and (model is not None or examples is not None):
        raise click.UsageError("--model and --examples are for runs; a project has samovar.toml.")
    if mlflow is not None and (source is not None or model is not None):
        raise click.UsageError("--from-mlflow takes neither a folder or run nor --model.")
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Packing") as progress:
        if is_project:
            reference, packed = pack_folder(home, store, folder, tag=name, progress=progress)
        elif mlflow is not None:
            reference, packed = pack_mlflow(
                home, store, mlflow, tag=name, examples=examples, progress=progress
            )
        else:
            run = _run(store, str(source), progress)
            choice = Choice(model=model, examples=examples)
            reference, packed = pack_run(
                home, store, run, tag=name, choice=choice, progress=progress
            )
    document = describe(familiar(str(reference)), packed)
    screen.result(document, lambda console: _people(console, document, packed))
    return exit_codes.DONE


def _run(store: Store, text: str, progress: Callable[[str], None]) -> Run:
    try:
        return find_or_pull_run(store, text, progress)
    except NotFound as missing:
        if missing.code != "no_run":
            raise
        raise NotFound(
            f"{text!r} is neither a folder nor a run.", hint=missing.hint, code="not_found"
        ) from None


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
        "origin": None if bundle.document.origin is None else bundle.document.origin.to_json(),
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
    if isinstance(packed.bundle.document.origin, Training):
        console.print(f"  made by the run {packed.bundle.document.origin.name}", markup=False)
    for path, why in packed.left_out:
        console.print(f"  left out: {path} ({why})")
    console.print(f"Next: samovar verify {document['name']}")
