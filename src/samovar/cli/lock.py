"""``samovar lock``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.locking import check_lock, lock_project
from samovar.cli import exit_codes
from samovar.cli.arguments import FOLDER
from samovar.env.export import check_export_name, export_lock
from samovar.env.lock import FILE
from samovar.errors import UserError
from samovar.project.config import read_project
from samovar.store.atomic import write_file
from samovar.store.home import Home

if TYPE_CHECKING:
    from samovar.bundle.locking import Locked
    from samovar.cli.render import Screen
    from samovar.project.config import Project

_ALL = "\0all"
_MARK = "locked by samovar"


@click.command()
@FOLDER
@click.option(
    "--upgrade",
    is_flag=False,
    flag_value=_ALL,
    multiple=True,
    metavar="[NAME]",
    help="Bring NAME, or everything, to its newest version.",
)
@click.option("--check", is_flag=True, help="Only say whether the lock answers the requirements.")
@click.option(
    "--export",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write requirements.txt or environment.yml.",
)
@click.pass_obj
def command(
    screen: Screen, folder: Path, upgrade: tuple[str, ...], check: bool, export: tuple[Path, ...]
) -> int:  # fmt: skip
    """Lock the environment for every platform of the project, with hashes."""
    home, project = Home.locate(), read_project(folder)
    with home.workspace() as workspace, screen.progress("Locking") as progress:
        if check:
            reason = check_lock(project, workspace=workspace, progress=progress)
            screen.result(
                {"ok": reason is None, "why": reason or ""},
                reason or f"{FILE} answers the requirements.",
            )
            return exit_codes.DONE if reason is None else exit_codes.ANSWER_IS_NO
        for file in export:
            _check_export(file)
        names = None if not upgrade else [] if _ALL in upgrade else list(upgrade)
        locked = lock_project(home, project, upgrade=names, workspace=workspace, progress=progress)
    for file in export:
        _export(project, locked, file)
    screen.result(_document(project, locked), _people(locked))
    return exit_codes.DONE


def _document(project: Project, locked: Locked) -> dict[str, Any]:
    return {
        "packages": len(locked.lock.packages),
        "platforms": list(project.environment.platforms),
        "changed": [change.to_json() for change in locked.changes],
        "notes": list(locked.notes),
    }


def _people(locked: Locked) -> str:
    count = len(locked.lock.packages)
    lines = [f"Locked {count} package{'' if count == 1 else 's'} in {FILE}."]
    lines += [
        f"  {change.name} {change.before or 'new'} -> {change.after or 'gone'}"
        for change in locked.changes
        if change.before is not None
    ]
    return "\n".join(lines + [f"note: {note}" for note in locked.notes])


def _check_export(file: Path) -> None:
    """Refuse to write over what a user wrote, and endings that mean nothing, before any work."""
    check_export_name(file.name)
    if not file.exists():
        return
    first = file.read_text(encoding="utf-8", errors="replace").splitlines()[:1]
    if not first or _MARK not in first[0]:
        raise UserError(
            f"{file} is not an export of samovar's and is not written over.",
            hint="Name another file, or remove that one first.",
            code="would_overwrite",
        )


def _export(project: Project, locked: Locked, file: Path) -> None:
    text = export_lock(
        locked.lock,
        file.name,
        python_minor=project.project.python,
        project=project.project.name.replace("/", "-"),
    )
    write_file(file.absolute(), f"# {_MARK}; made from {FILE}\n{text}".encode())
