"""Node.js with the packages of an example, installed by their lock alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from engines.processes import need, unavailable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def onnx_client() -> Path:
    """Folder of ``examples/onnx`` with its packages."""
    return _installed(ROOT / "examples" / "onnx")


def _installed(example: Path) -> Path:
    """Copy an example to ``.tools`` and install what its ``package-lock.json`` pins by hashes."""
    need("node", "apt install nodejs")
    npm = need("npm", "apt install npm")
    lock = (example / "package-lock.json").read_bytes()
    tools = ROOT / ".tools"
    tools.mkdir(exist_ok=True)
    folder = tools / f"{example.name}-{hashlib.sha256(lock).hexdigest()[:12]}-node"
    with FileLock(tools / f"{example.name}-node.lock"):
        if not (folder / ".ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(example, folder, ignore=shutil.ignore_patterns("node_modules"))
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder,
                check=False,
                capture_output=True,
                text=True,
                timeout=240,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode != 0:
                unavailable(f"{example.name} could not be installed: {done.stderr.strip()}")
            _only_here(folder)
            (folder / ".ready").touch()
    for path in example.glob("*.mjs"):
        shutil.copy(path, folder)
    return folder


def _only_here(folder: Path) -> None:
    """Remove the libraries of other systems, two hundred megabytes."""
    own = {"win32": "win32", "darwin": "darwin"}.get(sys.platform, "linux")
    for system in folder.glob("node_modules/onnxruntime-node/bin/*/*"):
        if system.name != own:
            shutil.rmtree(system)
