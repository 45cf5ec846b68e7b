"""Run the installed command as a user does, and read what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMOVAR = str(Path(sys.executable).parent / ("samovar.exe" if os.name == "nt" else "samovar"))
EXAMPLE = Path(__file__).parents[1] / "examples" / "web"


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error in that document."""
        return self.json["error"]


def samovar(
    *arguments: str | Path,
    cwd: Path | None = None,
    code: int | None = 0,
    umask: int = -1,
    timeout_s: float = 240,
    stdin: str | None = None,
    shows_traceback: bool = False,
    user: int | None = None,
    **variables: str | Path,
) -> Answer:
    """Run one command; its exit code must be ``code`` (None: any), and no traceback is shown.

    ``user`` is the number of another user, as whom root runs it; it may read what root may, as this
    Python can be in a folder that is root's alone. ``shows_traceback`` is for a user's own script that
    fails: its traceback is shown as its own.
    """
    environment = {**os.environ, **{name: str(value) for name, value in variables.items()}}
    if user is not None:  # who may not write where coverage is kept
        for name in [name for name in environment if name.startswith("COVERAGE_")]:
            del environment[name]
    ended = subprocess.run(
        [*_as_user(user), SAMOVAR, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
        umask=umask,
    )
    answer = Answer(ended.returncode, ended.stdout, ended.stderr)
    said = (
        f"samovar {' '.join(map(str, arguments))}\nexit {answer.code}\n{answer.out}\n{answer.err}"
    )
    traceback = "Traceback (most recent call last)" in answer.err
    assert traceback is shows_traceback, said
    assert code is None or answer.code == code, said
    return answer


def _as_user(number: int | None) -> list[str]:
    if number is None:
        return []
    reading = "+dac_read_search"
    return [
        "setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups",
        f"--inh-caps={reading}", f"--ambient-caps={reading}", "--",
    ]  # fmt: skip


def copy_example(folder: Path) -> Path:
    """Copy the example project as its author has it: without samovar.toml and without a lock."""
    ignore = shutil.ignore_patterns("__pycache__", "*venv", "samovar.toml", "pylock.toml")
    shutil.copytree(EXAMPLE, folder, ignore=ignore)
    return folder
