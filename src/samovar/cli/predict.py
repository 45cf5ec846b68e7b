"""``samovar predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.bare import predict_model_file
from samovar.bundle.predict import predict_bundle
from samovar.bundle.resolve import resolve
from samovar.bundle.target import ModelFile, read_target
from samovar.cli import exit_codes
from samovar.errors import UserError
from samovar.project.config import METHODS
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.bundle.predict import Predicted
    from samovar.cli.render import Screen


@click.command()
@click.argument("target")
@click.argument("source", metavar="INPUT")
@click.option(
    "-o", "--output", metavar="OUTPUT", type=click.Path(path_type=Path), help="Write a file."
)
@click.option("--python", type=click.Path(path_type=Path), help="Use this interpreter as it is.")
@click.option(
    "--keep",
    metavar="COLUMN",
    multiple=True,
    help="Write this column of INPUT beside the predictions; as often as wanted.",
)
@click.option("--method", type=click.Choice(METHODS), help="Call another method of the model.")
@click.pass_obj
def command(
    screen: Screen,
    target: str,
    source: str,
    output: Path | None,
    python: Path | None,
    method: str | None,
    keep: tuple[str, ...],
) -> int:
    """Score the rows of INPUT: JSON, JSON Lines, CSV, Parquet or Arrow, or - for stdin."""
    if keep and output is None:
        raise UserError("--keep writes columns into a file.", hint="Name one with -o.")
    home = Home.locate()
    store = Store(home.store)
    found = read_target(target, store)
    with screen.progress("Opening the bundle") as progress:
        if isinstance(found, ModelFile):
            predicted = predict_model_file(
                home, found.path, source, output=output, method=method, python=python,
                keep=keep, progress=progress,
            )  # fmt: skip
        else:
            _, bundle = resolve(home, store, found, progress)
            predicted = predict_bundle(
                home, store, bundle, source, output=output, method=method, python=python,
                keep=keep, progress=progress,
            )  # fmt: skip
    _show(screen, predicted, output)
    return exit_codes.DONE


def _show(screen: Screen, predicted: Predicted, output: Path | None) -> None:
    document: dict[str, object] = {"rows": predicted.rows, "engine": predicted.engine}
    if output is not None:
        document["output"] = str(output)
        screen.result(document, f"Wrote {predicted.rows} predictions to {output}.")
        return
    document = {"predictions": predicted.predictions, **document}
    screen.result(document, "\n".join(str(value) for value in predicted.predictions or []))
