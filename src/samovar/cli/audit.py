"""``samovar audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from samovar.bundle.opened import unpack_bundle
from samovar.bundle.resolve import resolve
from samovar.bundle.target import ModelFile, ProjectFolder, read_target
from samovar.cli import exit_codes
from samovar.core import layout
from samovar.errors import InvalidProject
from samovar.model.audit import AuditReport, audit_file, audit_model
from samovar.project.config import read_project
from samovar.store.home import Home
from samovar.store.layout import Store

if TYPE_CHECKING:
    from rich.console import Console

    from samovar.cli.render import Screen


@click.command()
@click.argument("target", metavar="FILE|TARGET", required=False)
@click.pass_obj
def command(screen: Screen, target: str | None) -> int:
    """Say what a model file would run, without loading it.

    FILE may be of any format; of a TARGET the model is read, and its project's trusted names count.
    """
    name, report = audit_target(screen, target)
    screen.result(report.to_json(), lambda console: _people(console, name, report))
    return exit_codes.DONE if report.ok else exit_codes.ANSWER_IS_NO


def audit_target(screen: Screen, target: str | None) -> tuple[str, AuditReport]:
    """Audit the model that a TARGET means; a project is not packed for it."""
    if target is not None and Path(target).is_file() and not target.endswith(".tar"):
        return target, audit_file(Path(target))
    home = Home.locate()
    store = Store(home.store)
    found = read_target(target, store)
    if isinstance(found, ModelFile):
        return str(found.path), audit_file(found.path)
    if isinstance(found, ProjectFolder):
        return _of_project(found.path)
    with screen.progress("Opening the bundle") as progress, home.workspace() as workspace:
        reference, bundle = resolve(home, store, found, progress)
        root = unpack_bundle(store, bundle, workspace)
        model = bundle.document.model
        path = root / layout.PROJECT / model.path
        report = audit_model(path, trusted=model.trusted, factory=model.factory)
        return f"{reference} {model.path}", report


def _of_project(folder: Path) -> tuple[str, AuditReport]:
    model = read_project(folder).model
    if model is None:
        raise InvalidProject(
            f"The project in {folder} names no model.",
            hint="Set [model] path in samovar.toml.",
            code="no_model",
        )
    path = folder / model.path
    return model.path, audit_model(path, trusted=model.trusted, factory=model.factory)


def _people(console: Console, name: str, report: AuditReport) -> None:
    if report.format == "python":
        console.print(f"{name}: {report.globals[0]} of the project makes the model", markup=False)
        return
    if report.ok:
        root = f", a {report.root}" if report.root is not None else ""
        console.print(f"{name}: nothing but what is on the allowlist ({report.format}{root})")
        for library, version in sorted(report.library_versions.items()):
            console.print(f"  made with {library} {version}", markup=False)
        return
    console.print(f"{name}: {len(report.findings)} findings ({report.format})", markup=False)
    for finding in report.findings:
        subject = finding.global_ or "the file"
        console.print(f"  {subject} at byte {finding.offset}: {finding.why}", markup=False)
