"""Limits on processor time and memory for a process of ours: by control groups, where allowed.

References
----------
Linux kernel documentation, "Control Group v2" and "Memory Resource Controller" (v1).
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a replica may use.

    Parameters
    ----------
    cpus : float or None
        Processors' worth of time; None is without limit.
    memory_bytes : int or None
        Memory; None is without limit.
    """

    cpus: float | None = None
    memory_bytes: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the object that ``run`` prints."""
        return {"cpus": self.cpus, "memory_bytes": self.memory_bytes}


class ControlGroup:
    """The control groups of one replica; made by :meth:`make`, removed by :meth:`remove`.

    Parameters
    ----------
    name : str
        Of the groups.
    limits : Limits
        What is asked for.
    root : Path
        Where the kernel's control groups are mounted.
    """

    def __init__(self, name: str, limits: Limits, *, root: Path = _ROOT) -> None:
        self._name = name
        self._limits = limits
        self._root = root
        self._folders: list[Path] = []
        self.enforced: list[str] = []

    def make(self) -> list[str]:
        """Make the groups and set the limits.

        Returns
        -------
        list of str
            What of ``cpus`` and ``memory`` the kernel enforces from now on.
        """
        if self._limits.cpus is not None and self._set_cpus(self._limits.cpus):
            self.enforced.append("cpus")
        if self._limits.memory_bytes is not None and self._set_memory(self._limits.memory_bytes):
            self.enforced.append("memory")
        return self.enforced

    def enter(self) -> None:
        """Move the calling process into the groups; called between fork and exec."""
        for folder in self._folders:
            with suppress(OSError):
                (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the groups, once their processes are gone."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()
        self._folders.clear()

    def _set_cpus(self, cpus: float) -> bool:
        quota = max(1000, int(cpus * _PERIOD_US))
        if self._is_v2():
            return self._write("", {"cpu.max": f"{quota} {_PERIOD_US}"})
        return self._write(
            "cpu", {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota)}
        )

    def _set_memory(self, size_bytes: int) -> bool:
        if self._is_v2():
            return self._write("", {"memory.max": str(size_bytes)})
        return self._write("memory", {"memory.limit_in_bytes": str(size_bytes)})

    def _is_v2(self) -> bool:
        return (self._root / "cgroup.controllers").exists()

    def _write(self, controller: str, values: dict[str, str]) -> bool:
        folder = self._root / controller / f"samovar-{self._name}"
        try:
            folder.mkdir(exist_ok=True)
            if folder not in self._folders:
                self._folders.append(folder)
            for name, value in values.items():
                (folder / name).write_text(value)
        except OSError:
            return False
        return True


def not_enforced(limits: Limits, enforced: list[str]) -> list[str]:
    """Name the limits that were asked for and are not enforced."""
    asked = {"cpus": limits.cpus, "memory": limits.memory_bytes}
    return [name for name, value in asked.items() if value is not None and name not in enforced]
