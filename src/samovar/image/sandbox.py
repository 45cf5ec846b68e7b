"""Run somebody's build without network, without the user's files, and without a way to change any.

Linux' user namespaces give it a root that has what is named here to read, one folder to write, and
nothing else: no home, no credentials, no sockets of engines or agents.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from samovar.errors import Unavailable
from samovar.image.private_root import has_namespaces, search_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SETTLE: Final = """
set -e
root=$1; scratch=$2; count=$3; shift 3
mount -t tmpfs tmpfs "$root"
while [ "$count" -gt 0 ]; do
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1"
  shift; count=$((count - 1))
done
mkdir -p "$root$scratch" "$root/proc" "$root/tmp" "$root/dev/shm"
mount --bind "$scratch" "$root$scratch"
mount --rbind /proc "$root/proc"
for one in null zero random urandom; do
  touch "$root/dev/$one"
  mount --bind "/dev/$one" "$root/dev/$one"
done
cd "$root"
exec chroot "$root" "$@"
"""
_NAMESPACES: Final = (
    "unshare", "--user", "--map-root-user", "--mount", "--net", "--ipc", "--pid", "--fork",
    "--kill-child",
)  # fmt: skip
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives")
_TAIL: Final = 2000


def run_in_sandbox(
    words: Sequence[str | Path],
    *,
    scratch: Path,
    readable: Sequence[Path],
    variables: Mapping[str, str],
) -> None:
    """Run a program to its end.

    Parameters
    ----------
    words : sequence of str or Path
        Program and arguments.
    scratch : Path
        The one folder that it may write to, under its own name; an empty ``root`` is made in it.
    readable : sequence of Path
        Folders that it may read besides the system's programs and libraries.
    variables : mapping of str to str
        Its whole environment, besides ``PATH``, ``HOME`` and ``TMPDIR``.

    Raises
    ------
    Unavailable
        Where this system gives no sandbox, or the program fails; its own words are the reason.
    """
    if not has_namespaces():
        raise Unavailable(
            "Nothing can be built in a sandbox here.",
            why="It needs Linux with user namespaces, and the command 'unshare' of util-linux.",
            hint="Build the wheel yourself ('pip wheel NAME') and name it as ./NAME.whl.",
            code="no_sandbox",
        )
    root, work = scratch / "root", scratch / "work"
    for folder in (root, work):
        folder.mkdir()
    seen = [path for path in (*_SYSTEM, *map(str, readable)) if os.path.isdir(path)]  # noqa: PTH112 - strings
    environment = {"PATH": search_path(), "HOME": str(work), "TMPDIR": str(work), **variables}
    ended = subprocess.run(
        [*_NAMESPACES, "--", "/bin/sh", "-c", _SETTLE, "sh", str(root), str(work), str(len(seen)),
         *seen, *map(str, words)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        raise Unavailable(
            "A build in the sandbox failed.",
            why=ended.stdout.decode("utf-8", "replace").strip()[-_TAIL:] or None,
            code="build_failed",
        )
