"""``samovar venv``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samovar.bundle.environment import rebuild
from samovar.cli import exit_codes
from samovar.cli.targets import open_lock
from samovar.env.activation import describe_activation, set_vscode_interpreter
from samovar.store.home import Home

if TYPE_CHECKING:
    from samovar.cli.render import Screen
    from samovar.env.venv import Venv


@click.command()
@click.argument("target", required=False)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--python", type=click.Path(path_type=Path), help="Make it from this interpreter.")
@click.option("--vscode", is_flag=True, help="Let VS Code use it in the current folder.")
@click.pass_obj
def command(
    screen: Screen, target: str | None, path: Path | None, python: Path | None, vscode: bool
) -> int:  # fmt: skip
    """Rebuild the locked environment of TARGET in PATH (by default .venv)."""
    home = Home.locate()
    with home.workspace() as workspace, screen.progress("Reading the lock") as progress:
        locked = open_lock(target, workspace, progress)
        venv = rebuild(locked, (path or Path(".venv")).absolute(), python=python, progress=progress)
    document = _document(venv)
    if vscode:
        document["vscode"] = str(set_vscode_interpreter(Path.cwd(), venv.interpreter.path))
    screen.result(document, _people(document))
    return exit_codes.DONE


def _document(venv: Venv) -> dict[str, Any]:
    return {
        "path": str(venv.path),
        "python": str(venv.interpreter.path),
        "packages": venv.packages,
        "activate": describe_activation(venv.path),
    }


def _people(document: dict[str, Any]) -> str:
    activate = document["activate"]
    shells = ("powershell", "cmd") if os.name == "nt" else ("posix", "fish")
    count = document["packages"]
    noun = "package" if count == 1 else "packages"
    lines = [f"Made {document['path']} with {count} {noun}. Switch it on by"]
    lines += [f"  {shell:10} {activate[shell]}" for shell in shells]
    return "\n".join(lines)
