"""Load each hostile file in a process of its own, locked in, and report what happened.

    python jail.py RESULT FILE...

The process has a fresh folder as home, working and temporary folder, SAMOVAR_MARKER in it, standard
input closed, and limits on memory, time and written bytes. The result is a JSON list of
``{"file", "error", "message", "left"}``; ``left`` are the files that the load left behind.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from samovar.errors import SamovarError
from samovar.runtime.loading import load_model

LIMITS = {
    resource.RLIMIT_AS: 4 << 30,
    resource.RLIMIT_CPU: 20,
    resource.RLIMIT_FSIZE: 32 << 20,
}


def load(path: Path) -> list[str]:
    """Try to load a file as every kind of stream; give the last error's class and message."""
    try:
        load_model(path, "pickle", method="predict")
    except SamovarError as error:
        return [type(error).__name__, str(error)]
    return ["", ""]


def locked_in(path: Path, folder: Path) -> None:
    """Carry out the load in this process and write its outcome beside the folder."""
    os.chdir(folder)
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), SAMOVAR_MARKER=str(folder / "marker"))
    os.close(0)
    for kind, limit in LIMITS.items():
        resource.setrlimit(kind, (limit, limit))
    outcome = load(path)
    folder.with_suffix(".json").write_text(json.dumps(outcome), encoding="utf-8")


def lock_in(path: Path, folder: Path) -> None:
    """Load a file in a child process and wait for its end."""
    folder.mkdir()
    child = os.fork()
    if child == 0:
        try:
            locked_in(path, folder)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def judge(path: Path, folder: Path) -> dict[str, object]:
    """Say what came of a load, and what it left."""
    outcome = folder.with_suffix(".json")
    error, message = (
        json.loads(outcome.read_text(encoding="utf-8")) if outcome.exists() else ["died", ""]
    )
    left = sorted(item.name for item in folder.iterdir())
    return {"file": path.name, "error": error, "message": message, "left": left}


def main() -> None:
    """Judge every file that is named."""
    result, *files = sys.argv[1:]
    with tempfile.TemporaryDirectory() as top:
        cells = [(Path(file), Path(top) / str(at)) for at, file in enumerate(files)]
        for path, folder in cells:
            lock_in(path, folder)
        time.sleep(0.1)  # for what a load started and did not wait for
        judged = [judge(path, folder) for path, folder in cells]
    Path(result).write_text(json.dumps(judged), encoding="utf-8")


if __name__ == "__main__":
    main()
