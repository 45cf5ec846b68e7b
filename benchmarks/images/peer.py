"""The peer: a Docker engine, a slim Python image, and two Dockerfiles."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HUB = "python:3.11-slim"
BASE = "bench/python:3.11-slim"
CAREFUL = """\
FROM {base}
WORKDIR /srv
COPY requirements.txt .
RUN {pip}
COPY . .
USER 65532
EXPOSE 5000
CMD ["python3", "server.py"]
"""
USUAL = """\
FROM {base}
WORKDIR /srv
COPY . .
RUN {pip}
EXPOSE 5000
CMD ["python3", "server.py"]
"""
PIP = "python3 -m pip install --no-cache-dir --break-system-packages -r requirements.txt"


def prepare_base(engine, folder: Path) -> str:
    """Bring a slim Python image into the engine and give its origin.

    Docker Hub's where it is reached; else one of the same packages, made by mmdebstrap.
    """
    context = folder / "base"
    context.mkdir()
    if engine.docker("pull", HUB, check=False).returncode == 0:
        start, origin = HUB, "Docker Hub"
    else:
        tar = folder / "slim.tar"
        subprocess.run(
            ["mmdebstrap", "--variant=minbase",
             "--include=python3,python3-pip,python3-venv,ca-certificates", "bookworm", tar],
            check=True, capture_output=True,
        )  # fmt: skip
        engine.docker("import", tar, "bench/made:latest")
        start, origin = "bench/made:latest", "mmdebstrap, as Docker Hub is not reached"
    # The machine's own certificates, for indexes behind a proxy.
    shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", context / "ca.crt")
    (context / "Dockerfile").write_text(
        f"FROM {start}\nCOPY ca.crt /etc/ssl/certs/ca-certificates.crt\n"
        "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt\n"
    )
    engine.docker("build", "-t", BASE, context)
    return origin


def write_context(project: Path, folder: Path, text: str) -> Path:
    """Copy a project beside a Dockerfile."""
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns("data", "pylock.toml"))
    (folder / "Dockerfile").write_text(text.format(base=BASE, pip=PIP))
    return folder
