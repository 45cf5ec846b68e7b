"""A runtime's folder made from the source tree, and bundles to run in it, for tests."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import samovar

PACKAGES = ("msgspec", "httptools", "uvloop")
SOURCE = Path(samovar.__file__).parent


def make_runtime(folder: Path) -> Path:
    """Copy the runtime's modules into a folder, with ``boot/boot.py`` beside them.

    Its dependencies are those of the interpreter that runs the tests.
    """
    package = folder / "samovar"
    ignore = shutil.ignore_patterns("__pycache__")
    for room in ("core", "runtime"):
        shutil.copytree(SOURCE / room, package / room, ignore=ignore)
    shutil.copy(SOURCE / "errors.py", package / "errors.py")
    (folder / "boot").mkdir()
    shutil.copy(SOURCE / "runtime" / "boot.py", folder / "boot" / "boot.py")
    return folder


def make_bundle(
    folder: Path,
    model: object,
    *,
    method: str = "predict",
    name: str = "iris",
    message: str = "Server is running!",
    app: str | None = None,
    files: dict[str, str] | None = None,
) -> Path:
    """Write an unpacked bundle without signature and receipt."""
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "model.pkl").write_bytes(pickle.dumps(model, protocol=4))
    for path, text in (files or {}).items():
        (project / path).write_text(text, encoding="utf-8")
    document = {
        "samovar": 1,
        "name": name,
        "version": "1.0.0",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "model": {"path": "model.pkl", "format": "pickle", "method": method, "trusted": []},
        "signature": {"container": "array", "inputs": [], "outputs": []},
        "service": {"app": app, "message": message},
        "files": [],
    }
    (folder / "samovar.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def run_job(runtime: Path, folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    """Run a verb to its end and give what it answered."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    path = folder / "job.json"
    path.write_text(json.dumps({**job, "result": str(result)}), encoding="utf-8")
    done = subprocess.run(command(runtime, path), capture_output=True, text=True, timeout=120)
    assert result.exists(), done.stderr
    answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return answer


def record_into(runtime: Path, bundle: Path, rows: list[Any], **options: Any) -> dict[str, Any]:
    """Record a bundle's signature and receipt and write them into it."""
    answer = run_job(
        runtime, bundle.parent, {"verb": "record", "bundle": str(bundle), "rows": rows, **options}
    )
    recorded: dict[str, Any] = answer["ok"]
    document = json.loads((bundle / "samovar.json").read_text(encoding="utf-8"))
    document["signature"] = recorded["signature"]
    (bundle / "samovar.json").write_text(json.dumps(document), encoding="utf-8")
    (bundle / "receipt.json").write_text(json.dumps(recorded["receipt"]), encoding="utf-8")
    return recorded


def command(runtime: Path, job: Path) -> list[str]:
    """Give the command that starts the runtime on a job file."""
    boot = str(runtime / "boot" / "boot.py")
    return [sys.executable, "-X", "utf8", "-s", boot, str(job)]


def has_packages() -> bool:
    """Whether the runtime's own dependencies are here."""
    return all(util.find_spec(name) is not None for name in PACKAGES)
