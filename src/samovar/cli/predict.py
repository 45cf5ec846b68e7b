"""``samovar predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.bare import predict_model_file
from samovar.bundle.predict import predict_bundle
from samovar.bundle.predict_folder import Asked, predict_folder, score_here
from samovar.bundle.resolve import resolve
from samovar.bundle.target import ModelFile, read_target
from samovar.cli import exit_codes
from samovar.errors import UserError
from samovar.project.config import METHODS
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from samovar.bundle.predict import Predicted
    from samovar.bundle.predict_folder import Executor, FolderPredicted
    from samovar.bundle.target import Target
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
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="Score a folder's files on a Ray cluster.",
)
@click.pass_obj
def command(
    screen: Screen,
    target: str,
    source: str,
    output: Path | None,
    python: Path | None,
    method: str | None,
    keep: tuple[str, ...],
    executor: str,
) -> int:
    """Score the rows of INPUT: JSON, JSON Lines, CSV, Parquet or Arrow, or - for stdin.

    INPUT may be a folder of such files: then OUTPUT is a folder too, and a second run goes on
    where the first one ended.
    """
    if keep and output is None:
        raise UserError("--keep writes columns into a file.", hint="Name one with -o.")
    home = Home.locate()
    store = Store(home.store)
    found = read_target(target, store)
    is_folder = Path(source).is_dir()
    _check_use(found, is_folder=is_folder, output=output, executor=executor)
    with screen.progress("Opening the bundle") as progress:
        if is_folder and output is not None:
            _, bundle = resolve(home, store, found, progress)
            asked = Asked(bundle=bundle, method=method, keep=keep, python=python)
            done = predict_folder(
                home, store, asked, Path(source), output,
                executor=_executor(executor), progress=progress,
            )  # fmt: skip
        elif isinstance(found, ModelFile):
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
    if is_folder and output is not None:
        _show_folder(screen, done, output)
    else:
        _show(screen, predicted, output)
    return exit_codes.DONE


def _check_use(found: Target, *, is_folder: bool, output: Path | None, executor: str) -> None:
    if is_folder and output is None:
        raise UserError("A folder is scored into a folder.", hint="Name one with -o.")
    if is_folder and isinstance(found, ModelFile):
        raise UserError(
            "A folder is scored by a bundle, which a bare model file is not.",
            hint="Run 'samovar init' and 'samovar pack' in its folder.",
        )
    if executor != "local" and not is_folder:
        raise UserError(
            f"--executor {executor} scores a folder of files.", hint="Name a folder as INPUT."
        )


def _executor(name: str) -> Executor:
    if name == "ray":
        from samovar.bundle.predict_ray import score_on_ray

        return score_on_ray
    return score_here


def _show_folder(screen: Screen, done: FolderPredicted, output: Path) -> None:
    document: dict[str, object] = {
        "rows": done.rows,
        "files": done.files,
        "done_before": done.done_before,
        "engine": done.engine,
        "output": str(output),
    }
    text = f"Wrote {done.rows} predictions in {done.files} files to {output}."
    if done.done_before:
        text += f" {done.done_before} files were done before."
    screen.result(document, text)


def _show(screen: Screen, predicted: Predicted, output: Path | None) -> None:
    document: dict[str, object] = {"rows": predicted.rows, "engine": predicted.engine}
    if output is not None:
        document["output"] = str(output)
        screen.result(document, f"Wrote {predicted.rows} predictions to {output}.")
        return
    document = {"predictions": predicted.predictions, **document}
    screen.result(document, "\n".join(str(value) for value in predicted.predictions or []))
