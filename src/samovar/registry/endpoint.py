"""From a reference to the host that is asked, and to the names that its credentials have.

References
----------
Docker Hub is the one registry whose host differs from its name: ``docker.io`` in references,
``registry-1.docker.io`` on the wire, ``https://index.docker.io/v1/`` in Docker's configuration.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidReference

if TYPE_CHECKING:
    from samovar.core.reference import Reference

_HUB_NAMES: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_HOST: Final = "registry-1.docker.io"
_HUB_KEYS: Final = (
    "https://index.docker.io/v1/",
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One repository of one registry.

    Parameters
    ----------
    registry : str
        As references write it.
    host : str
        Host and port that are asked.
    repository : str
        Name in requests.
    config_keys : tuple of str
        Under what Docker's ``config.json`` may have its credentials, the usual one first.
    """

    registry: str
    host: str
    repository: str
    config_keys: tuple[str, ...]

    @classmethod
    def of(cls, reference: Reference) -> Endpoint:
        """Find the endpoint of a reference.

        Raises
        ------
        InvalidReference
            Where the reference names no registry.
        """
        if reference.registry is None:
            familiar = reference.name if "/" in reference.name else f"USER/{reference.name}"
            raise InvalidReference(
                f"{reference} names no registry.",
                hint=f"Write its host too: docker.io/{familiar} for Docker Hub, "
                f"HOST:PORT/{reference.name} for another.",
            )
        if reference.registry in _HUB_NAMES:
            name = reference.name if "/" in reference.name else f"library/{reference.name}"
            return cls(
                registry=reference.registry, host=_HUB_HOST, repository=name, config_keys=_HUB_KEYS
            )
        return cls(
            registry=reference.registry,
            host=reference.registry,
            repository=reference.name,
            config_keys=(reference.registry,),
        )

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine, so that plain http gives nothing away."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Say whether a host, with or without a port, is this machine by its name or number.

    Examples
    --------
    >>> is_loopback("localhost:5000"), is_loopback("[::1]:5000"), is_loopback("10.0.0.1")
    (True, True, False)
    """
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
