"""``samovar init``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.proposing import propose_requirements
from samovar.cli import exit_codes
from samovar.cli.arguments import FOLDER
from samovar.env.requirements import read_requirements
from samovar.errors import InvalidModel, InvalidRequirements
from samovar.model.audit import audit_file
from samovar.project.adopt import Adoption, Others, adopt
from samovar.project.found import FoundModel, Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.cli.render import Screen

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@click.command()
@FOLDER
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
    others = Others(
        detect=detect,
        propose=lambda sources, found: propose_requirements(sources, found, interpreter),
        asked=lambda requirements: asked(requirements, folder),
        default_python=_PYTHON,
    )
    try:
        adoption = adopt(folder, wishes, others)
    except InvalidModel as error:
        asks = not (yes or screen.as_json) and sys.stdin.isatty()
        if not asks or error.code != "several_models":
            raise
        chosen = click.prompt(f"{error.message}\nWhich one", err=True)
        adoption = adopt(folder, replace(wishes, model=chosen), others)
    document = {
        "project": adoption.project.project.name,
        "written": list(adoption.written),
        "notes": list(adoption.notes),
    }
    screen.result(document, _people(folder, adoption))
    return exit_codes.DONE


def _people(folder: Path, adoption: Adoption) -> str:
    lines = [f"Adopted {folder.resolve()} as {adoption.project.project.name}."]
    lines += [f"  wrote {path}" for path in adoption.written]
    lines += [f"  {note}" for note in adoption.notes]
    return "\n".join([*lines, "Next: samovar lock, then samovar pack"])


def detect(path: Path) -> FoundModel | None:
    """Say what a model file is, by reading it; None where it is no model."""
    try:
        report = audit_file(path)
    except InvalidModel:
        return None
    objections = sorted({finding.global_ for finding in report.findings if finding.global_})
    # Findings without a name are about the file itself.
    broken = [finding.why for finding in report.findings if not finding.global_]
    return FoundModel(
        format=report.format,
        library_versions=dict(report.library_versions),
        python_hint=report.python_hint,
        root=report.root,
        globals=report.globals,
        objections=tuple(objections),
        unread=broken[0] if broken and not objections else None,
    )


def asked(requirements: Sequence[str], folder: Path) -> dict[str, str] | None:
    """Give the specifiers that requirements ask for by normalised name; None if unreadable."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        read = read_requirements(requirements, folder)
    except InvalidRequirements:
        return None
    wanted: dict[str, str] = {}
    for line in (*read.specifiers, *read.constraints):
        one = Requirement(line)
        name = canonicalize_name(one.name)
        wanted[name] = ",".join(filter(None, (wanted.get(name, ""), str(one.specifier))))
    return wanted


def _python(text: str | None) -> tuple[str | None, Path | None]:
    """Tell a version from an interpreter; the latter says its version itself."""
    if text is None or text.replace(".", "").isdigit():
        return text, None
    from samovar.env.interpreters import probe

    found = probe(Path(text))
    return found.minor, found.path
