"""Programs from the package index that must not share samovar's environment: MLflow and others.

Each gets an environment of its own in ``.tools/`` below the project, made once by uv from hashed
requirements (``requirements/NAME.txt``), and kept.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from engines.processes import Running, answers, free_port, running, unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """An environment with programs from the package index."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Folder of its programs."""
        return self.folder / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / ("python.exe" if os.name == "nt" else "python")


def tool(name: str) -> Tool:
    """Give the environment of ``requirements/NAME.txt``; made where there is none of that text."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    tools = ROOT / ".tools"
    tools.mkdir(exist_ok=True)
    folder = tools / f"{name}-{key}-venv"
    with FileLock(tools / f"{name}.lock"):
        if not (folder / ".ready").exists():
            _make(folder, requirements)
    return Tool(folder=folder)


def _make(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    uv = [sys.executable, "-m", "uv", "-q"]
    python = str(Tool(folder=folder).python)
    for command in (
        [*uv, "venv", "--python", sys.executable, str(folder)],
        [*uv, "pip", "install", "--python", python, "--require-hashes", "-r", str(requirements)],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            unavailable(f"{requirements.name} could not be installed: {done.stderr.strip()}")
    (folder / ".ready").touch()


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowServer:
    """A running tracking server."""

    url: str
    folder: Path
    server: Running


@pytest.fixture(scope="session")
def mlflow() -> Tool:
    """An environment with MLflow."""
    return tool("mlflow")


@pytest.fixture(scope="session")
def mlflow_server(mlflow: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """An MLflow tracking server with a database of its own."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    command = [
        mlflow.python, "-m", "mlflow", "server",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'runs.db'}",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    env = {**os.environ, "PATH": f"{mlflow.bin}{os.pathsep}{os.environ['PATH']}"}
    with running(
        command, log=folder / "log", ready=lambda: answers(port), env=env, cwd=folder, within_s=120
    ) as server:
        yield MlflowServer(url=f"http://127.0.0.1:{port}", folder=folder, server=server)


@pytest.fixture(scope="session")
def deploy_tools() -> Tool:
    """An environment with ansible-core and kubernetes-validate."""
    return tool("deploy")


@pytest.fixture(scope="session")
def http_clients() -> Tool:
    """An environment with tritonclient and schemathesis."""
    return tool("clients")


@pytest.fixture(scope="session")
def signing_tools() -> Tool:
    """An environment with model-signing and securesystemslib."""
    return tool("signing")


@pytest.fixture(scope="session")
def dvc() -> Tool:
    """An environment with DVC."""
    return tool("dvc")
