"""What is asked of Git: where a project stands."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from samovar.core.run import GitState

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.store.layout import Store


def git_state(store: Store, folder: Path) -> GitState | None:
    """Say where the project stands in Git, with the difference of tracked files stored."""
    commit = git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    diff = git(folder, "diff", "HEAD", "--", ".") or b""
    return GitState(
        commit=commit.decode().strip(),
        dirty=bool(diff),
        diff=store.put_bytes(diff) if diff else None,
    )


def git(folder: Path, *arguments: str) -> bytes | None:
    """Ask Git about the repository of a folder; None where it fails, or is not installed."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        ended = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            env=variables,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return None
    return ended.stdout if ended.returncode == 0 else None
