"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOUNTED: Final = Path("/sys/fs/cgroup")
_OWN: Final = Path("/proc/self/cgroup")


def usable_cpus(*, mounted: Path = _MOUNTED, own: Path = _OWN) -> int:
    """Give the processors that affinity and the quotas of control groups leave, at least one.

    Parameters
    ----------
    mounted : Path
        Where the control groups (v1, v2) are.
    own : Path
        Which of them are this process's.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quotas = [quota for folder in _folders(mounted, own) if (quota := _quota(folder)) is not None]
    return max(1, min(count, *map(math.floor, quotas))) if quotas else count


def _folders(mounted: Path, own: Path) -> Iterator[Path]:
    """Give the groups whose quotas hold: one's own, and all that it lies in.

    In a container the paths may be those outside of it; what holds is at the root then.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    paths = {"": "/", "cpu": "/"}
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers or "cpu" in controllers.split(","):
            paths["cpu" if controllers else ""] = path
    for controller, path in paths.items():
        folder = mounted / controller / path.lstrip("/")
        while folder.is_relative_to(mounted / controller):
            yield folder
            folder = folder.parent


def _quota(folder: Path) -> float | None:
    try:
        limit, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        limit = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
        period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return int(limit) / int(period) if int(limit) > 0 else None
    except (OSError, ValueError):
        return None
