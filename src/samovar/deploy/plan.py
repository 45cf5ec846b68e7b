"""What is deployed, and how much of it: the one input of everything that writes files."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from samovar.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samovar.core.digest import Digest

Files: TypeAlias = "Mapping[str, str]"
"""Texts by their path below the folder that they are written to; ``*.sh`` become executable."""

SERVICE_PORT: Final = 5000
"""Where a service listens inside its container or on its host."""
MIB: Final = 1024 * 1024
_MAX_LABEL: Final = 63
_MIN_MEMORY: Final = 64 * MIB
_ADDRESS: Final = re.compile(r"[A-Za-z0-9._:%\[\]-]+|\*")
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A bundle as something that can be run.

    Parameters
    ----------
    name : str
        The bundle's name, without tag.
    version : str
        Of the project.
    digest : Digest
        Of the bundle.
    image : str
        Reference of the image that serves it (``samovar build --tag``).
    python : str
        Minor version of Python, ``3.11``.
    app : str, optional
        The project's own application, ``server:app``.
    """

    name: str
    version: str
    digest: Digest
    image: str
    python: str
    app: str | None = None

    @property
    def label(self) -> str:
        """The name as a DNS label (RFC 1123), for orchestrators."""
        return label_of(self.name)


def label_of(name: str) -> str:
    """Make a DNS label of a bundle's name.

    Examples
    --------
    >>> label_of("team/titanic"), label_of("7b")
    ('team-titanic', 'm-7b')
    """
    label = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:_MAX_LABEL].rstrip("-")
    return label if label[:1].isalpha() else f"m-{label}"[:_MAX_LABEL]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A service, its replicas, and the limits of each.

    Parameters
    ----------
    service : Service
        What is run.
    replicas : int
        How many of it.
    cpus : float
        Processors for each replica; parts are allowed.
    memory_bytes : int
        Limit of each replica.
    port : int
        Where clients come in, on the balancer.
    address : str
        Address that the balancer listens on.
    hosts : tuple of str
        Machines, ``[user@]host[:port]``, for the ways that need to know them.
    balancer : str
        Reference of an image with NGINX.
    """

    service: Service
    replicas: int = 2
    cpus: float = 1.0
    memory_bytes: int = 512 * MIB
    port: int = 8080
    address: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    balancer: str = "nginx:1.28"

    def __post_init__(self) -> None:
        """Refuse what no orchestrator can run.

        Raises
        ------
        UserError
            Naming what is wrong.
        """
        if not 1 <= self.replicas <= 10_000:
            raise UserError(f"{self.replicas} replicas cannot be run: from 1 to 10000 can.")
        if not math.isfinite(self.cpus) or self.cpus < 0.01:
            raise UserError(f"{self.cpus} is no share of processors: 0.01 is the least.")
        if self.memory_bytes < _MIN_MEMORY:
            raise UserError(
                f"{self.memory_bytes} bytes are too little memory for a service.",
                hint="Give at least 64m.",
            )
        # Both go into the configuration of other programs as they are.
        if _ADDRESS.fullmatch(self.address) is None:
            raise UserError(
                f"{self.address!r} is no address to listen on.",
                hint="Give --address an IP number of this machine, or a host name.",
            )
        for image in (self.service.image, self.balancer):
            if _IMAGE.fullmatch(image) is None:
                raise UserError(
                    f"{image!r} is no reference of an image.",
                    hint="Give REGISTRY/NAME:TAG, NAME:TAG, or NAME@sha256:….",
                )

    @property
    def memory_mib(self) -> int:
        """The limit in MiB, rounded up."""
        return -(-self.memory_bytes // MIB)

    @property
    def cpu_text(self) -> str:
        """The processors without superfluous digits: ``0.5``, ``2``."""
        return f"{self.cpus:.3f}".rstrip("0").rstrip(".")

    @property
    def workers(self) -> int:
        """Processes that use the share: one for each whole processor, at least one."""
        return max(1, math.floor(self.cpus))
