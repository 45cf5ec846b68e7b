"""Where things are in an image, and whom they run as."""

from __future__ import annotations

from typing import Final

VENV: Final = "opt/venv"
"""A virtual environment with the model's own packages and nothing else."""
PYTHON: Final = "/opt/venv/bin/python"
RUNTIME: Final = "opt/samovar"
"""The runtime's folder, as docs/decisions/0001-rooms.md describes it."""
START: Final = "/etc/samovar/start.json"
"""The job that chooses numbers of threads by the container's limits and then begins `JOB`."""
JOB: Final = "/etc/samovar/job.json"
BUNDLE: Final = "/srv"
PORT: Final = 5000
GRPC_PORT: Final = 8001
"""Of images that answer over gRPC too; other servers of the protocol listen there."""
USER: Final = 65532
"""Numeric, so that Kubernetes' ``runAsNonRoot`` can be sure of it; the number of distroless."""


def site_packages(minor: str) -> str:
    """Give the folder of the model's packages.

    Examples
    --------
    >>> site_packages("3.11")
    'opt/venv/lib/python3.11/site-packages'
    """
    return f"{VENV}/lib/python{minor}/site-packages"
