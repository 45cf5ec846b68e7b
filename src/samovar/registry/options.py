"""How a registry is talked to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a caller may choose.

    Parameters
    ----------
    plain_http : bool
        Speak plain http to a registry that is not on loopback.
    parallel : int
        How many blobs move at once.
    chunk_bytes : int, optional
        Upload blobs in pieces of this size, for proxies that limit a request's body; by default
        each goes in one request.
    timeout_s : float
        Longest silence, in seconds.
    attempts : int
        How often in a row something is tried without any progress.
    backoff_s : float
        First pause before another attempt, in seconds; each further one is twice as long.
    longest_wait_s : float
        Longest pause that a registry may ask for; where it asks for more, its refusal is final.
    slowest_bytes_s : int
        Bytes a second below which a download counts as stalled, over ``timeout_s``.
    referrers : bool
        Whether attestations and SBOMs go along.
    """

    plain_http: bool = False
    parallel: int = 4
    chunk_bytes: int | None = None
    timeout_s: float = 30.0
    attempts: int = 4
    backoff_s: float = 0.25
    longest_wait_s: float = 60.0
    slowest_bytes_s: int = 64
    referrers: bool = True
