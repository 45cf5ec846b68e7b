"""Kill the installed command at a system call, and look at the store that it leaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli import SAMOVAR
from engines.processes import need
from samovar.store.check import check
from samovar.store.layout import Store

if TYPE_CHECKING:
    from pathlib import Path

CHANGING = (
    "fsync rename renameat2 unlink unlinkat chmod fchmod mkdir mkdirat write flock ftruncate"
).split()
SHARED = ("envs", "runtime", "cache")
"""What a home may have from another: no command of these writes it again."""
_CALL = re.compile(r"(?:(\d+) +)?(\w+)\(")


@dataclass(frozen=True)
class Command:
    """A command, where it runs, and the home that it starts from."""

    words: tuple[str, ...]
    home: Path
    folder: Path

    def copy_home(self, into: Path) -> Path:
        """Give a home of its own, with the same store and the same environments."""
        into.mkdir(mode=0o700)
        shutil.copytree(self.home / "store", into / "store")
        for name in SHARED:
            if (self.home / name).exists():
                (into / name).symlink_to(self.home / name)
        return into

    def run(self, home: Path, *before: str) -> subprocess.CompletedProcess[str]:
        """Run it, under a program that is told what to do with it."""
        return subprocess.run(
            [*before, SAMOVAR, *self.words],
            cwd=self.folder,
            env={**os.environ, "SAMOVAR_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def points(self, scratch: Path) -> list[tuple[str, int]]:
        """Give every call that changes something, and which of its kind in one thread it is.

        Threads and children are followed: uv, Git and the model's environment write too.
        """
        log = scratch / "calls"
        home = self.copy_home(scratch / "whole")
        ended = self.run(home, *self._strace(log, f"trace={','.join(CHANGING)}"))
        assert ended.returncode == 0, ended.stderr
        shutil.rmtree(home)
        calls = Counter(
            (found[1], found[2])
            for line in log.read_text().splitlines()
            if (found := _CALL.match(line))
        )
        most = {call: max(n for (_, name), n in calls.items() if name == call) for _, call in calls}
        return [(call, n) for call in sorted(most) for n in range(1, most[call] + 1)]

    def kill_at(self, home: Path, call: str, number: int, scratch: Path) -> bool:
        """Run it, and kill whichever of its processes makes a call, at the call's entry.

        Returns
        -------
        bool
            Whether any was killed.
        """
        log = scratch / "killed"
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        ended = self.run(home, *self._strace(log, f"trace={call}", inject))
        assert "Traceback" not in ended.stderr, ended.stderr
        return "killed by SIGKILL" in log.read_text()

    def _strace(self, log: Path, *expressions: str) -> list[str]:
        strace = need("strace", "apt install strace")
        options = [word for expression in expressions for word in ("-e", expression)]
        return [strace, "-f", "-q", "-o", str(log), *options]


def spread(points: list[tuple[str, int]], count: int) -> list[tuple[str, int]]:
    """Choose so many points, evenly; each several times where there are fewer.

    Examples
    --------
    >>> spread([("a", 1), ("a", 2), ("b", 1), ("b", 2)], 2)
    [('a', 1), ('b', 1)]
    """
    return [points[i * len(points) // count] for i in range(count)]


def is_whole(home: Path, *names: str) -> None:
    """Assert that nothing is half written, and that these names are still there."""
    store = Store(home / "store")
    assert check(store) == []
    assert all(re.fullmatch("[0-9a-f]{64}", path.name) for path in store.blobs.iterdir())
    assert set(names) <= set(store.names())
