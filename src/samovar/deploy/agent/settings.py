"""What an agent is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samovar.deploy.plan import label_of
from samovar.errors import InvalidReference, UserError

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.digest import Digest
    from samovar.core.reference import Reference

_LONGEST_INTERVAL_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Which reference is followed, and how it is served.

    Parameters
    ----------
    reference : Reference
        In a registry; one with a digest is served and never left.
    interval_s : float
        The registry is asked at least this often, in seconds.
    address, port : str, int
        Where clients come in; port 0 takes a free one.
    folder : Path
        The agent's own, for what it has to know after it was killed.
    app : bool
        Serve the project's own application.
    workers : str
        As ``samovar serve --workers``.
    plain_http : bool
        Speak http to a registry that is not on loopback.
    attested : bool
        Whether the machine's policy (``SAMOVAR_POLICY``) asks for attestations.
    status_port : int, optional
        Of loopback, for the page and the metrics.
    """

    reference: Reference
    interval_s: float
    address: str = "127.0.0.1"
    port: int = 8080
    folder: Path
    app: bool = False
    workers: str = "auto"
    plain_http: bool = False
    attested: bool = False
    status_port: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be followed.

        Raises
        ------
        UserError
            Where the reference is in no registry, or the interval is none.
        """
        if not self.reference.is_remote:
            raise InvalidReference(
                f"{self.reference} names no registry.",
                hint=f"An agent follows a registry: HOST:PORT/{self.reference.name}:TAG.",
            )
        if not 0.05 <= self.interval_s <= _LONGEST_INTERVAL_S:
            raise UserError(
                f"{self.interval_s:g} seconds are no interval.",
                hint="Give --interval between 0.05 and 604800 seconds.",
            )

    @property
    def label(self) -> str:
        """The name, as units and folders have it."""
        return label_of(self.reference.name)

    @property
    def kept_as(self) -> str:
        """The name in the store of what is served."""
        return f"{self.reference.registry}/{self.reference.name}:{self.reference.tag or 'agent'}"

    def exactly(self, digest: Digest | str) -> str:
        """Give the reference of what a digest names in the same repository."""
        return f"{self.reference.registry}/{self.reference.name}@{digest}"
