"""What a process keeps of its limits by itself, where control groups are not allowed.

Linux only: elsewhere the limits of a process do not bind its memory.

References
----------
getrlimit(2), ``RLIMIT_DATA`` (private anonymous memory since Linux 4.7); sched_setaffinity(2).
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.deploy.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Limits that a process is given before it starts its program, and hands on to its children.

    Parameters
    ----------
    data_bytes : int, optional
        Of each process's own data.
    processors : tuple of int
        The only ones it runs on; empty is all.
    keeps_cpus : bool
        Whether that is what was asked for.
    """

    data_bytes: int | None = None
    processors: tuple[int, ...] = ()
    keeps_cpus: bool = False

    @classmethod
    def of(cls, limits: Limits, enforced: Sequence[str], number: int) -> Fallback:
        """Find what can be kept of the limits that control groups do not enforce.

        Parameters
        ----------
        limits : Limits
            What was asked for.
        enforced : sequence of str
            What control groups keep of it.
        number : int
            Of the replica: they are spread over the processors.
        """
        if sys.platform != "linux":
            return cls()
        data_bytes = None if "memory" in enforced else limits.memory_bytes
        if limits.cpus is None or "cpus" in enforced:
            return cls(data_bytes=data_bytes)
        usable = sorted(os.sched_getaffinity(0))
        wanted = min(math.ceil(limits.cpus), len(usable))
        first = number * wanted
        return cls(
            data_bytes=data_bytes,
            processors=tuple(usable[(first + i) % len(usable)] for i in range(wanted)),
            keeps_cpus=limits.cpus >= wanted,
        )

    def enter(self) -> None:
        """Limit the calling process; called between fork and exec."""
        if sys.platform != "linux":
            return
        if self.data_bytes is not None:
            import resource

            _, most = resource.getrlimit(resource.RLIMIT_DATA)
            size = self.data_bytes if most == resource.RLIM_INFINITY else min(most, self.data_bytes)
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        if self.processors:
            os.sched_setaffinity(0, self.processors)

    @property
    def kept(self) -> dict[str, str]:
        """Give what keeps which limit."""
        found = {} if self.data_bytes is None else {"memory": "rlimit"}
        return {**found, "cpus": "affinity"} if self.keeps_cpus else found


def describe(limits: Limits, by: dict[str, str]) -> list[str]:
    """Say in sentences how far limits hold that control groups do not enforce.

    Parameters
    ----------
    limits : Limits
        What was asked for.
    by : dict of str to str
        What keeps which: ``cgroup``, ``rlimit``, ``affinity``.
    """
    said = []
    if limits.memory_bytes is not None and by.get("memory") == "rlimit":
        said.append(
            "Control groups are not allowed here: --memory is a limit (RLIMIT_DATA) of each "
            "process's own data, not of all of them together."
        )
    elif limits.memory_bytes is not None and "memory" not in by:
        said.append("--memory is not enforced: control groups are not allowed here.")
    if limits.cpus is not None and by.get("cpus") == "affinity":
        said.append(
            "Control groups are not allowed here: for --cpus each replica is bound to "
            f"{math.ceil(limits.cpus)} processors."
        )
    elif limits.cpus is not None and "cpus" not in by:
        bound = f" Each replica is bound to {math.ceil(limits.cpus)} of the processors."
        said.append(
            f"--cpus {limits.cpus:g} is not enforced: control groups are not allowed here."
            + (bound if sys.platform == "linux" else "")
        )
    return said
