"""Run a program in an unpacked image without any engine: with a root, and no network, of its own.

Linux gives an ordinary user a private root by a user namespace; where those are switched off, root
may still use ``chroot``. The programs are util-linux' and coreutils'.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from samovar.image.paths import USER

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMESPACES: Final = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork",
    "--kill-child",
)  # fmt: skip
_SETTLE: Final = """
set -e
root=$1; shift
mount --rbind /proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for one in null zero random urandom; do mount --bind "/dev/$one" "$root/dev/$one"; done
exec chroot "$root" "$@"
"""
_DEVICES: Final = ("null", "zero", "random", "urandom")
_WORLD: Final = 0o1777
_SBIN: Final = ("/usr/sbin", "/sbin")


def why_not() -> str | None:
    """Say what is missing here for a private root; None where nothing is."""
    if not sys.platform.startswith("linux"):
        return "A private root needs Linux."
    if has_namespaces() or _may_chroot():
        return None
    return (
        "User namespaces are switched off (sysctl kernel.unprivileged_userns_clone, "
        "user.max_user_namespaces), or the command 'unshare' of util-linux is missing; and only "
        "root may use chroot."
    )


def command(root: Path, words: Sequence[str]) -> list[str]:
    """Give the command that runs a program of an unpacked image with that image as its root.

    Parameters
    ----------
    root : Path
        The unpacked image; folders for ``/proc``, ``/dev`` and ``/tmp`` are made in it.
    words : sequence of str
        Program and arguments, as the image sees them.
    """
    _furnish(root)
    if has_namespaces():
        return [*_NAMESPACES, "--", "/bin/sh", "-c", _SETTLE, "sh", str(root), *words]
    # Without a /proc of its own it still has to learn which processor this is.
    (root / "proc" / "cpuinfo").write_bytes(Path("/proc/cpuinfo").read_bytes())
    return ["chroot", f"--userspec={USER}:{USER}", str(root), *words]


def _furnish(root: Path) -> None:
    for path in ("proc", "dev", "dev/shm", "tmp"):
        _own_folder(root / path)
    for path in ("tmp", "dev/shm"):
        (root / path).chmod(_WORLD)
    for name in _DEVICES:
        (root / "dev" / name).touch()


def _own_folder(path: Path) -> None:
    """Put an empty folder where the image may have anything, a link out of it included."""
    try:
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        pass
    path.mkdir()


def search_path() -> str:
    """Give where the launcher's programs are looked for."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])


@cache
def has_namespaces() -> bool:
    """Say whether this system gives a user namespace with mounts of its own."""
    return _succeeds([*_NAMESPACES, "--", "mount", "-t", "tmpfs", "tmpfs", "/tmp"])  # noqa: S108 - see above


def _may_chroot() -> bool:
    return os.geteuid() == 0 and _succeeds(["chroot", "/", "/bin/sh", "-c", ":"])


def _succeeds(words: Sequence[str]) -> bool:
    try:
        ended = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": search_path()},
            check=False,
        )
    except FileNotFoundError:
        return False
    return ended.returncode == 0
