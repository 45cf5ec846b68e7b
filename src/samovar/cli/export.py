"""``samovar export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.export import FORMATS, PRECISIONS, export_bundle, write_receipt
from samovar.bundle.resolve import resolve
from samovar.bundle.target import read_target
from samovar.cli import exit_codes
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.bundle.export import Exported
    from samovar.cli.render import Screen

_SHOWN_ROWS = 10


@click.command()
@click.argument("target", required=False)
@click.option(
    "--format", "to", type=click.Choice(FORMATS), required=True, help="What to convert to."
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="Where the file goes.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    help="Of an ONNX file's inputs: the signature's where that can be (auto), double, or single.",
)
@click.option(
    "--receipt",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the reference inputs and recorded outputs too, for a client to test itself by.",
)
@click.pass_obj
def command(
    screen: Screen,
    target: str | None,
    to: str,
    output: Path,
    precision: str,
    receipt: Path | None,
) -> int:
    """Convert the model for use outside Python, if it then still answers the receipt."""
    home = Home.locate()
    store = Store(home.store)
    with screen.progress("Opening the bundle") as progress:
        _, bundle = resolve(home, store, read_target(target, store), progress)
        result = export_bundle(
            home, store, bundle, output, target=to, precision=precision, progress=progress
        )
    if receipt is not None and result.path is not None:
        write_receipt(bundle, receipt)
    screen.result(result.to_json(), lambda console: _people(console, result, precision))
    return exit_codes.ANSWER_IS_NO if result.path is None else exit_codes.DONE


def _people(console: Console, result: Exported, asked: str) -> None:
    compared = result.compared
    console.print(f"{result.verdict}: {compared.rows} rows, {result.precision} precision")
    if compared.max_relative_difference:
        console.print(f"  largest relative difference {compared.max_relative_difference:.3g}")
    if compared.labels_changed:
        console.print(f"  labels changed: {compared.labels_changed}")
    if result.path is not None:
        console.print(f"Wrote {result.path}.")
        return
    for item in compared.differences[:_SHOWN_ROWS]:
        console.print(
            f"  row {item.row}: recorded {item.recorded}, {result.format} {item.observed}"
        )
    if result.neighbours.verdict == result.verdict != compared.verdict:
        console.print("  Rows next to the receipt's are answered differently: the receipt's sit on")
        console.print("  the model's thresholds.")
    console.print("Nothing was written.")
    if result.format == "onnx" and asked != "single":
        console.print("Trees round their inputs before they compare: try --precision single.")
