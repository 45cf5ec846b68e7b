"""``samovar init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.proposing import propose_requirements
from samovar.cli import exit_codes
from samovar.errors import InvalidModel, SamovarError
from samovar.model.audit import audit_file
from samovar.project.adopt import adopt
from samovar.project.find import FoundModel, Wishes

if TYPE_CHECKING:
    from samovar.cli.render import Screen

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@click.command()
@click.argument(
    "folder",
    metavar="[DIR]",
    required=False,
    default=".",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--name", help="Name of the project; by default the folder's.")
@click.option("--model", metavar="FILE", help="The model file, where there are several.")
@click.option("--app", metavar="MODULE:NAME", help="The project's own application.")
@click.option("--python", metavar="X.Y|PATH", help="Python version, or interpreter, of the model.")
@click.option("--examples", metavar="FILE", help="Example rows.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.pass_obj
def command(
    screen: Screen,
    folder: Path,
    name: str | None,
    model: str | None,
    app: str | None,
    python: str | None,
    examples: str | None,
    yes: bool,
) -> int:  # fmt: skip
    """Adopt a folder: find the model, the application and its requirements; run nothing of it."""
    minor, interpreter = _python(python)
    wishes = Wishes(name=name, model=model, app=app, python=minor, examples=examples)
    ask = not (yes or screen.as_json) and sys.stdin.isatty()
    while True:
        try:
            adoption = adopt(
                folder,
                wishes,
                detect=detect,
                propose=lambda sources, found: propose_requirements(sources, found, interpreter),
                default_python=_PYTHON,
            )
            break
        except InvalidModel as error:
            if not ask or error.code != "several_models":
                raise
            chosen = click.prompt(f"{error.message}\nWhich one", err=True)
            wishes = Wishes(name=name, model=chosen, app=app, python=minor, examples=examples)
    document = {
        "project": adoption.project.project.name,
        "written": list(adoption.written),
        "notes": list(adoption.notes),
    }
    lines = [f"Adopted {folder.resolve()} as {document['project']}."]
    lines += [f"  wrote {path}" for path in adoption.written]
    lines += [f"  {note}" for note in adoption.notes]
    screen.result(document, "\n".join([*lines, "Next: samovar lock, then samovar pack"]))
    return exit_codes.DONE


def detect(path: Path) -> FoundModel | None:
    """Say what a model file is, by reading it; None where it is no model."""
    try:
        report = audit_file(path)
    except SamovarError:
        return None
    return FoundModel(
        format=report.format,
        library_versions=dict(report.library_versions),
        python_hint=report.python_hint,
        root=report.root,
    )


def _python(text: str | None) -> tuple[str | None, Path | None]:
    """Tell a version from an interpreter; the latter says its version itself."""
    if text is None or text.replace(".", "").isdigit():
        return text, None
    from samovar.env.interpreters import probe

    found = probe(Path(text))
    return found.minor, found.path
