"""The Ray cluster that is there already."""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from samovar.errors import Unavailable

_PROBE_S: Final = 5.0


def connect_ray(**options: Any) -> Any:
    """Connect to the cluster that runs here or that ``RAY_ADDRESS`` names; give Ray itself.

    Parameters
    ----------
    **options
        For ``ray.init``, besides the address.

    Raises
    ------
    Unavailable
        Where Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError:
        raise Unavailable(
            "Ray is not installed beside samovar.",
            hint="Install samovar[ray], in the version that the cluster has.",
            code="no_ray",
        ) from None
    if not ray.is_initialized():
        try:
            _probe(os.environ.get("RAY_ADDRESS", ""))
            ray.init(address="auto", log_to_driver=False, logging_level="ERROR", **options)
        except (OSError, RuntimeError) as error:
            raise Unavailable(
                "No Ray cluster answers.",
                why=str(error).splitlines()[0],
                hint="Start one with 'ray start --head', or set RAY_ADDRESS.",
                code="no_cluster",
            ) from error
    return ray


def _probe(address: str) -> None:
    """Connect to an address once: Ray itself tries for minutes where nobody is there.

    Raises
    ------
    OSError
        Where nobody answers within a few seconds.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_PROBE_S).close()
