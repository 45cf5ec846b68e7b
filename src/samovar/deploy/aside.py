"""Who stands beside the replicas, a shadow or a canary, and what became of its answers."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from samovar.deploy.replicas import ProcessReplica
    from samovar.deploy.running import RunFolder, RunState

ASIDE: Final = "aside.json"
SHADOW: Final = "shadow"
CANARY: Final = "canary"
_LINE: Final = re.compile(r'samovar_(shadow|canary)_answers_total\{\w+="(\w+)"\} (\d+)$')
_TIMEOUT_S: Final = 2.0


@dataclass(kw_only=True)
class Served:
    """Which bundle.

    Parameters
    ----------
    name, digest : str
        Of the bundle.
    """

    name: str
    digest: str


@dataclass(kw_only=True)
class Aside:
    """A server beside the replicas, which answers a share of the requests, or nobody.

    Parameters
    ----------
    replica : ProcessReplica
        The server.
    served : Served
        Its bundle.
    role : str
        ``shadow`` or ``canary``.
    share : float
        Of the requests that a canary answers, in (0, 1].
    """

    replica: ProcessReplica
    served: Served
    role: str
    share: float

    def to_json(self) -> dict[str, Any]:
        """Give what the run's state says of it."""
        return {
            "role": self.role,
            "share": self.share,
            "name": self.served.name,
            "digest": self.served.digest,
            "id": str(self.replica.server.pid),
            "number": self.replica.number,
            "private": self.replica.server.url,
        }


def describe_run(folder: RunFolder, state: RunState) -> dict[str, Any]:
    """Give the object that ``ps`` and ``switch`` print for a run."""
    described = folder.describe(state)
    if described["aside"] is not None:
        described["aside"]["answers"] = _counts(state)
    return described


def _counts(state: RunState) -> dict[str, int]:
    """Ask each replica, privately, and add up; one that does not answer counts for nothing.

    Returns
    -------
    dict of str to int
        Of a shadow by verdict, of a canary by outcome; empty where nobody stands aside.
    """
    import httpx  # slow, and seldom needed

    counts: dict[str, int] = {}
    if state.aside is None:
        return counts
    for replica in state.replicas:
        with suppress(httpx.HTTPError):
            answer = httpx.get(f"{replica['private']}/metrics", timeout=_TIMEOUT_S, trust_env=False)
            for line in answer.text.splitlines():
                found = _LINE.match(line)
                if found is not None and found[1] == state.aside["role"]:
                    counts[found[2]] = counts.get(found[2], 0) + int(found[3])
    return counts
