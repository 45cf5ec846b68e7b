"""How a virtual environment is switched on in each shell, and in VS Code."""

from __future__ import annotations

import json
import os
import shlex
from typing import TYPE_CHECKING, Any

from samovar.errors import InvalidProject
from samovar.store.atomic import write_file

if TYPE_CHECKING:
    from pathlib import Path

_POLICY = "Set-ExecutionPolicy -Scope Process -ExecutionPolicy RemoteSigned"


def describe_activation(path: Path) -> dict[str, str]:
    """Give the line that switches an environment on, by shell.

    Parameters
    ----------
    path : Path
        The environment's folder.

    Returns
    -------
    dict
        ``posix``, ``fish``, ``powershell`` (with the line that lets it run scripts) and ``cmd``.
    """
    folder = path / ("Scripts" if os.name == "nt" else "bin")
    quoted = str(folder).replace("'", "''")
    return {
        "posix": f". {shlex.quote((folder / 'activate').as_posix())}",
        "fish": f"source {shlex.quote((folder / 'activate.fish').as_posix())}",
        "powershell": f"{_POLICY}; & '{quoted}{os.sep}Activate.ps1'",
        "cmd": f'"{folder}{os.sep}activate.bat"',
    }


def set_vscode_interpreter(project: Path, python: Path) -> Path:
    """Let VS Code use an interpreter in a project; every other setting is kept.

    Raises
    ------
    InvalidProject
        Where the settings have comments or are malformed: they are not rewritten then.
    """
    file = project / ".vscode" / "settings.json"
    key = "python.defaultInterpreterPath"
    settings: Any = {}
    if file.is_file():
        try:
            settings = json.loads(file.read_text(encoding="utf-8-sig"))
        except ValueError as error:
            raise InvalidProject(
                f"{file} cannot be changed without losing its comments.",
                why=str(error),
                hint=f'Add this line yourself: "{key}": {json.dumps(str(python))}',
                code="vscode_settings",
            ) from error
    if not isinstance(settings, dict):
        raise InvalidProject(f"{file} is not an object.", hint="Correct it or remove it.")
    file.parent.mkdir(exist_ok=True)
    text = json.dumps({**settings, key: str(python)}, indent=4, ensure_ascii=False) + "\n"
    write_file(file, text.encode())
    return file
